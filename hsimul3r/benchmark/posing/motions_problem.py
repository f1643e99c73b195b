"""A motion plan on given moments as arrays: which point must be where in which frame."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from scipy.interpolate import PchipInterpolator
from scipy.spatial.transform import Rotation

from hsimul3r.benchmark.posing.motions_body import Chain, LinearPoints, MotionBody, joint_point, motion_body
from hsimul3r.benchmark.posing.motions_distance import ANYWHERE, PlanePieces
from hsimul3r.benchmark.posing.motions_plan import FLOOR, Anchor, Hold, MotionPlan, Stance
from hsimul3r.benchmark.posing.skin import SkinSamples
from hsimul3r.body.derivatives import COUNT
from hsimul3r.conventions import SMPLX_JOINTS
from hsimul3r.geometry.rotations import axis_angle_from_matrix, matrix_from_axis_angle, rotation_about_z

SIDES = ("left", "right")
FACING = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
"""T-pose to world of a body that looks along -Y."""
FPS = 30.0
STANCE_SIGMA_M = 0.0001
HEEL_SIGMA_M = 0.03
SWING_SIGMA_M = 0.012
WISH_SIGMA_M = 0.05
THIGHS = ("left_thigh", "right_thigh")
ARMS = ("left_elbow", "right_elbow", "left_wrist", "right_wrist")
NOT_DOWN, UP = -0.3, 0.2
"""Normals by which an arm may leave a thing that it is inside of, and a thigh the seat that it lies on: more z than that."""
SEATED, SETTLING_S = ("pelvis", "left_hip", "right_hip"), 0.35
"""What comes to a seat from above, and for how long before and after it sits."""
ON_SEAT = 0.3
"""Share of a thigh's length, from the hip, behind which only a seat's upper side counts."""


@dataclass(frozen=True, kw_only=True)
class Targets:
    """Points with wanted places: residual (x - place) / sigma, along the world axes with finite sigma."""

    frame: Int[ndarray, "rows"]
    points: LinearPoints
    place: Float[ndarray, "rows 3"]
    sigma: Float[ndarray, "rows 3"]


@dataclass(frozen=True, kw_only=True)
class Problem:
    """The moments, the reference and all that is held. `dt` is None where the frames are unrelated key poses."""

    plan: MotionPlan
    body: MotionBody
    times: Float[ndarray, "frames"]
    dt: float | None
    psi: Float[ndarray, "frames 22 3"]
    root: Float[ndarray, "frames 3"]
    pieces: tuple[PlanePieces, ...]
    T_plan_object: tuple[Float[ndarray, "frames 4 4"], ...]
    samples: SkinSamples
    least_z: tuple[Float[ndarray, "frames samples"], ...]
    """Per object, how the samples may leave it."""
    targets: Targets
    holds: tuple[tuple[Hold, int, Int[ndarray, "frames"]], ...]
    """Each with the index of its object and its frames."""
    bearing: tuple[Float[ndarray, "points 3"], ...]
    """Per frame, the sole points that stand on something that does not move."""

    @property
    def frames(self) -> int:
        return len(self.times)


def subject(plan: MotionPlan) -> MotionBody:
    """The body of the plan, its coordinates measured from the mean of the key poses, its fingers bent as in that mean."""
    keys = np.stack([key.pose.axis_angles() for key in plan.keys])
    base = np.stack([Rotation.from_rotvec(keys[:, j]).mean().as_matrix() for j in range(COUNT)])
    return motion_body(plan.betas, keys[:, COUNT:].mean(0), base)


def key_problem(plan: MotionPlan, body: MotionBody) -> Problem:
    """The key poses as unrelated frames, the pelvis over the feet that stand."""
    keys = np.stack([key.pose.axis_angles()[:COUNT] for key in plan.keys])
    psi = axis_angle_from_matrix(matrix_from_axis_angle(keys) @ body.base.swapaxes(1, 2))
    times = np.array([key.time_s for key in plan.keys])
    root = _roots_over_feet(plan, body, times, psi)
    return _problem(plan, body, times, None, psi, root)


def settled(keys: Problem, chain: Chain) -> MotionPlan:
    """The plan with its wishes replaced by the mean places that the solved key poses found."""
    anchors = []
    for anchor in keys.plan.anchors:
        near = active(anchor.start_s, anchor.end_s, keys.times)
        if anchor.is_wish and near.any():
            found = chain.p[near, SMPLX_JOINTS.index(anchor.joint)].mean(0)
            x, y, z = np.where(np.isnan(anchor.place_m), np.nan, found)
            anchor = replace(anchor, place_m=(float(x), float(y), float(z)), is_wish=False)
        anchors.append(anchor)
    return replace(keys.plan, anchors=tuple(anchors))


def settled_problem(keys: Problem, psi: ndarray, root: ndarray) -> Problem:
    """Solved key poses once more, with the places that they found."""
    plan = settled(keys, keys.body.chain(psi, root))
    return _problem(plan, keys.body, keys.times, None, psi, root)


def path_problem(plan: MotionPlan, body: MotionBody, psi: ndarray, root: ndarray) -> Problem:
    """All frames, with a reference interpolated monotonically through the solved keys, at rest at both ends."""
    times = np.arange(round(plan.duration_s * FPS) + 1) / FPS
    knots = np.array([key.time_s for key in plan.keys])
    state = np.concatenate([psi.reshape(len(psi), -1), root], axis=1)
    if knots[0] > 0:
        knots, state = np.append(0.0, knots), np.concatenate([state[:1], state])
    knots = np.concatenate([[knots[0] - 1], knots, [knots[-1] + 1]])
    state = np.concatenate([state[:1], state, state[-1:]])
    path = PchipInterpolator(knots, state)(times)
    return _problem(plan, body, times, 1 / FPS, path[:, :-3].reshape(-1, COUNT, 3), path[:, -3:])


def foot_place(body: MotionBody, stance: Stance) -> Float[ndarray, "4 3"]:
    """Where the sole points of a standing foot are: as in the T-pose, the lowest skin of the foot on the ground."""
    side = SIDES.index(stance.side)
    ankle = body.rest[7 + side]
    points = body.soles.moments[4 * side : 4 * side + 4].sum(1) - np.array([ankle[0], _ground(body, stance.side), ankle[2]])
    turn = rotation_about_z(np.radians(stance.yaw_deg * (1 if side == 0 else -1)))
    return points @ (turn @ FACING).T + np.asarray(stance.place_m)


def _problem(plan: MotionPlan, body: MotionBody, times: ndarray, dt: float | None, psi: ndarray, root: ndarray) -> Problem:
    samples = SkinSamples.of(body.model.faces)
    fps_index = [np.minimum(np.round(times * FPS).astype(int), len(item.T_plan_object) - 1) for item in plan.objects]
    names = [item.name for item in plan.objects]
    points = body.skin.mean(samples.index, samples.weight)
    return Problem(
        plan=plan,
        body=body,
        times=times,
        dt=dt,
        psi=psi,
        root=root,
        pieces=tuple(PlanePieces.of(item.furniture) for item in plan.objects),
        T_plan_object=tuple(item.T_plan_object[index] for item, index in zip(plan.objects, fps_index)),
        samples=samples,
        least_z=tuple(_ways_out(plan, body, points, name, times) for name in names),
        targets=_targets(plan, body, times),
        holds=tuple(
            (hold, names.index(hold.target), np.flatnonzero(active(hold.start_s, hold.end_s, times))) for hold in plan.holds
        ),
        bearing=tuple(_standing(plan, body, time) for time in times),
    )


def _ways_out(
    plan: MotionPlan, body: MotionBody, samples: LinearPoints, target: str, times: ndarray
) -> Float[ndarray, "frames samples"]:
    """Arms leave things upwards or sideways, and so do hips that sit down; thighs that lie on a seat leave it upwards."""
    least = np.tile(np.where(samples.mostly_on(ARMS), NOT_DOWN, ANYWHERE), (len(times), 1))
    for hold in plan.holds:
        if hold.target == target and hold.part == "buttocks":
            near = active(hold.start_s - SETTLING_S, hold.end_s + SETTLING_S, times)
            least[np.ix_(near, samples.mostly_on(SEATED))] = NOT_DOWN
            seated = active(hold.start_s, hold.end_s, times)
            least[np.ix_(seated, _front_of_thighs(body, samples))] = UP
    return least


def _front_of_thighs(body: MotionBody, samples: LinearPoints) -> Bool[ndarray, "samples"]:
    """Which samples lie on a thigh, away from its hip."""
    is_front = np.zeros(len(samples.weights), bool)
    for side in SIDES:
        hip, knee = (body.rest[SMPLX_JOINTS.index(f"{side}_{name}")] for name in ("hip", "knee"))
        along = (samples.moments.sum(1) - hip) @ (knee - hip) / np.sum((knee - hip) ** 2)
        is_front |= (along > ON_SEAT) & samples.mostly_on((f"{side}_hip",))
    return is_front


def active(start_s: float, end_s: float, times: Float[ndarray, "frames"]) -> Bool[ndarray, "frames"]:
    """Which moments lie in an interval, its ends included."""
    return (times > start_s - 1e-6) & (times < end_s + 1e-6)


def _roots_over_feet(plan: MotionPlan, body: MotionBody, times: ndarray, psi: ndarray) -> Float[ndarray, "frames 3"]:
    """Where the pelvis is when the ankles are where their feet stand (the mean of both), or where the key says."""
    ankles = body.chain(psi, np.zeros((len(psi), 3))).p[:, 7:9]
    roots = np.zeros((len(psi), 3))
    for k, key in enumerate(plan.keys):
        if key.pelvis_m is not None:
            roots[k] = key.pelvis_m
            continue
        standing = [stance for stance in plan.stances if active(stance.start_s, stance.end_s, times[k : k + 1])[0]]
        rise = {side: body.rest[7 + i][1] - _ground(body, side) for i, side in enumerate(SIDES)}
        offsets = [s.place_m + np.array([0, 0, rise[s.side]]) - ankles[k, SIDES.index(s.side)] for s in standing]
        roots[k] = np.mean(offsets, axis=0)
    return roots


def _ground(body: MotionBody, side: str) -> float:
    """Height of the lowest skin of a foot in the T-pose."""
    return float(body.skin.moments[body.model.parts[f"{side}_foot"]].sum(1)[:, 1].min())


def _targets(plan: MotionPlan, body: MotionBody, times: ndarray) -> Targets:
    """Standing soles, lifted soles on their way, anchored joints."""
    parts = [_stance_targets(body, stance, times) for stance in plan.stances]
    for before, after in _swings(plan.stances):
        parts.append(_swing_targets(plan, body, before, after, times))
    parts += [_anchor_targets(plan, body, anchor, times) for anchor in plan.anchors]
    return joined(parts)


def joined(parts: Sequence[Targets]) -> Targets:
    """Several targets as one."""
    return Targets(
        frame=np.concatenate([part.frame for part in parts]),
        points=LinearPoints(
            weights=np.concatenate([part.points.weights for part in parts]),
            moments=np.concatenate([part.points.moments for part in parts]),
        ),
        place=np.concatenate([part.place for part in parts]),
        sigma=np.concatenate([part.sigma for part in parts]),
    )


def _stance_targets(body: MotionBody, stance: Stance, times: ndarray) -> Targets:
    place, side = foot_place(body, stance), SIDES.index(stance.side)
    flat = active(stance.start_s, stance.end_s, times)
    frame, point = np.nonzero(np.repeat(flat[:, None], 4, axis=1))
    sigma = np.where(_bears(stance, times), STANCE_SIGMA_M, HEEL_SIGMA_M)[frame, point]
    return Targets(
        frame=frame, points=body.soles[4 * side + point], place=place[point], sigma=np.repeat(sigma[:, None], 3, axis=1)
    )


def _bears(stance: Stance, times: ndarray) -> Bool[ndarray, "frames 4"]:
    """Which sole points stay: all, without a heel that is free."""
    stays = np.ones((len(times), 4), bool)
    if stance.heel_free_s is not None:
        stays[active(*stance.heel_free_s, times), 0] = False
    return stays


def _swings(stances: tuple[Stance, ...]) -> list[tuple[Stance, Stance]]:
    """Stances of one foot that follow each other."""
    pairs = []
    for side in SIDES:
        own = sorted((stance for stance in stances if stance.side == side), key=lambda stance: stance.start_s)
        pairs += list(itertools.pairwise(own))
    return pairs


def _swing_targets(plan: MotionPlan, body: MotionBody, before: Stance, after: Stance, times: ndarray) -> Targets:
    """The sole on a minimum-jerk way from one place to the next, level and lifted in between."""
    frame = np.flatnonzero((times > before.end_s + 1e-6) & (times < after.start_s - 1e-6))
    share = (times[frame] - before.end_s) / (after.start_s - before.end_s)
    first, last = foot_place(body, before), foot_place(body, after)
    rise = float(np.sign(after.place_m[2] - before.place_m[2]))
    along = minimum_jerk(_within(share, max(0.0, 0.4 * rise), 1 + min(0.0, 0.4 * rise)))
    upward = minimum_jerk(_within(share, max(0.0, -0.4 * rise), 1 - max(0.0, 0.4 * rise)))
    place = first + np.stack([along, along, upward], 1)[:, None] * (last - first)
    place[..., 2] += (plan.lift_m.get(before.side, 0.05) * 64 * (share * (1 - share)) ** 3)[:, None]
    side = SIDES.index(before.side)
    return Targets(
        frame=np.repeat(frame, 4),
        points=body.soles[np.tile(np.arange(4 * side, 4 * side + 4), len(frame))],
        place=place.reshape(-1, 3),
        sigma=np.full((4 * len(frame), 3), SWING_SIGMA_M),
    )


def _within(share: Float[ndarray, "n"], start: float, end: float) -> Float[ndarray, "n"]:
    """How far between two shares: onto a step a foot rises first and goes ahead last, down from it the reverse."""
    return np.clip((share - start) / (end - start), 0.0, 1.0)


def _anchor_targets(plan: MotionPlan, body: MotionBody, anchor: Anchor, times: ndarray) -> Targets:
    frame = np.flatnonzero(active(anchor.start_s, anchor.end_s, times))
    place = np.tile(np.asarray(anchor.place_m, float), (len(frame), 1))
    is_free = np.isnan(place)
    place = np.nan_to_num(place)
    if anchor.target != FLOOR:
        T = next(item.T_plan_object for item in plan.objects if item.name == anchor.target)
        T = T[np.minimum(np.round(times[frame] * FPS).astype(int), len(T) - 1)]
        place = np.einsum("fxy,fy->fx", T[:, :3, :3], place) + T[:, :3, 3]
    points = joint_point(body, anchor.joint)[np.zeros(len(frame), int)]
    sigma_m = WISH_SIGMA_M if anchor.is_wish else anchor.sigma_m
    return Targets(frame=frame, points=points, place=place, sigma=np.where(is_free, np.inf, sigma_m))


def minimum_jerk(share: Float[ndarray, "n"]) -> Float[ndarray, "n"]:
    """The way from 0 to 1 of least jerk, at rest at both ends."""
    return share**3 * (10 - 15 * share + 6 * share**2)


def _standing(plan: MotionPlan, body: MotionBody, time: float) -> Float[ndarray, "points 3"]:
    """Sole points that bear weight at a moment."""
    moment = np.array([time])
    standing = [stance for stance in plan.stances if active(stance.start_s, stance.end_s, moment)[0]]
    points = [foot_place(body, stance)[_bears(stance, moment)[0]] for stance in standing]
    return np.concatenate(points) if points else np.zeros((0, 3))
