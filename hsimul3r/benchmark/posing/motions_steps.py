"""Motions with steps: pushing a cart, climbing onto a ladder's first tread."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from hsimul3r.benchmark.posing.keyposes import Arm, KeyPose, Leg
from hsimul3r.benchmark.posing.motions_plan import Anchor, Hold, Key, MotionPlan, PlanObject, Stance
from hsimul3r.benchmark.posing.motions_problem import FPS, minimum_jerk
from hsimul3r.benchmark.posing.motions_stage import FOREVER_S, HANGING, SIDES, Stage

GRIP = Arm(flex=28, lower=76, elbow=58, pronate=72, extend=20, curl=18)
PUSHING_LEG = Leg(hip=10, abduct=3, turn=4, knee=14, ankle=8)


def push_cart(stage: Stage) -> MotionPlan:
    """Three short steps behind a cart, both hands on its handle; the cart rolls ahead along -Y."""
    handle, size, name = stage.surfaces("handle")[0], stage.size, stage.furniture[0].name
    t = stage.times(0.45, 1.25, 2.05, 2.85, 3.4)
    step = stage.around(0.26, 0.03) * size
    y = float(handle.centre[1]) + stage.around(0.34, 0.02) * size
    first = int(stage.rng.integers(2))
    (lead, lead_sign), (trail, trail_sign) = SIDES[first], SIDES[1 - first]
    x = 0.085 * size
    both = 0.12
    stances = []
    for side, sign, moves in ((lead, lead_sign, (0, 2)), (trail, trail_sign, (1,))):
        starts = [0.0] + [t[m + 1] - both for m in moves]
        ends = [t[m] + both for m in moves] + [FOREVER_S]
        place = [0.0, *((1.0, 2.0) if side == lead else (2.0,))]
        stances += [
            Stance(side=side, start_s=a, end_s=b, place_m=(sign * x, y - step * p, 0.0), yaw_deg=5)
            for a, b, p in zip(starts, ends, place)
        ]
    moments = [0.0, t[0], (t[0] + t[1]) / 2, t[1], (t[1] + t[2]) / 2, t[2], (t[2] + t[3]) / 2, t[3], t[4]]
    T = _rolling(t[0] - 0.3, t[3] + 0.2, 2 * step, t[4] + 0.2)
    way_at = np.interp(moments, np.arange(len(T)) / FPS, -T[:, 1, 3])
    sway = np.array([0, -0.6, -0.8, 0, 0.8, 0, -0.8, 0, 0]) * lead_sign * 0.07 * size
    keys = tuple(
        Key(time_s=m, pose=_pushing(stage), pelvis_m=(float(s), y - 0.02 - float(w), 0.875 * size))
        for m, s, w in zip(moments, sway, way_at)
    )
    holds = tuple(Hold(part=f"{side}_hand", target=name, start_s=0, end_s=FOREVER_S, count=6, stays=True) for side, _ in SIDES)
    anchors = tuple(_wrist(side, sign, handle.centre, name) for side, sign in SIDES)
    cart = PlanObject(name=name, furniture=stage.furniture[0], T_plan_object=T)
    return MotionPlan(
        betas=stage.betas,
        duration_s=t[4] + 0.2,
        objects=(cart,),
        keys=keys,
        stances=tuple(stances),
        holds=holds,
        anchors=anchors,
        lift_m={"left": 0.06, "right": 0.06},
    )


def _wrist(side: str, sign: int, handle: Float[ndarray, "3"], target: str) -> Anchor:
    place = sign * 0.11, float(handle[1]) + 0.065, float(handle[2]) + 0.05
    return Anchor(joint=f"{side}_wrist", place_m=place, start_s=0, end_s=FOREVER_S, target=target)


def _rolling(start_s: float, end_s: float, way_m: float, duration_s: float) -> Float[ndarray, "frames 4 4"]:
    """A thing that moves along -Y, from rest to rest."""
    times = np.arange(round(duration_s * FPS) + 1) / FPS
    T = np.tile(np.eye(4), (len(times), 1, 1))
    T[:, 1, 3] = -way_m * minimum_jerk(np.clip((times - start_s) / (end_s - start_s), 0, 1))
    return T


def _pushing(stage: Stage) -> KeyPose:
    return KeyPose(
        left_leg=PUSHING_LEG, right_leg=PUSHING_LEG, left_arm=GRIP, right_arm=GRIP, pitch=8, spine=6, head_down=2,
    )  # fmt: skip


def climb_step(stage: Stage) -> MotionPlan:
    """Onto a low stool with one foot after the other."""
    top, size, name = stage.surfaces("top")[0], stage.size, stage.furniture[0].name
    edge, height = float(top.centre[1] + top.size_m[1] / 2), float(top.centre[2])
    up_y = min(edge - 0.04 * size, float(top.centre[1]) + 0.07 * size)
    return _climb(stage, stage.standing(), up_y, edge, height, name, 0.095)


def climb_ladder(stage: Stage) -> MotionPlan:
    """Onto a ladder's first tread with the balls of both feet, one after the other."""
    tread, size, name = stage.surfaces("rung")[0], stage.size, stage.furniture[0].name
    y = -float(tread.centre[1])
    ladder = stage.standing(yaw_deg=180.0)
    return _climb(stage, ladder, y + 0.11 * size, y + 0.06, float(tread.centre[2]), name, 0.09)


