"""The reference mended before it is followed: feet where they stand, hands where they hold, weight above what bears it.

A reconstruction is wrong by a few degrees at every joint. Over a leg that is a decimetre at the pelvis, more than a foot is
wide: such a motion on one leg cannot be followed by anybody, however the servos are asked, and a search that changes joints at
random does not find one that can. So the motion as a whole is changed least, by a smooth correction of all joints, until its
contacts are closed and the zero-moment point is within the support polygon:

    E = sum_held |(x - goal) / sigma|^2 + sum_edges (beyond / sigma)^2 + sum_knots |c / s|^2 + w sum_knots |c'' / s|^2

and no joint farther than `farthest_m` from where it was reconstructed, with corrections c at the knots of a cubic B-spline,
minimised by Gauss-Newton damped after Levenberg and Marquardt.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray
from scipy.interpolate import BSpline
from scipy.linalg import solveh_banded

from hsimul3r.conventions import BODY_JOINTS, GRAVITY
from hsimul3r.geometry.rotations import axis_angle_from_matrix, matrix_from_axis_angle, quaternion_from_matrix
from hsimul3r.tracking.chain import COORDINATES, JOINTS, Chain
from hsimul3r.tracking.layout import HumanLayout, joint_kind
from hsimul3r.tracking.problem import PersonReference, TrackingProblem
from hsimul3r.tracking.supports import Footing, polygon

ERROR_RAD = {
    "pelvis": 0.06, "hip": 0.08, "knee": 0.08, "ankle": 0.1, "foot": 0.1, "spine1": 0.06, "spine2": 0.05, "spine3": 0.05,
    "neck": 0.03, "head": 0.03, "collar": 0.04, "shoulder": 0.08, "elbow": 0.08, "wrist": 0.08,
}  # fmt: skip
"""What a reconstruction may have wrong of a joint, per axis."""
ROOT_ERROR_M = 0.05
SCALE = np.concatenate([np.full(3, ROOT_ERROR_M), np.repeat([ERROR_RAD[joint_kind(joint)] for joint in BODY_JOINTS], 3)])
ORDER = 3
SPAN = 6
"""Knots that three neighbouring samples depend on, at most."""


@dataclass(frozen=True, kw_only=True)
class MendingConfig:
    """How a reference is changed."""

    sample_s: float = 1 / 15
    """Apart of the moments that are looked at; accelerations are differences over it."""
    knot_s: float = 0.2
    margin_m: float = 0.025
    """The zero-moment point stays so far inside the support polygon, where that is wide enough."""
    balance_sigma_m: float = 0.01
    floor_sigma_m: float = 0.01
    """How exactly soles are not below the floor, nor lower over it than they clear it."""
    clearance_m: float = 0.04
    """How high soles pass over the floor that move as fast as `swift_m_s` or faster, where labels have gaps: who sags a little
    must not trip."""
    slow_m_s: float = 0.5
    """Soles that are slower need no clearance."""
    swift_m_s: float = 2.0
    farthest_m: float = 0.18
    """No joint goes farther than about this: contacts that nobody knows of may bear too."""
    far_sigma_m: float = 0.01
    stay: float = 0.3
    smooth: float = 2.0
    """Weights of the correction's size and of its second differences."""
    iterations: int = 10
    least_gain: float = 1e-3


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Residuals of one sample and their derivatives by the coordinates of the samples before, of, and after it."""

    residual: Float[ndarray, "rows"]
    by: Float[ndarray, "rows 3 69"]

    @classmethod
    def of_sample(cls, residual: Float[ndarray, "rows"], by: Float[ndarray, "rows 69"]) -> "Rows":
        """That do not depend on its neighbours."""
        none = np.zeros_like(by)
        return cls(residual=residual, by=np.stack([none, by, none], axis=1))


@dataclass(frozen=True, kw_only=True)
class Mending:
    """The problem of one person."""

    person: PersonReference
    footing: Footing
    fps: float
    cfg: MendingConfig = field(default_factory=MendingConfig)

    @cached_property
    def frames(self) -> Int[ndarray, "samples"]:
        """That are looked at."""
        return np.arange(0, len(self.person.pose), max(round(self.cfg.sample_s * self.fps), 1))

    @cached_property
    def step_s(self) -> float:
        return float(self.frames[1] - self.frames[0]) / self.fps if len(self.frames) > 1 else self.cfg.sample_s

    @cached_property
    def basis(self) -> Float[ndarray, "frames knots"]:
        """Of the cubic B-spline, at every frame."""
        count = len(self.person.pose)
        duration = max((count - 1) / self.fps, 1 / self.fps)
        spans = max(int(np.ceil(duration / self.cfg.knot_s)), 1)
        knots = np.arange(-ORDER, spans + ORDER + 1) * duration / spans
        times = np.minimum(np.arange(count) / self.fps, duration * (1 - 1e-9))
        return BSpline.design_matrix(times, knots, ORDER).toarray()

    @cached_property
    def areas(self) -> list[Float[ndarray, "edges 3"] | None]:
        """What bears in every sample, as edges seen from above, moved in by the margin."""
        return [self._area(int(frame)) for frame in self.frames]

    @cached_property
    def ground_m(self) -> Float[ndarray, "samples"]:
        """Mean height of what bears."""
        areas = [self.footing.area(int(frame)) for frame in self.frames]
        return np.array([area[:, 2].mean() if len(area) else 0.0 for area in areas])

    @cached_property
    def least_height_m(self) -> Float[ndarray, "samples 8"]:
        """Of the points under the feet, as fast as the reference moves them along the floor; 0 where labels are whole."""
        x = Chain.of(self.person).points(self.footing.soles, self.footing.sole_points)[..., :2]
        speed = np.zeros(x.shape[:2]) if len(x) < 2 else np.linalg.norm(np.gradient(x, 1 / self.fps, axis=0), axis=-1)
        share = (speed[self.frames] - self.cfg.slow_m_s) / (self.cfg.swift_m_s - self.cfg.slow_m_s)
        return self.footing.has_gaps * self.cfg.clearance_m * np.clip(share, 0.0, 1.0)

    def _area(self, frame: int) -> Float[ndarray, "edges 3"] | None:
        corners = self.footing.area(frame)
        edges = polygon(corners)
        if edges is None:
            return None
        inner = -(edges[:, :2] @ corners[:, :2].mean(axis=0) + edges[:, 2]).max()
        return edges + np.array([0.0, 0.0, min(self.cfg.margin_m, 0.7 * inner)])

    def corrected(self, c: Float[ndarray, "knots 69"], frames: Int[ndarray, "some"]) -> tuple[ndarray, Chain]:
        """Local rotations and bones of some frames."""
        x = self.basis[frames] @ c
        turns = matrix_from_axis_angle(x[:, 3:].reshape(-1, JOINTS, 3))
        local = matrix_from_axis_angle(self.person.pose[frames]) @ turns
        root = self.person.joints[frames, 0] + x[:, :3]
        return local, Chain.posed(local, root, self.footing.segments.offset)

    def rows(self, c: Float[ndarray, "knots 69"]) -> list[list[Rows]]:
        """Of every sample."""
        _, chain = self.corrected(c, self.frames)
        contacts, balance = self._contacts(chain), self._balance(chain)
        return [
            [*held, floor, far, *balanced]
            for held, floor, far, balanced in zip(contacts, self._floor(chain), self._far(chain), balance)
        ]

    def _contacts(self, chain: Chain) -> list[list[Rows]]:
        found: list[list[Rows]] = [[] for _ in self.frames]
        for support in self.footing.supports:
            held = np.flatnonzero(support.is_held[self.frames])
            if not len(held):
                continue
            here = chain.at(held)
            x = here.points(support.bones, support.local)
            by = here.derivative(x, support.bones) / support.sigma_m
            away = (x - support.goal[self.frames[held]]) / support.sigma_m
            for sample, residual, jacobian in zip(held, away, by):
                found[sample].append(Rows.of_sample(residual.ravel(), jacobian.reshape(-1, COORDINATES)))
        return found

    def _floor(self, chain: Chain) -> list[Rows]:
        x = chain.points(self.footing.soles, self.footing.sole_points)
        by = chain.derivative(x, self.footing.soles)[:, :, 2] / self.cfg.floor_sigma_m
        beyond = (x[..., 2] - self.least_height_m) / self.cfg.floor_sigma_m
        return [Rows.of_sample(r[r < 0], j[r < 0]) for r, j in zip(beyond, by)]

    def _far(self, chain: Chain) -> list[Rows]:
        away = chain.p - self.person.joints[self.frames]
        distance = np.linalg.norm(away, axis=-1)
        toward = away / np.maximum(distance, 1e-9)[..., None]
        by = np.einsum("fbx,fbxv->fbv", toward, chain.derivative(chain.p, np.arange(JOINTS))) / self.cfg.far_sigma_m
        beyond = (distance - self.cfg.farthest_m) / self.cfg.far_sigma_m
        return [Rows.of_sample(r[r > 0], j[r > 0]) for r, j in zip(beyond, by)]

    def zero_moment(self, chain: Chain) -> tuple[Float[ndarray, "samples 2"], Float[ndarray, "samples"]]:
        """Zero-moment points at the height of what bears, and levers: metres of them by metre of second difference.

        At both ends, where no acceleration is known, the centre of mass itself.
        """
        parts = chain.points(np.arange(JOINTS), self.footing.segments.centre)
        centre = self.footing.segments.share @ parts
        before, after = _neighbours(len(centre))
        lever = (centre[:, 2] - self.ground_m) / (GRAVITY * self.step_s**2)
        lever[[0, -1]] = 0.0
        return (centre - lever[:, None] * (centre[after] - 2 * centre + centre[before]))[:, :2], lever

    def _balance(self, chain: Chain) -> list[list[Rows]]:
        zmp, lever = self.zero_moment(chain)
        bones = np.arange(JOINTS)
        parts = chain.points(bones, self.footing.segments.centre)
        by = np.einsum("b,fbxv->fxv", self.footing.segments.share, chain.derivative(parts, bones))[:, :2]
        before, after = _neighbours(len(zmp))
        found: list[list[Rows]] = []
        for i, edges in enumerate(self.areas):
            beyond = np.zeros(0) if edges is None else edges[:, :2] @ zmp[i] + edges[:, 2]
            if edges is None or beyond.max() <= 0:
                found.append([])
                continue
            normal, residual = edges[beyond > 0, :2], beyond[beyond > 0]
            shares = ((before[i], -lever[i]), (i, 1 + 2 * lever[i]), (after[i], -lever[i]))
            jacobian = np.stack([share * (normal @ by[at]) for at, share in shares], axis=1)
            sigma = self.cfg.balance_sigma_m
            found.append([Rows(residual=residual / sigma, by=jacobian / sigma)])
        return found

    def cost(self, c: Float[ndarray, "knots 69"], rows: list[list[Rows]]) -> float:
        """E."""
        size, bend = (c / SCALE) ** 2, np.diff(c / SCALE, 2, axis=0) ** 2
        held = sum(float((row.residual**2).sum()) for sample in rows for row in sample)
        return held + self.cfg.stay * float(size.sum()) + self.cfg.smooth * float(bend.sum())

    def system(self, c: Float[ndarray, "knots 69"], rows: list[list[Rows]]) -> tuple[ndarray, Float[ndarray, "knots 69"]]:
        """Normal equations: blocks (knots, SPAN, 69, 69) on and right of the diagonal, and half the gradient."""
        count = len(c)
        bend = np.diff(np.eye(count), 2, axis=0)
        prior = self.cfg.stay * np.eye(count) + self.cfg.smooth * bend.T @ bend
        blocks, gradient = np.zeros((count, SPAN, COORDINATES, COORDINATES)), prior @ (c / SCALE**2)
        for apart in range(min(3, count)):
            blocks[: count - apart, apart] += np.diagonal(prior, apart)[:, None, None] * np.diag(1 / SCALE**2)
        before, after = _neighbours(len(self.frames))
        for i, sample in enumerate(rows):
            if not any(len(row.residual) for row in sample):
                continue
            residual, by = (np.concatenate([getattr(row, name) for row in sample]) for name in ("residual", "by"))
            weights = self.basis[self.frames[[before[i], i, after[i]]]]
            touched = np.flatnonzero(weights.any(axis=0))
            here = slice(touched[0], touched[-1] + 1)
            jacobian = np.einsum("rtv,tk->rkv", by, weights[:, here]).reshape(len(residual), -1)
            gradient[here] += (jacobian.T @ residual).reshape(-1, COORDINATES)
            square = (jacobian.T @ jacobian).reshape(here.stop - here.start, COORDINATES, -1, COORDINATES)
            for a, row in enumerate(square):
                blocks[here.start + a, : len(square) - a] += row[:, a:].swapaxes(0, 1)
        return blocks, gradient

    def solve(self) -> PersonReference:
        """The person as mended."""
        c = np.zeros((self.basis.shape[1], COORDINATES))
        rows, damping = self.rows(c), 1e-3
        cost = self.cost(c, rows)
        for _ in range(self.cfg.iterations):
            blocks, gradient = self.system(c, rows)
            while damping < 1e4:
                trial = c - _solved(blocks, gradient, damping)
                trial_rows = self.rows(trial)
                trial_cost = self.cost(trial, trial_rows)
                if trial_cost < cost:
                    break
                damping *= 5
            else:
                break
            gain = (cost - trial_cost) / cost
            c, rows, cost, damping = trial, trial_rows, trial_cost, damping / 5
            if gain < self.cfg.least_gain:
                break
        local, chain = self.corrected(c, np.arange(len(self.person.pose)))
        return replace(
            self.person, pose=axis_angle_from_matrix(local), joints=chain.p, quats=quaternion_from_matrix(chain.R)
        )  # fmt: skip


def mended(
    problem: TrackingProblem, feet: Sequence[Footing], layouts: Sequence[HumanLayout], cfg: MendingConfig
) -> TrackingProblem:
    """The problem with everybody's motion, and the first frame in the engine's order, mended."""
    people = tuple(
        Mending(person=person, footing=footing, fps=problem.fps, cfg=cfg).solve()
        for person, footing in zip(problem.people, feet)
    )
    qpos = problem.qpos.copy()
    for person, layout in zip(people, layouts):
        layout.write_pose(qpos, person.joints[0, 0], person.pose[0])
    return replace(problem, qpos=qpos, people=people)


def _neighbours(count: int) -> tuple[Int[ndarray, "count"], Int[ndarray, "count"]]:
    """Samples before and after each; at the ends the sample itself."""
    every = np.arange(count)
    return np.maximum(every - 1, 0), np.minimum(every + 1, count - 1)


def _solved(blocks: ndarray, gradient: Float[ndarray, "knots 69"], damping: float) -> Float[ndarray, "knots 69"]:
    """(H + damping diag H)^-1 gradient, H given by its upper blocks."""
    knots, span, size, _ = blocks.shape
    width = span * size
    band = np.zeros((width, knots * size))
    row, column = np.indices((size, size))
    for knot in range(knots):
        for apart in range(min(span, knots - knot)):
            below = row - column - apart * size
            upper = below <= 0
            band[width - 1 + below[upper], ((knot + apart) * size + column)[upper]] = blocks[knot, apart][upper]
    band[-1] *= 1 + damping
    return solveh_banded(band, gradient.ravel(), overwrite_ab=True, check_finite=False).reshape(knots, size)
