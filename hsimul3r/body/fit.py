"""Bodies of all people at one moment, fitted to their keypoints in every view, with one common metric scale of the scene.

A maximum a posteriori estimate by Levenberg-Marquardt over, per person, root turn, translation, anatomical coordinates
(anatomy.py) and betas, and over the log of the scene's scale. Terms: reprojection of 21 keypoints (robust), monocular bone
directions (weak), the outline in people's masks, natural posture, shape, stature, and the floor. Joint limits are bounds,
never exceeded.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from hsimul3r.artifacts import Cameras
from hsimul3r.body.anatomy import anatomy
from hsimul3r.body.derivatives import BETAS, ROOT, PointTable, Unknowns, pose_points
from hsimul3r.body.model import SmplxFormatBody
from hsimul3r.body.outline import OutlineMatches, match_outlines
from hsimul3r.body.solver import Rows, minimise, total_cost
from hsimul3r.conventions import BODY_JOINTS, KEYPOINTS, SMPLX_JOINTS
from hsimul3r.geometry.alignment import Similarity, align_points
from hsimul3r.geometry.cameras import project_with_jacobian, transform_cameras
from hsimul3r.geometry.rotations import axis_angle_from_matrix, rotation_about_z

SHARED = 1
"""Unknowns that all people share: the log of the scale."""
KEYPOINT_SIGMA_M = {
    "nose": 0.015, "eye": 0.015, "ear": 0.03, "shoulder": 0.025, "elbow": 0.025, "wrist": 0.025, "hip": 0.035, "knee": 0.025,
    "ankle": 0.025, "heel": 0.03, "toe": 0.03,
}  # fmt: skip
"""Spread of a detector's keypoints about the body's, by their kind: size of the joint, clothing, annotators' habit."""
LIMBS = tuple(
    (f"{side}_{a}", f"{side}_{b}")
    for side in ("left", "right")
    for a, b in (*pairwise(("shoulder", "elbow", "wrist")), *pairwise(("hip", "knee", "ankle")), ("heel", "toe"))
)
"""Bones whose monocular direction is used."""
SPANS = (*LIMBS[:4], *LIMBS[5:9], ("left_shoulder", "left_hip"), ("right_shoulder", "right_hip"))
"""Bones whose length gives the first guess of the scale."""
VISIBLE_BY = {
    "hip": ("hip", "knee"), "knee": ("knee", "ankle"), "ankle": ("ankle", "heel"), "foot": ("ankle", "toe"),
    "shoulder": ("shoulder", "elbow"), "elbow": ("elbow", "wrist"), "wrist": ("wrist",), "collar": ("shoulder",),
}  # fmt: skip
"""Keypoints that say whether the skin of a limb's joint is seen in a view; the trunk's by shoulders and hips."""
TRUNK = ("left_shoulder", "right_shoulder")
STARTS = (
    {},
    {f"{side}_{joint}": angle for side in ("left", "right") for joint, angle in (("hip_x", -80.0), ("knee_x", 85.0))},
)
"""Postures to start from: standing and sitting."""


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
    clothing_m: float = 0.012
    """How far clothes stand off the body."""
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
class FittedBody:
    """SMPL-X parameters of one person, and where its soles and keypoints are in the rescaled world."""

    person: int
    betas: Float[ndarray, "10"]
    pose: Float[ndarray, "55 3"]
    transl: Float[ndarray, "3"]
    keypoints: Float[ndarray, "21 3"]
    soles: Float[ndarray, "2 4 3"]
    stands: Bool[ndarray, "2"]
    """Which feet (left, right) were taken to stand on the floor."""
    free_gap_m: Float[ndarray, "2"]
    """Height of each foot's lowest point as the views alone have it, before the floor counted."""


