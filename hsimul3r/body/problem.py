"""What a fit of bodies minimises: keypoints, outlines, floor and priors as residuals with their derivatives."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from hsimul3r.artifacts import Cameras
from hsimul3r.body.anatomy import anatomy
from hsimul3r.body.derivatives import BETAS, ROOT, PointTable, pose_points
from hsimul3r.body.model import SmplxFormatBody
from hsimul3r.body.outline import OutlineMatches
from hsimul3r.body.solver import Rows
from hsimul3r.conventions import KEYPOINTS, SMPLX_JOINTS
from hsimul3r.geometry.cameras import project_with_jacobian

SHARED = 1
"""Unknowns that all people share: the log of the scale."""
LIMBS = tuple(
    (f"{side}_{a}", f"{side}_{b}")
    for side in ("left", "right")
    for a, b in (*pairwise(("shoulder", "elbow", "wrist")), *pairwise(("hip", "knee", "ankle")), ("heel", "toe"))
)
"""Bones whose monocular direction is used."""
VISIBLE_BY = {
    "hip": ("hip", "knee"), "knee": ("knee", "ankle"), "ankle": ("ankle", "heel"), "foot": ("ankle", "toe"),
    "shoulder": ("shoulder", "elbow"), "elbow": ("elbow", "wrist"), "wrist": ("wrist",), "collar": ("shoulder",),
}  # fmt: skip
"""Keypoints that say whether the skin of a limb's joint is seen in a view; the trunk's by shoulders and hips."""
TRUNK = ("left_shoulder", "right_shoulder")


@dataclass(frozen=True, kw_only=True)
class FitConfig:
    """Settings of the fit; sigmas in metres where not said otherwise."""

    stature_prior_m: float = 1.70
    stature_sigma_m: float = 0.08
    given_stature_sigma_m: float = 0.01
    pixel_sigma: float = 1.5
    min_confidence: float = 0.1
    keypoint_cauchy: float = 2.0
    direction_sigma: float = 0.5
    floor_penetration_sigma_m: float = 0.01
    floor_contact_sigma_m: float = 0.02
    floor_gate_m: float = 0.10
    """A foot lower than this is taken to stand on the floor."""
    outline_sigma_m: float = 0.015
    outline_reach_m: float = 0.08
    outline_count: int = 25
    """All outline matches of one person in one view count as so many."""
    outline_cauchy: float = 1.5
    outline_rounds: int = 3
    outline_iterations: int = 6
    skeleton_sigma_m: float = 0.05
    clothing_m: float = 0.010
    clothing_sigma_m: float = 0.01
    """How far clothes stand off the body: found per person, so that loose clothes do not change the scale."""
    posture_weight: float = 1.0
    start_iterations: int = 12
    iterations: int = 60


@dataclass(frozen=True, kw_only=True)
class PersonObservations:
    """What the views say about one person. `skeleton` is triangulated, in the world, nan where unknown."""

    person: int
    view: Int[ndarray, "observations"]
    keypoints_px: Float[ndarray, "observations 21 2"]
    confidence: Float[ndarray, "observations 21"]
    skeleton_m: Float[ndarray, "observations 21 3"]
    """Monocular root-relative estimate along the camera's axes (only its bone directions are used)."""
    skeleton: Float[ndarray, "21 3"]
    stature_m: float | None = None
    """Standing height where it is known."""


@dataclass(frozen=True, kw_only=True)
class _State:
    """Points of every person (keypoints, soles, outline vertices) and their derivatives by that person's unknowns."""

    points: Sequence[Float[ndarray, "points 3"]]
    points_by: Sequence[Float[ndarray, "points 3 own"] | None]

    def keypoints(self, p: int) -> tuple[ndarray, ndarray | None]:
        return self._part(p, slice(0, 21))

    def soles(self, p: int) -> tuple[ndarray, ndarray | None]:
        return self._part(p, slice(21, 29))

    def outline(self, p: int) -> tuple[ndarray, ndarray | None]:
        return self._part(p, slice(29, None))

    def _part(self, p: int, part: slice) -> tuple[ndarray, ndarray | None]:
        by = self.points_by[p]
        return self.points[p][part], None if by is None else by[part]


