"""Bodies of all people at one moment, fitted to their keypoints in every view, with one common metric scale of the scene.

A maximum a posteriori estimate by Levenberg-Marquardt over, per person, root turn, translation, anatomical coordinates
(anatomy.py) and betas, and over the log of the scene's scale. Terms: reprojection of 21 keypoints (robust), monocular bone
directions (weak), the outline in people's masks, natural posture, shape, stature, and the floor. Joint limits are bounds,
never exceeded.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from hsimul3r.artifacts import Cameras
from hsimul3r.body.anatomy import anatomy
from hsimul3r.body.derivatives import BETAS, PointTable, Unknowns, pose_points
from hsimul3r.body.model import SmplxFormatBody
from hsimul3r.body.outline import match_outlines
from hsimul3r.body.problem import LIMBS, SHARED, BodyProblem, FitConfig, PersonObservations, body_points, stature_prior
from hsimul3r.body.solver import minimise, total_cost
from hsimul3r.conventions import BODY_JOINTS, KEYPOINTS
from hsimul3r.geometry.alignment import Similarity, align_points
from hsimul3r.geometry.cameras import transform_cameras
from hsimul3r.geometry.rotations import axis_angle_from_matrix, rotation_about_z

KEYPOINT_SIGMA_M = {
    "nose": 0.015, "eye": 0.015, "ear": 0.03, "shoulder": 0.025, "elbow": 0.025, "wrist": 0.025, "hip": 0.035, "knee": 0.025,
    "ankle": 0.025, "heel": 0.03, "toe": 0.03,
}  # fmt: skip
"""Spread of a detector's keypoints about the body's, by their kind: size of the joint, clothing, annotators' habit."""
SPANS = (*LIMBS[:4], *LIMBS[5:9], ("left_shoulder", "left_hip"), ("right_shoulder", "right_hip"))
"""Bones whose length gives the first guess of the scale."""
STARTS = (
    {},
    {f"{side}_{joint}": angle for side in ("left", "right") for joint, angle in (("hip_x", -80.0), ("knee_x", 85.0))},
)
"""Postures to start from: standing and sitting."""


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


def fit_bodies(
    body: SmplxFormatBody,
    cameras: Cameras,
    people: Sequence[PersonObservations],
    *,
    is_scale_fixed: bool,
    masks: Sequence[Bool[ndarray, "height width"]] = (),
    config: FitConfig = FitConfig(),  # noqa: B008 (frozen)
    on_step: Callable[[], None] = lambda: None,
) -> FittedPeople:
    """Fit all people. `is_scale_fixed` keeps the scene's scale (calibrated cameras); else statures decide it.

    `masks`, all people's pixels per view, are used where given.
    """
    log_scale = 0.0 if is_scale_fixed else float(np.log(first_scale(body, people, config)))
    started = [_start(body, cameras, person, log_scale=log_scale, config=config, on_step=on_step) for person in people]
    problem = _joined([alone for alone, _ in started], fixed_log_scale=0.0 if is_scale_fixed else None)
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
    )  # fmt: skip
    fixed = body_points(problem.body)
    tracked = tuple(fixed.joined(skin.subset(matches.vertex)) for matches in outlines)
    return replace(problem, outlines=tuple(outlines), tracked=tracked)


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

    Facing both ways, because a skeleton from few views may be reflected in depth. Each start is fitted to the skeleton first,
    then to the views.
    """
    best, lowest = None, np.inf
    for posture in STARTS:
        dofs = anatomy().posture(**posture)
        root, transl = _place(body, dofs, person.skeleton * np.exp(log_scale))
        sigma_px = _sigma_px(cameras, person, transl, log_scale, config)
        for turn in (0.0, np.pi):
            to_views = BodyProblem(
                body=body, cameras=cameras, people=(person,), config=config, root=(rotation_about_z(turn) @ root)[None],
                sigma_px=(sigma_px,), fixed_log_scale=log_scale, stands=np.zeros((1, 2), bool), tracked=(body_points(body),),
            )  # fmt: skip
            fitted = to_views.start(log_scale, transl, dofs)
            for problem in (replace(to_views, uses_views=False), to_views):
                fitted = minimise(problem, fitted, iterations=config.start_iterations, tolerance=1e-3, on_step=on_step)
            cost = total_cost(to_views, fitted)
            if best is None or cost < lowest:
                best, lowest = (to_views, fitted), cost
    assert best is not None
    return best


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


def _joined(alone: Sequence[BodyProblem], *, fixed_log_scale: float | None) -> BodyProblem:
    """One problem of many people from one problem each."""
    return replace(
        alone[0],
        people=tuple(problem.people[0] for problem in alone),
        root=np.concatenate([problem.root for problem in alone]),
        sigma_px=tuple(problem.sigma_px[0] for problem in alone),
        stands=np.zeros((len(alone), 2), bool),
        tracked=tuple(problem.tracked[0] for problem in alone),
        fixed_log_scale=fixed_log_scale,
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