@dataclass(frozen=True, kw_only=True)
class FittedPeople:
    """All bodies and the factor by which cameras and points are to be scaled about the world's origin."""

    scale: float
    bodies: tuple[FittedBody, ...]


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
    """The residuals of `fit_bodies`. Unknowns: log scale, then per person root turn, translation, dofs, betas."""

    body: SmplxFormatBody
    cameras: Cameras
    people: tuple[PersonObservations, ...]
    config: FitConfig
    root: Float[ndarray, "persons 3 3"]
    """Root orientation that the root unknowns turn on from the left."""
    sigma_px: tuple[Float[ndarray, "observations 21"], ...]
    is_scale_fixed: bool
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
        return ROOT + anatomy().count + BETAS

    @property
    def low(self) -> ndarray:
        return self._bounds(anatomy().low, -1)

    @property
    def high(self) -> ndarray:
        return self._bounds(anatomy().high, 1)

    def _bounds(self, dofs: ndarray, sign: int) -> ndarray:
        one = np.concatenate([np.full(3, sign * 2 * np.pi), np.full(3, sign * np.inf), dofs, np.full(BETAS, sign * 5.0)])
        return np.concatenate([[0.0 if self.is_scale_fixed else sign * np.inf], *[one] * len(self.people)])

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
        """Distance of outline vertices from the mask's edge, across the edge, less the clothes."""
        matches, config = self.outlines[p], self.config
        points, by = state.outline(p)
        uv, by_own, by_scale = self._projected(matches.view, x, points, by)
        px_per_m = self.cameras.focal_px[matches.view] / matches.depth_m
        per_view = np.bincount(matches.view, minlength=len(self.cameras.focal_px))[matches.view]
        sigma = np.hypot(config.outline_sigma_m * px_per_m, config.pixel_sigma) * np.sqrt(per_view / config.outline_count)
        trust = np.where(matches.is_inside, skin_visibility(self.body, self.people[p])[matches.view, matches.vertex], 1.0)
        scale = (np.sqrt(trust) / sigma)[:, None]
        across = np.einsum("ni,ni->n", uv - matches.edge_px, matches.normal) + config.clothing_m * px_per_m
        by_own = None if by_own is None else np.einsum("ni,nio->no", matches.normal, by_own)[:, None] * scale[..., None]
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
        """Natural posture, common shape, known stature."""
        own, count = x[self.span(p)], anatomy().count
        dofs, betas = own[ROOT : ROOT + count], own[ROOT + count :]
        inverse = self.config.posture_weight / anatomy().spread
        stature, sigma = stature_prior(self.people[p], self.config)
        residual = np.concatenate([
            (dofs - anatomy().natural) * inverse,
            betas - self.body.betas_of_stature(stature),
            [(self.body.stature(betas) - stature) / sigma],
        ])[:, None]  # fmt: skip
        jacobian = None
        if with_jacobian:
            jacobian = np.zeros((len(residual), 1, self.own))
            jacobian[np.arange(count), 0, ROOT + np.arange(count)] = inverse
            jacobian[count : count + BETAS, 0, ROOT + count :] = np.eye(BETAS)
            jacobian[-1, 0, ROOT + count :] = self.body.stature_row[1:] / sigma
        return self._rows("priors", residual, p, jacobian)


def skin_visibility(body: SmplxFormatBody, person: PersonObservations) -> Float[ndarray, "views vertices"]:
    """How surely the skin is seen, in [0, 1], from the confidence of the keypoints around it; rows by view number."""
    index = {name: k for k, name in enumerate(KEYPOINTS)}
    trust = np.zeros((person.view.max() + 1, len(SMPLX_JOINTS)))
    for j, joint in enumerate(SMPLX_JOINTS):
        side, _, kind = joint.partition("_")
        near = [index[f"{side}_{end}"] for end in VISIBLE_BY.get(kind, ())] or [index[name] for name in TRUNK]
        trust[person.view, j] = np.clip((person.confidence[:, near].min(1) - 0.3) / 0.4, 0, 1)
    return trust[:, body.weights.argmax(1)]