@dataclass(frozen=True, kw_only=True)
class BodyProblem:
    """The residuals of `fit_bodies`. Unknowns: log scale, then per person root turn, translation, dofs, betas, clothes [m]."""

    body: SmplxFormatBody
    cameras: Cameras
    people: tuple[PersonObservations, ...]
    config: FitConfig
    root: Float[ndarray, "persons 3 3"]
    """Root orientation that the root unknowns turn on from the left."""
    sigma_px: tuple[Float[ndarray, "observations 21"], ...]
    fixed_log_scale: float | None
    """Value at which the log scale rests; None where it is free."""
    stands: Bool[ndarray, "persons 2"]
    tracked: tuple[PointTable, ...]
    """Keypoints, soles and outline vertices of each person."""
    outlines: tuple[OutlineMatches, ...] = ()
    keeps_floor: bool = False
    uses_views: bool = True
    """False: fit the triangulated skeletons instead of the keypoints in the views."""

    @property
    def own(self) -> int:
        """Unknowns of one person."""
        return ROOT + anatomy().count + BETAS + 1

    @property
    def low(self) -> ndarray:
        return self._bounds(anatomy().low, -1)

    @property
    def high(self) -> ndarray:
        return self._bounds(anatomy().high, 1)

    def _bounds(self, dofs: ndarray, sign: int) -> ndarray:
        shape = [np.full(BETAS, sign * 5.0), [0.05 if sign > 0 else 0.0]]
        one = np.concatenate([np.full(3, sign * 2 * np.pi), np.full(3, sign * np.inf), dofs, *shape])
        log_scale = sign * np.inf if self.fixed_log_scale is None else self.fixed_log_scale
        return np.concatenate([[log_scale], *[one] * len(self.people)])

    def start(self, log_scale: float, transl: ndarray, dofs: ndarray) -> Float[ndarray, "unknowns"]:
        """Unknowns of one person of common shape."""
        return np.concatenate([[log_scale], np.zeros(3), transl, dofs, np.zeros(BETAS), [self.config.clothing_m]])

    def span(self, person: int) -> slice:
        """Where a person's unknowns lie."""
        return slice(SHARED + person * self.own, SHARED + (person + 1) * self.own)

    def state(self, x: Float[ndarray, "unknowns"], *, with_jacobian: bool) -> _State:
        """Points of all people, and their derivatives where asked for."""
        made = [
            pose_points(self.body, tracked, x[self.span(p)], self.root[p], with_jacobian=with_jacobian)
            for p, tracked in enumerate(self.tracked)
        ]
        return _State(points=[points for points, _ in made], points_by=[by for _, by in made])

    def rows(self, unknowns: Float[ndarray, "unknowns"], *, with_jacobian: bool) -> list[Rows]:
        """All residuals."""
        state = self.state(unknowns, with_jacobian=with_jacobian)
        out = []
        for p in range(len(self.people)):
            if self.uses_views:
                out += [self.keypoint_rows(p, unknowns, state), self.direction_rows(p, state)]
            else:
                out.append(self.skeleton_rows(p, unknowns, state))
            if self.outlines:
                out.append(self.outline_rows(p, unknowns, state))
            if self.keeps_floor:
                out += self.floor_rows(p, state)
            out.append(self.prior_rows(p, unknowns, with_jacobian=with_jacobian))
        return out

    def _rows(
        self, name: str, residual: ndarray, p: int, by_own: ndarray | None, *, by_log_scale: ndarray | None = None,
        cauchy: float = np.inf,
    ) -> Rows:  # fmt: skip
        """Rows (rows, size) of one person, their derivatives put where the unknowns lie."""
        jacobian = None
        if by_own is not None:
            jacobian = np.zeros((*residual.shape, SHARED + len(self.people) * self.own))
            jacobian[..., self.span(p)] = by_own
            if by_log_scale is not None:
                jacobian[..., 0] = by_log_scale
        return Rows(name=name, residual=residual, jacobian=jacobian, cauchy=cauchy)

    def _projected(
        self, view: Int[ndarray, "points"], x: ndarray, world: Float[ndarray, "points 3"], world_by: ndarray | None
    ) -> tuple[Float[ndarray, "points 2"], ndarray | None, Float[ndarray, "points 2"]]:
        """Pixels of world points, each in its view, and their derivatives by the person's unknowns and by log scale."""
        T = self.cameras.T_cam_world[view]
        R, t = T[:, :3, :3], np.exp(x[0]) * T[:, :3, 3]
        cam = np.einsum("nij,nj->ni", R, world) + t
        lens = (self.cameras.focal_px[view], self.cameras.principal_px[view], self.cameras.k1[view])
        uv, by_point, _, _ = project_with_jacobian(cam, *lens)
        by_own = None if world_by is None else by_point @ R @ world_by
        return uv, by_own, np.einsum("nij,nj->ni", by_point, t)

    def keypoint_rows(self, p: int, x: ndarray, state: _State) -> Rows:
        """Reprojection errors of the keypoints in every view of one person."""
        person = self.people[p]
        seen = (person.confidence >= self.config.min_confidence) & np.isfinite(person.keypoints_px).all(-1)
        row, k = np.nonzero(seen)
        points, by = state.keypoints(p)
        uv, by_own, by_scale = self._projected(person.view[row], x, points[k], None if by is None else by[k])
        inverse = 1 / self.sigma_px[p][row, k][:, None]
        return self._rows(
            "keypoints", (uv - person.keypoints_px[row, k]) * inverse, p,
            None if by_own is None else by_own * inverse[..., None],
            by_log_scale=by_scale * inverse, cauchy=self.config.keypoint_cauchy,
        )  # fmt: skip

    def direction_rows(self, p: int, state: _State) -> Rows:
        """Difference of each limb's unit direction from the view's monocular estimate, in the world's axes."""
        person, sigma = self.people[p], self.config.direction_sigma
        a, b = (np.array([KEYPOINTS.index(limb[end]) for limb in LIMBS]) for end in (0, 1))
        points, by = state.keypoints(p)
        bone = points[b] - points[a]
        length = np.linalg.norm(bone, axis=1, keepdims=True)
        unit = bone / length
        seen = person.skeleton_m[:, b] - person.skeleton_m[:, a]
        norm = np.linalg.norm(seen, axis=-1, keepdims=True)
        trust = np.minimum(person.confidence[:, a], person.confidence[:, b])
        row, limb = np.nonzero((trust >= 0.3) & (norm[..., 0] > 1e-6))
        R = self.cameras.T_cam_world[person.view[row]][:, :3, :3]
        target = np.einsum("nji,nj->ni", R, (seen / np.maximum(norm, 1e-9))[row, limb])
        by_own = None
        if by is not None:
            across = (np.eye(3) - unit[:, :, None] * unit[:, None, :]) / length[..., None]
            by_own = (across @ (by[b] - by[a]) / sigma)[limb]
        return self._rows("directions", (unit[limb] - target) / sigma, p, by_own, cauchy=1.5)

    def outline_rows(self, p: int, x: ndarray, state: _State) -> Rows:
        """Distance across the mask's edge of the clothes on outline vertices."""
        matches, config = self.outlines[p], self.config
        points, by = state.outline(p)
        uv, by_own, by_scale = self._projected(matches.view, x, points, by)
        px_per_m = self.cameras.focal_px[matches.view] / matches.depth_m
        per_view = np.bincount(matches.view, minlength=len(self.cameras.focal_px))[matches.view]
        sigma = np.hypot(config.outline_sigma_m * px_per_m, config.pixel_sigma) * np.sqrt(per_view / config.outline_count)
        trust = np.where(matches.is_inside, skin_visibility(self.body, self.people[p])[matches.view, matches.vertex], 1.0)
        scale = (np.sqrt(trust) / sigma)[:, None]
        clothes = x[self.span(p)][-1]
        across = np.einsum("ni,ni->n", uv - matches.edge_px, matches.normal) + clothes * px_per_m
        if by_own is not None:
            by_own = np.einsum("ni,nio->no", matches.normal, by_own)[:, None]
            by_own[..., -1] += px_per_m[:, None]
            by_own = by_own * scale[..., None]
        by_scale = np.einsum("ni,ni->n", matches.normal, by_scale)[:, None]
        return self._rows(
            "outline", across[:, None] * scale, p, by_own, by_log_scale=by_scale * scale, cauchy=config.outline_cauchy
        )  # fmt: skip

    def skeleton_rows(self, p: int, x: ndarray, state: _State) -> Rows:
        """Distance of the keypoints from the triangulated skeleton, for the start."""
        target = self.people[p].skeleton * np.exp(x[0])
        used = np.isfinite(target).all(1)
        points, by = state.keypoints(p)
        sigma = self.config.skeleton_sigma_m
        return self._rows(
            "skeleton", (points - target)[used] / sigma, p, None if by is None else by[used] / sigma,
            by_log_scale=-target[used] / sigma, cauchy=2.0,
        )  # fmt: skip

    def floor_rows(self, p: int, state: _State) -> list[Rows]:
        """Soles are never below the floor, and at it where the foot stands."""
        points, by = state.soles(p)
        height = points[:, 2:]
        rows = []
        for name, used, sigma, cauchy in (
            ("below floor", height[:, 0] < 0, self.config.floor_penetration_sigma_m, np.inf),
            ("on floor", np.repeat(self.stands[p], 4), self.config.floor_contact_sigma_m, 2.0),
        ):
            by_own = None if by is None else by[used, 2:] / sigma
            rows.append(self._rows(name, height[used] / sigma, p, by_own, cauchy=cauchy))
        return rows

    def prior_rows(self, p: int, x: ndarray, *, with_jacobian: bool) -> Rows:
        """Natural posture, common shape, known stature, common clothes."""
        own, count, config = x[self.span(p)], anatomy().count, self.config
        dofs, betas = own[ROOT : ROOT + count], own[ROOT + count : -1]
        inverse = config.posture_weight / anatomy().spread
        stature, sigma = stature_prior(self.people[p], config)
        residual = np.concatenate([
            (dofs - anatomy().natural) * inverse,
            betas - self.body.betas_of_stature(stature),
            [(self.body.stature(betas) - stature) / sigma],
            [(own[-1] - config.clothing_m) / config.clothing_sigma_m],
        ])[:, None]  # fmt: skip
        jacobian = None
        if with_jacobian:
            jacobian = np.zeros((len(residual), 1, self.own))
            jacobian[np.arange(count), 0, ROOT + np.arange(count)] = inverse
            jacobian[count : count + BETAS, 0, ROOT + count : -1] = np.eye(BETAS)
            jacobian[-2, 0, ROOT + count : -1] = self.body.stature_row[1:] / sigma
            jacobian[-1, 0, -1] = 1 / config.clothing_sigma_m
        return self._rows("priors", residual, p, jacobian)


def stature_prior(person: PersonObservations, config: FitConfig) -> tuple[float, float]:
    """Expected stature and its spread [m]."""
    if person.stature_m is None:
        return config.stature_prior_m, config.stature_sigma_m
    return person.stature_m, config.given_stature_sigma_m


def body_points(body: SmplxFormatBody) -> PointTable:
    """Keypoints, then soles."""
    return PointTable.of(body.keypoint_points).joined(PointTable.of(body.sole_points))


def skin_visibility(body: SmplxFormatBody, person: PersonObservations) -> Float[ndarray, "views vertices"]:
    """How surely the skin is seen, in [0, 1], from the confidence of the keypoints around it; rows by view number."""
    index = {name: k for k, name in enumerate(KEYPOINTS)}
    trust = np.zeros((person.view.max() + 1, len(SMPLX_JOINTS)))
    for j, joint in enumerate(SMPLX_JOINTS):
        side, _, kind = joint.partition("_")
        near = [index[f"{side}_{end}"] for end in VISIBLE_BY.get(kind, ())] or [index[name] for name in TRUNK]
        trust[person.view, j] = np.clip((person.confidence[:, near].min(1) - 0.3) / 0.4, 0, 1)
    return trust[:, body.weights.argmax(1)]
