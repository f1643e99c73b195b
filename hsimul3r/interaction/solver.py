"""Gated Eq. 3 / Eq. 4 with stay terms, minimised over people and objects together.

    E = sum_contacts w l_gated + sum_rest w l_contact + 1/2 sum_stay |r / sigma|^2

l_gated is Eq. 3 until a part is within the gate of its surface. From then on it is Eq. 4, and Eq. 3 of the part's nearest
vertex where its gap exceeds `hold_m`, so that the stay terms cannot pull the part off again. l_contact (Eq. 4) keeps all
other skin out of objects and floor. The stay terms hold the pose, the root, and the projections of joints and object corners in
every registered view near the fitted ones. Norms and hinges are smoothed by eps = 1 mm; each step minimises parabolas that lie
above them (iteratively reweighted Gauss-Newton), damped after Levenberg and Marquardt, and is taken where it lowers E.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from hsimul3r.artifacts import Cameras
from hsimul3r.conventions import SMPLX_JOINTS
from hsimul3r.geometry.cameras import project_with_jacobian, transform_points
from hsimul3r.geometry.mesh import vertex_normals
from hsimul3r.geometry.rotations import axis_angle_from_matrix, rotation_about_z
from hsimul3r.geometry.sdf import SignedDistanceField
from hsimul3r.interaction.detect import FEWEST_OVER, FLOOR, ContactPair, is_carried, lowest
from hsimul3r.interaction.kinematics import BodyChain, BodyState
from hsimul3r.interaction.patches import FloorPatch
from hsimul3r.interaction.ways import Way, way_out
from hsimul3r.losses.contact import GATE_M

EPS_M = 0.001
BODY_JOINT_COUNT = 22
NEAR_M = 0.03
"""Skin farther out than this does not take part."""


def _default_joints() -> dict[str, float]:
    middle = {"pelvis": 0.04, "spine1": 0.03, "spine2": 0.03, "spine3": 0.03}
    limbs = {"hip": 0.10, "knee": 0.10, "ankle": 0.20, "shoulder": 0.10, "elbow": 0.10, "wrist": 0.80}
    return middle | {f"{side}_{joint}": sigma for joint, sigma in limbs.items() for side in ("left", "right")}


@dataclass(frozen=True, kw_only=True)
class AlignmentWeights:
    """Weights of the terms of E; sigmas are the deviations that cost one half."""

    contact_per_m: float = 8000.0
    """Of Eq. 3."""
    penetration_per_m: float = 1000.0
    """Of each vertex inside: of Eq. 4 times |H_p|, so that a few deep vertices of a large part count."""
    hold_per_m: float = 4000.0
    """Of a closed contact that opens."""
    carried_share: float = 0.1
    """Of the above for thighs and back: the pelvis decides how deep a person sits."""
    gate_m: float = GATE_M
    hold_m: float = 0.002
    """Gap that a contact may keep once its gate has closed."""
    body_sigma_px: float = 6.0
    """For a shift of all of a body's joints in one view of 1280 px width. Bodies are fitted more exactly than objects."""
    object_sigma_px: float = 12.0
    """The same for the corners of an object's box."""
    root_sigma_m: float = 0.2
    object_sigma_m: float = 0.2
    object_sigma_rad: float = 0.1
    joint_sigma_rad: dict[str, float] = field(default_factory=_default_joints)
    """The joints that may turn. Nearly free at the wrists: no keypoint says how a hand is held."""
    foot_sigma_rad: float = 0.12
    """For a foot's turn in the world: a lifted body should bend its legs, not stand on its toes."""
    iterations: int = 60


@dataclass(frozen=True, kw_only=True)
class SolidObject:
    """An object to align: its solid and box corners in its own frame, where it was, and the views it was seen in."""

    solid: SignedDistanceField
    corners: Float[ndarray, "8 3"]
    T_world_object: Float[ndarray, "4 4"]
    views: Int[ndarray, "views"]


@dataclass(frozen=True, kw_only=True)
class Placement:
    """A state of the optimisation: bodies, and (dx, dy, dyaw) of every object against where it was."""

    bodies: tuple[BodyState, ...]
    offsets: Float[ndarray, "objects 3"]


@dataclass(frozen=True, kw_only=True)
class Solution:
    """Result of `align`."""

    placement: Placement
    energy_before: float
    energy_after: float
    iterations: int