def fit_bodies(
    body: SmplxFormatBody,
    cameras: Cameras,
    people: Sequence[PersonObservations],
    *,
    is_scale_fixed: bool,
    masks: Sequence[Bool[ndarray, "height width"]] = (),
    config: FitConfig = FitConfig(),
    on_step: Callable[[], None] = lambda: None,
) -> FittedPeople:
    """Fit all people. `is_scale_fixed` keeps the scene's scale (calibrated cameras); else statures decide it.

    `masks`, all people's pixels per view, are used where given.
    """
    log_scale = 0.0 if is_scale_fixed else float(np.log(first_scale(body, people, config)))
    started = [_start(body, cameras, person, log_scale=log_scale, config=config, on_step=on_step) for person in people]
    problem = _joined([alone for alone, _ in started], is_scale_fixed=is_scale_fixed)
    x = np.concatenate([[log_scale], *(own[SHARED:] for _, own in started)])
    x = minimise(problem, x, iterations=config.iterations // 2, on_step=on_step)
    free_gaps = lowest_points(problem, x)
    problem = _standing(problem, x)
    x = minimise(problem, x, iterations=config.iterations // 2, on_step=on_step)
    for _ in range(config.outline_rounds if len(masks) else 0):
        problem = _outlined(_standing(problem, x), x, masks)
        x = minimise(problem, x, iterations=config.outline_iterations, on_step=on_step)
    return _result(problem, x, free_gaps)


def lowest_points(problem: BodyProblem, x: Float[ndarray, "unknowns"]) -> Float[ndarray, "persons 2"]:
    """Height of every foot's lowest point."""
    state = problem.state(x, with_jacobian=False)
    return np.stack([state.soles(p)[0][:, 2].reshape(2, 4).min(1) for p in range(len(problem.people))])


def _standing(problem: BodyProblem, x: ndarray) -> BodyProblem:
    """The problem with the floor, and the feet near it held to it."""
    return replace(problem, stands=lowest_points(problem, x) < problem.config.floor_gate_m, keeps_floor=True)


def _outlined(problem: BodyProblem, x: ndarray, masks: Sequence[ndarray]) -> BodyProblem:
    """The problem with the outline's matches as they are at `x`."""
    skin = PointTable.of(problem.body.skin)
    posed = [
        pose_points(problem.body, skin, x[problem.span(p)], root, with_jacobian=False)[0] for p, root in enumerate(problem.root)
    ]
    scale = Similarity(scale=float(np.exp(x[0])), R=np.eye(3), t=np.zeros(3))
    outlines = match_outlines(
        posed, problem.body.faces, transform_cameras(problem.cameras, scale), masks,
        seen=[person.view for person in problem.people], reach_m=problem.config.outline_reach_m,
        left_out=np.concatenate([problem.body.parts["left_hand"], problem.body.parts["right_hand"]]),
    )  # fmt: skip
    fixed = body_points(problem.body)
    tracked = tuple(fixed.joined(skin.subset(matches.vertex)) for matches in outlines)
    return replace(problem, outlines=tuple(outlines), tracked=tracked)


def body_points(body: SmplxFormatBody) -> PointTable:
    """Keypoints, then soles."""
    return PointTable.of(body.keypoint_points).joined(PointTable.of(body.sole_points))


def stature_prior(person: PersonObservations, config: FitConfig) -> tuple[float, float]:
    """Expected stature and its spread [m]."""
    if person.stature_m is None:
        return config.stature_prior_m, config.stature_sigma_m
    return person.stature_m, config.given_stature_sigma_m


def first_scale(body: SmplxFormatBody, people: Sequence[PersonObservations], config: FitConfig) -> float:
    """Ratio of the bodies' bones to the skeletons' (median over all bones of all people); nan where no bone is known."""
    ratios = []
    for person in people:
        betas = body.betas_of_stature(stature_prior(person, config)[0])
        rest = body.keypoints(betas, np.zeros((55, 3)), np.zeros(3))
        for a, b in SPANS:
            i, j = KEYPOINTS.index(a), KEYPOINTS.index(b)
            ratios.append(np.linalg.norm(rest[i] - rest[j]) / np.linalg.norm(person.skeleton[i] - person.skeleton[j]))
    known = np.array(ratios)[np.isfinite(ratios)]
    return float(np.median(known)) if len(known) else np.nan


def _start(
    body: SmplxFormatBody, cameras: Cameras, person: PersonObservations, *, log_scale: float,
    config: FitConfig, on_step: Callable[[], None],
) -> tuple[BodyProblem, Float[ndarray, "unknowns"]]:  # fmt: skip
    """The best of several starts for one person at a fixed scale: two postures, facing either way.

    Facing both ways, because a skeleton from few views may be reflected in depth.
    """
    scaled = person.skeleton * np.exp(log_scale)
    best: tuple[float, BodyProblem, ndarray] | None = None
    for posture in STARTS:
        dofs = anatomy().posture(**posture)
        root, transl = _place(body, dofs, scaled)
        for turn in (0.0, np.pi):
            problem = BodyProblem(
                body=body, cameras=cameras, people=(person,), config=config, root=(rotation_about_z(turn) @ root)[None],
                sigma_px=(_sigma_px(cameras, person, transl, log_scale, config),), is_scale_fixed=True,
                stands=np.zeros((1, 2), bool), tracked=(body_points(body),), uses_views=False,
            )  # fmt: skip
            fixed = _FixedScale(problem=problem, log_scale=log_scale)
            x = np.concatenate([[log_scale], np.zeros(3), transl, dofs, np.zeros(BETAS)])
            x = minimise(fixed, x, iterations=config.start_iterations, tolerance=1e-3, on_step=on_step)
            problem = replace(problem, uses_views=True)
            fixed = _FixedScale(problem=problem, log_scale=log_scale)
            x = minimise(fixed, x, iterations=config.start_iterations, tolerance=1e-3, on_step=on_step)
            cost = total_cost(fixed, x)
            if best is None or cost < best[0]:
                best = (cost, problem, x)
    assert best is not None
    return best[1], best[2]


@dataclass(frozen=True, kw_only=True)
class _FixedScale:
    """A problem whose log scale rests at a value."""

    problem: BodyProblem
    log_scale: float

    @property
    def low(self) -> ndarray:
        return np.concatenate([[self.log_scale], self.problem.low[SHARED:]])

    @property
    def high(self) -> ndarray:
        return np.concatenate([[self.log_scale], self.problem.high[SHARED:]])

    def rows(self, unknowns: ndarray, *, with_jacobian: bool) -> list[Rows]:
        return self.problem.rows(unknowns, with_jacobian=with_jacobian)


def _place(body: SmplxFormatBody, dofs: ndarray, skeleton: Float[ndarray, "21 3"]) -> tuple[ndarray, ndarray]:
    """Root rotation and translation that lay a posture onto a skeleton; the torso counts most."""
    pose = np.zeros((55, 3))
    pose[: len(BODY_JOINTS)] = axis_angle_from_matrix(anatomy().rotations(dofs))
    source = body.keypoints(np.zeros(BETAS), pose, np.zeros(3))
    finite = np.isfinite(skeleton).all(1)
    torso = np.array([name.split("_")[-1] in ("shoulder", "hip") for name in KEYPOINTS])
    fit = align_points(source[finite], skeleton[finite], weights=np.where(torso, 5.0, 1.0)[finite])
    return fit.R, fit.t


def _sigma_px(
    cameras: Cameras, person: PersonObservations, transl: ndarray, log_scale: float, config: FitConfig
) -> Float[ndarray, "observations 21"]:
    """Spread of each keypoint in pixels: the keypoint's own at the person's distance, more where the detector is unsure."""
    T = cameras.T_cam_world[person.view]
    distance = np.maximum(T[:, 2, :3] @ transl + np.exp(log_scale) * T[:, 2, 3], 0.3)
    metres = np.array([KEYPOINT_SIGMA_M[name.split("_")[-1]] for name in KEYPOINTS])
    spread = np.hypot(cameras.focal_px[person.view, None] * metres / distance[:, None], config.pixel_sigma)
    return spread / np.sqrt(np.clip(person.confidence, config.min_confidence, 1.0))


def _joined(alone: Sequence[BodyProblem], *, is_scale_fixed: bool) -> BodyProblem:
    """One problem of many people from one problem each."""
    return replace(
        alone[0],
        people=tuple(problem.people[0] for problem in alone),
        root=np.concatenate([problem.root for problem in alone]),
        sigma_px=tuple(problem.sigma_px[0] for problem in alone),
        stands=np.zeros((len(alone), 2), bool),
        tracked=tuple(problem.tracked[0] for problem in alone),
        is_scale_fixed=is_scale_fixed,
    )


def _result(problem: BodyProblem, x: ndarray, free_gaps: ndarray) -> FittedPeople:
    state = problem.state(x, with_jacobian=False)
    bodies = []
    for p, person in enumerate(problem.people):
        unknowns = Unknowns.of(x[problem.span(p)])
        pose = np.zeros((55, 3))
        pose[: len(BODY_JOINTS)] = axis_angle_from_matrix(unknowns.rotations(problem.root[p]))
        bodies.append(
            FittedBody(
                person=person.person,
                betas=unknowns.betas,
                pose=pose,
                transl=unknowns.transl,
                keypoints=state.keypoints(p)[0],
                soles=state.soles(p)[0].reshape(2, 4, 3),
                stands=problem.stands[p],
                free_gap_m=free_gaps[p],
            )
        )
    return FittedPeople(scale=float(np.exp(x[0])), bodies=tuple(bodies))
