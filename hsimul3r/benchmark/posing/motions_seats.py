"""Sitting down, standing up, and what people do while they sit."""

from dataclasses import replace

import numpy as np

from hsimul3r.benchmark.posing.keyposes import Arm, KeyPose, Leg
from hsimul3r.benchmark.posing.motions_plan import Hold, Key, MotionPlan, Stance, ThighRest
from hsimul3r.benchmark.posing.motions_stage import Stage

HANGING = Arm(flex=4, lower=74, turn=0, elbow=14, pronate=15)
FORWARD = Arm(flex=40, lower=74, elbow=34, pronate=40)
ON_THIGH = Arm(flex=22, lower=76, elbow=54, pronate=70)


def sit_down(stage: Stage) -> MotionPlan:
    """From standing in front of a seat to sitting on it, hands on the thighs."""
    seat = stage.rng.choice(np.array(stage.surfaces("seat"), dtype=object))
    pace = stage.around(1.0, 0.15)
    front = seat.centre[1] - seat.size_m[1] / 2
    ankle_y = front - 0.04 * stage.size
    pelvis = float(seat.centre[0]), ankle_y + 0.33 * stage.size, float(seat.centre[2]) + 0.10 * stage.size
    stances = tuple(
        Stance(side=side, start_s=0, end_s=9, place_m=(seat.centre[0] + sign * 0.11, ankle_y, 0.0), yaw_deg=8.0)
        for side, sign in (("left", 1), ("right", -1))
    )
    times = np.array([0.0, 0.9, 1.7, 2.7]) * pace
    places = (None, None, (pelvis[0], pelvis[1] - 0.02, pelvis[2] + 0.01), pelvis)
    keys = tuple(Key(time_s=t, pose=pose, pelvis_m=place) for t, pose, place in zip(times, _sitting_down(), places))
    held = dict(target=stage.furniture[0].name, start_s=times[2], end_s=9.0)
    holds = (
        Hold(part="buttocks", count=8, **held),
        Hold(part="left_thigh", count=3, **held),
        Hold(part="right_thigh", count=3, **held),
    )
    return MotionPlan(
        betas=stage.betas,
        duration_s=float(times[-1]) + 0.3,
        objects=(stage.standing(),),
        keys=keys,
        stances=stances,
        holds=holds,
        thigh_rests=tuple(ThighRest(side=side, start_s=times[3] - 0.2, end_s=9) for side in ("left", "right")),
    )


def _sitting_down() -> tuple[KeyPose, ...]:
    stand = _symmetric(Leg(hip=3, abduct=3, turn=8, knee=5, ankle=2), HANGING, pitch=2, spine=4, head_down=6)
    lean = _symmetric(Leg(hip=75, abduct=4, turn=6, knee=62, ankle=17), FORWARD, pitch=28, spine=14, head_down=2)
    touch = _symmetric(Leg(hip=114, abduct=5, turn=6, knee=100, ankle=16), FORWARD, pitch=30, spine=24, head_down=0)
    seated = _symmetric(Leg(hip=88, abduct=7, turn=6, knee=92, ankle=8), ON_THIGH, pitch=-6, spine=2, head_down=0)
    return stand, lean, touch, seated


def _symmetric(leg: Leg, arm: Arm, **trunk: float) -> KeyPose:
    return KeyPose(left_leg=leg, right_leg=leg, left_arm=arm, right_arm=replace(arm, flex=arm.flex + 2), **trunk)