@dataclass(frozen=True, kw_only=True)
class _Terms:
    """Residuals with their weights and derivatives, under one of three convex penalties of the residual r.

    "square" r^2 / 2, "norm" sqrt(r^2 + eps^2) - eps, "hinge" (r + sqrt(r^2 + eps^2)) / 2, which smooths max(0, r).
    """

    residual: Float[ndarray, "rows"]
    weight: Float[ndarray, "rows"]
    jacobian: Float[ndarray, "rows parameters"]
    penalty: Literal["square", "norm", "hinge"]

    def energy(self) -> float:
        r, smooth = self.residual, np.sqrt(self.residual**2 + EPS_M**2)
        values = {"square": r**2 / 2, "norm": smooth - EPS_M, "hinge": (r + smooth) / 2}
        return float(self.weight @ values[self.penalty])

    def slope(self) -> Float[ndarray, "rows"]:
        r, smooth = self.residual, np.sqrt(self.residual**2 + EPS_M**2)
        slopes = {"square": r, "norm": r / smooth, "hinge": (1 + r / smooth) / 2}
        return self.weight * slopes[self.penalty]

    def curvature(self) -> Float[ndarray, "rows"]:
        """Curvature of the parabola that touches the penalty at r and lies above it everywhere."""
        smooth = np.sqrt(self.residual**2 + EPS_M**2)
        curvatures = {"square": np.ones_like(smooth), "norm": 1 / smooth, "hinge": 0.5 / smooth}
        return self.weight * curvatures[self.penalty]


def placed(item: SolidObject, offset: Float[ndarray, "3"]) -> Float[ndarray, "4 4"]:
    """Pose of an object moved by (dx, dy, dyaw): it slides on the floor and turns about its own origin."""
    out = item.T_world_object.copy()
    out[:3, :3] = rotation_about_z(float(offset[2])) @ out[:3, :3]
    out[:2, 3] += offset[:2]
    return out


def align(
    chains: Sequence[BodyChain],
    fitted: Sequence[BodyState],
    objects: Sequence[SolidObject],
    pairs: Sequence[ContactPair],
    *,
    cameras: Cameras,
    weights: AlignmentWeights,
) -> Solution:
    """Minimise E from the fitted state. Deterministic."""
    problem = _Problem(chains, fitted, objects, pairs, cameras, weights)
    start = Placement(bodies=tuple(fitted), offsets=np.zeros((len(objects), 3)))
    placement, damping, quiet, step = start, 1e-3, 0, 0
    terms = problem.terms(placement)
    for step in range(1, weights.iterations + 1):
        changed = problem.close_gates(placement)
        terms = problem.terms(placement) if changed or step == 1 else terms
        energy = sum(term.energy() for term in terms)
        placement, terms, damping, gain = _descend(problem, placement, terms, damping)
        quiet = quiet + 1 if not changed and gain < 3e-4 * max(energy, 1.0) else 0
        if quiet == 3:
            break
    before = sum(term.energy() for term in problem.terms(start))
    after = sum(term.energy() for term in terms)
    return Solution(placement=placement, energy_before=before, energy_after=after, iterations=step)


def _descend(
    problem: "_Problem", placement: Placement, terms: "list[_Terms]", damping: float
) -> "tuple[Placement, list[_Terms], float, float]":
    """One accepted step, or none after eight dampings."""
    energy = sum(term.energy() for term in terms)
    jacobian = np.concatenate([term.jacobian for term in terms])
    curvature = np.concatenate([term.curvature() for term in terms])
    hessian = jacobian.T @ (jacobian * curvature[:, None])
    gradient = jacobian.T @ np.concatenate([term.slope() for term in terms])
    for _ in range(8):
        delta = -np.linalg.solve(hessian + damping * np.diag(np.diag(hessian) + 1e-6), gradient)
        tried = problem.moved(placement, delta * min(1.0, 0.3 / max(np.abs(delta).max(), 1e-12)))
        tried_terms = problem.terms(tried)
        tried_energy = sum(term.energy() for term in tried_terms)
        if tried_energy < energy:
            return tried, tried_terms, max(damping / 4, 1e-6), energy - tried_energy
        damping *= 5
    return placement, terms, damping, 0.0