def _climb(stage: Stage, thing: PlanObject, up_y: float, edge: float, height: float, target: str, apart: float) -> MotionPlan:
    """Feet from the floor behind `edge` to ankles at `up_y` on a thing of a height, ankles `apart` from the middle."""
    size = stage.size
    t = stage.times(0.0, 0.7, 1.5, 2.2, 3.05, 3.75)
    first = int(stage.rng.integers(2))
    (lead, lead_sign), (trail, trail_sign) = SIDES[first], SIDES[1 - first]
    y, x = edge + 0.27 * size, apart * size
    stances = (
        Stance(side=lead, start_s=0, end_s=t[1], place_m=(lead_sign * x, y, 0.0), yaw_deg=6),
        Stance(side=trail, start_s=0, end_s=t[3], place_m=(trail_sign * x, y, 0.0), yaw_deg=6),
        Stance(side=lead, start_s=t[2], end_s=FOREVER_S, place_m=(lead_sign * x, up_y, height), yaw_deg=5, target=target),
        Stance(side=trail, start_s=t[4], end_s=FOREVER_S, place_m=(trail_sign * x, up_y, height), yaw_deg=5, target=target),
    )
    tall, ahead = 0.89 * size, 0.04 * size
    places = (
        (0.0, y - ahead, tall),
        (trail_sign * 0.8 * x, y - ahead, tall),
        (trail_sign * 0.7 * x, y - 1.5 * ahead, tall - 0.01),
        (lead_sign * 0.75 * x, up_y - 0.5 * ahead, height + 0.80 * size),
        (lead_sign * 0.6 * x, up_y - ahead, height + tall - 0.01),
        (0.0, up_y - ahead, height + tall),
    )
    up = _stepping(lead_sign, height), _stepping(lead_sign, 0.8 * height)
    poses = (_upright(0), _upright(4), *up, _upright(6), _upright(0))
    return MotionPlan(
        betas=stage.betas,
        duration_s=t[-1] + 0.2,
        objects=(thing,),
        keys=tuple(Key(time_s=m, pose=pose, pelvis_m=place) for m, pose, place in zip(t, poses, places)),
        stances=stances,
        lift_m={"left": 0.06, "right": 0.06},
    )


def _upright(pitch: float) -> KeyPose:
    leg, arm = Leg(hip=4 + pitch, abduct=3, turn=6, knee=8, ankle=4), replace(HANGING, elbow=22, flex=8 + pitch)
    return KeyPose(left_leg=leg, right_leg=leg, left_arm=arm, right_arm=arm, pitch=pitch, spine=5, head_down=18)


def _stepping(sign: int, height: float) -> KeyPose:
    """The left foot (sign 1) or the right one ahead on a step of a height."""
    bend = 50 + 110 * height
    up, down = Leg(hip=bend, abduct=4, turn=5, knee=bend, ankle=10), Leg(hip=2, abduct=4, turn=6, knee=12, ankle=10)
    legs = (up, down) if sign > 0 else (down, up)
    arm = replace(HANGING, elbow=30, flex=18)
    return KeyPose(left_leg=legs[0], right_leg=legs[1], left_arm=arm, right_arm=arm, pitch=12, spine=8, head_down=16)