class _Problem:
    """The terms of E, their derivatives, and which gates are closed."""

    def __init__(
        self,
        chains: Sequence[BodyChain],
        fitted: Sequence[BodyState],
        objects: Sequence[SolidObject],
        pairs: Sequence[ContactPair],
        cameras: Cameras,
        weights: AlignmentWeights,
    ):
        self.chains, self.fitted, self.objects, self.pairs = chains, fitted, objects, pairs
        self.cameras, self.weights = cameras, weights
        self.is_closed = np.zeros(len(pairs), bool)
        widths = [3 + 3 * len(chain.movable) for chain in chains]
        self._person_start = np.cumsum([0, *widths])
        self.size = int(self._person_start[-1]) + 3 * len(objects)
        self._views = np.flatnonzero(cameras.is_registered)
        self._fitted_uv = [self._project(state.joints[:BODY_JOINT_COUNT], self._views)[0] for state in fitted]
        self._corners = [transform_points(item.T_world_object, item.corners) for item in objects]
        self._corner_uv = [self._project(corners, item.views)[0] for corners, item in zip(self._corners, objects)]

    def moved(self, placement: Placement, delta: Float[ndarray, "parameters"]) -> Placement:
        """Apply a step."""
        bodies = []
        for p, (chain, body) in enumerate(zip(self.chains, placement.bodies)):
            part = delta[self._person_start[p] : self._person_start[p + 1]].reshape(-1, 3)
            bodies.append(chain.moved(body, part[0], part[1:]))
        offsets = placement.offsets + delta[self._person_start[-1] :].reshape(-1, 3)
        return replace(placement, bodies=tuple(bodies), offsets=offsets)

    def close_gates(self, placement: Placement) -> bool:
        """Close the gate of every pair that has come near enough; true where one closed."""
        before = self.is_closed.copy()
        for k, pair in enumerate(self.pairs):
            query = self._query(pair, placement)[0]
            if query.is_over.sum() >= FEWEST_OVER:
                self.is_closed[k] |= query.distance[query.is_over].min() < self.weights.gate_m
        return bool((before != self.is_closed).any())

    def terms(self, placement: Placement) -> list[_Terms]:
        """All terms of E at a placement."""
        out = [term for k in range(len(self.pairs)) for term in self._contact(k, placement)]
        for person in range(len(self.chains)):
            out += [self._rest(person, target, placement) for target in (FLOOR, *range(len(self.objects)))]
            out += [*self._stay_body(person, placement), self._stay_joints_in_views(person, placement)]
        for target in range(len(self.objects)):
            out += [self._stay_object(target, placement), self._stay_corners_in_views(target, placement)]
        return out

    def _contact(self, k: int, placement: Placement) -> list[_Terms]:
        pair = self.pairs[k]
        query, points, samples = self._query(pair, placement)
        if not self.is_closed[k] or query.is_over.sum() < FEWEST_OVER:
            return [self._draw_together(pair, points, samples, placement)]
        over = np.flatnonzero(query.is_over)
        inside = self._inside(pair.person, pair.target, pair.vertices[over], Way.to_patch(query, over), placement)
        nearest = lowest(query, 1)
        apart = self._inside(pair.person, pair.target, pair.vertices[nearest], Way.to_patch(query, nearest), placement)
        hold = _Terms(
            residual=query.distance[nearest] - self.weights.hold_m,
            weight=np.array([self.weights.hold_per_m * (self.weights.carried_share if is_carried(pair.part) else 1.0)]),
            jacobian=-apart.jacobian,
            penalty="hinge",
        )
        return [inside, hold]

    def _draw_together(
        self, pair: ContactPair, points: Float[ndarray, "part 3"], samples: Float[ndarray, "samples 3"], placement: Placement
    ) -> _Terms:
        """Eq. 3, each distance along its own direction."""
        offset = points[:, None] - samples[None]
        distance = np.linalg.norm(offset, axis=2)
        i = np.concatenate([np.arange(len(points)), distance.argmin(axis=0)])
        j = np.concatenate([distance.argmin(axis=1), np.arange(len(samples))])
        apart = distance[i, j]
        normal = offset[i, j] / np.maximum(apart, 1e-9)[:, None]
        share = np.concatenate([np.full(len(points), 1 / len(points)), np.full(len(samples), 1 / len(samples))])
        jacobian = self._jacobian(pair.person, pair.target, pair.vertices[i], normal, samples[j], placement)
        return _Terms(residual=apart, weight=self.weights.contact_per_m * share, jacobian=jacobian, penalty="norm")

    def _rest(self, person: int, target: int, placement: Placement) -> _Terms:
        """Eq. 4 for the skin that is not over the patch of a contact with the same target."""
        vertices = placement.bodies[person].vertices
        free = np.ones(len(vertices), bool)
        for pair in self.pairs:
            if pair.person == person and pair.target == target:
                free[pair.vertices[self._query(pair, placement)[0].is_over]] = False
        points = vertices[free]
        if target == FLOOR:
            way = Way.to_patch(FloorPatch().query(points), np.ones(len(points), bool))
        else:
            R, t = np.split(placed(self.objects[target], placement.offsets[target])[:3], [3], axis=1)
            normals = vertex_normals(vertices, self.chains[person].faces)[free]
            local = way_out(self.objects[target].solid, (points - t[:, 0]) @ R, normals @ R)
            way = Way(distance=local.distance, normal=local.normal @ R.T, foot=local.foot @ R.T + t[:, 0])
        near = way.distance < NEAR_M
        way = Way(distance=way.distance[near], normal=way.normal[near], foot=way.foot[near])
        return self._inside(person, target, np.flatnonzero(free)[near], way, placement)

    def _inside(self, person: int, target: int, ids: Int[ndarray, "rows"], way: Way, placement: Placement) -> _Terms:
        """Eq. 4 of vertices whose way out is known; those outside count with what smoothing leaves of them."""
        jacobian = -self._jacobian(person, target, ids, way.normal, way.foot, placement)
        weight = np.full(len(ids), self.weights.penetration_per_m)
        return _Terms(residual=-way.distance, weight=weight, jacobian=jacobian, penalty="hinge")

    def _stay_body(self, person: int, placement: Placement) -> list[_Terms]:
        chain, body, fitted = self.chains[person], placement.bodies[person], self.fitted[person]
        start = self._person_start[person]
        sigma = np.array([self.weights.joint_sigma_rad[name] for name in self.weights.joint_sigma_rad])
        sigmas = np.concatenate([np.full(3, self.weights.root_sigma_m), np.repeat(sigma, 3)])
        residual = np.concatenate([body.transl - fitted.transl, chain.corrections(body, fitted).ravel()])
        jacobian = np.zeros((len(residual), self.size))
        jacobian[:, start : start + len(residual)] = np.eye(len(residual))
        stay = _Terms(residual=residual, weight=1 / sigmas**2, jacobian=jacobian, penalty="square")
        return [stay, *(self._stay_foot(person, side, placement) for side in ("left", "right"))]

    def _stay_foot(self, person: int, side: str, placement: Placement) -> _Terms:
        """Turn of a foot in the world against the fitted pose: the sum of the turns of the joints that carry it."""
        chain, foot = self.chains[person], SMPLX_JOINTS.index(f"{side}_ankle")
        turn = placement.bodies[person].rotations[foot] @ self.fitted[person].rotations[foot].T
        jacobian = np.zeros((3, self.size))
        for m in np.flatnonzero(chain.carries[:, foot]):
            column = self._person_start[person] + 3 + 3 * m
            jacobian[:, column : column + 3] = np.eye(3)
        weight = np.full(3, 1 / self.weights.foot_sigma_rad**2)
        return _Terms(residual=axis_angle_from_matrix(turn), weight=weight, jacobian=jacobian, penalty="square")

    def _stay_joints_in_views(self, person: int, placement: Placement) -> _Terms:
        body = placement.bodies[person]
        uv, by_point = self._project(body.joints[:BODY_JOINT_COUNT], self._views)
        jacobian = np.zeros((*uv.shape, self.size))
        start = self._person_start[person]
        jacobian[..., start : start + 3] = by_point
        arms = body.joint_arms[:, :BODY_JOINT_COUNT]
        for m in range(len(arms)):
            columns = slice(start + 3 + 3 * m, start + 6 + 3 * m)
            jacobian[..., columns] = np.cross(arms[m][None, :, None], by_point)
        return self._in_views(uv - self._fitted_uv[person], jacobian, self._views, self.weights.body_sigma_px)

    def _stay_object(self, target: int, placement: Placement) -> _Terms:
        start = int(self._person_start[-1]) + 3 * target
        jacobian = np.zeros((3, self.size))
        jacobian[:, start : start + 3] = np.eye(3)
        sigma = np.array([self.weights.object_sigma_m, self.weights.object_sigma_m, self.weights.object_sigma_rad])
        return _Terms(residual=placement.offsets[target], weight=1 / sigma**2, jacobian=jacobian, penalty="square")

    def _stay_corners_in_views(self, target: int, placement: Placement) -> _Terms:
        item = self.objects[target]
        pose = placed(item, placement.offsets[target])
        corners = transform_points(pose, item.corners)
        uv, by_point = self._project(corners, item.views)
        start = int(self._person_start[-1]) + 3 * target
        jacobian = np.zeros((*uv.shape, self.size))
        jacobian[..., start : start + 2] = by_point[..., :2]
        jacobian[..., start + 2] = np.einsum("vpix,px->vpi", by_point, np.cross([0, 0, 1.0], corners - pose[:3, 3]))
        return self._in_views(uv - self._corner_uv[target], jacobian, item.views, self.weights.object_sigma_px)

    def _in_views(self, residual: ndarray, jacobian: ndarray, views: Int[ndarray, "views"], sigma_px: float) -> _Terms:
        """Pixels (views, points, 2) as squares, so that a common shift by sigma in one view costs one half."""
        sigma = sigma_px * self.cameras.size_px[views, 0] / 1280
        weight = np.broadcast_to((1 / sigma**2 / max(residual.shape[1], 1))[:, None, None], residual.shape)
        return _Terms(
            residual=residual.ravel(), weight=weight.ravel(), jacobian=jacobian.reshape(-1, self.size), penalty="square"
        )

    def _query(self, pair: ContactPair, placement: Placement):  # noqa: ANN202
        """The pair's patch at its vertices, the vertices and the patch's samples, all in the world."""
        points = placement.bodies[pair.person].vertices[pair.vertices]
        if pair.target == FLOOR:
            return pair.patch.query(points), points, pair.samples
        pose = placed(self.objects[pair.target], placement.offsets[pair.target])
        local = pair.patch.query((points - pose[:3, 3]) @ pose[:3, :3])
        query = replace(local, normal=local.normal @ pose[:3, :3].T, foot=transform_points(pose, local.foot))
        return query, points, transform_points(pose, pair.samples)

    def _jacobian(
        self,
        person: int,
        target: int,
        ids: Int[ndarray, "rows"],
        normal: Float[ndarray, "rows 3"],
        feet: Float[ndarray, "rows 3"],
        placement: Placement,
    ) -> Float[ndarray, "rows parameters"]:
        """Derivative of normal @ (vertex - foot), the vertex moving with the body and the foot with the target."""
        body, start = placement.bodies[person], self._person_start[person]
        out = np.zeros((len(ids), self.size))
        out[:, start : start + 3] = normal
        turns = np.cross(body.skin_arms[:, ids], normal[None])
        out[:, start + 3 : start + 3 + 3 * len(turns)] = np.moveaxis(turns, 0, 1).reshape(len(ids), 3 * len(turns))
        if target != FLOOR:
            column = int(self._person_start[-1]) + 3 * target
            origin = placed(self.objects[target], placement.offsets[target])[:3, 3]
            out[:, column : column + 2] = -normal[:, :2]
            out[:, column + 2] = -np.einsum("rk,rk->r", normal, np.cross([0, 0, 1.0], feet - origin))
        return out

    def _project(self, points: Float[ndarray, "points 3"], views: Int[ndarray, "views"]) -> tuple[ndarray, ndarray]:
        """Pixels (views, points, 2) and their derivatives by the world point (views, points, 2, 3)."""
        cameras, count = self.cameras, len(points)
        poses = cameras.T_cam_world[views]
        local = np.einsum("vxy,py->vpx", poses[:, :3, :3], points) + poses[:, None, :3, 3]
        intrinsics = (cameras.focal_px[views], cameras.principal_px[views], cameras.k1[views])
        uv, by_local, _, _ = project_with_jacobian(local.reshape(-1, 3), *(np.repeat(i, count, axis=0) for i in intrinsics))
        by_point = by_local.reshape(len(views), count, 2, 3) @ poses[:, None, :3, :3]
        return uv.reshape(len(views), count, 2), by_point
