"""Motions of who stands beside a thing: a foot on a stool, hands on a table or on a chair's back. The person looks along -Y."""

from dataclasses import replace

import numpy as np

from hsimul3r.benchmark.posing.keyposes import Arm, KeyPose, Leg
from hsimul3r.benchmark.posing.motions_plan import Anchor, Hold, Key, MotionPlan, Stance, ThighRest
from hsimul3r.benchmark.posing.motions_stage import FOREVER_S, HANGING, SIDES, UNDER_TOP_M, Stage

STANDING_LEG = Leg(hip=3, abduct=4, turn=8, knee=6, ankle=3)


def foot_on_stool(stage: Stage) -> MotionPlan:
    """A foot goes onto a low stool, the hand of its side onto the thigh, and both come back."""
    top = stage.surfaces("top")[0]
    edge, height, size = float(top.centre[1] + top.size_m[1] / 2), float(top.centre[2]), stage.size
    t = stage.times(0.0, 0.75, 1.75, 2.6, 3.5, 4.25)
    side, sign = SIDES[int(stage.rng.integers(2))]
    other = SIDES[0] if side == "right" else SIDES[1]
    y = edge + stage.around(0.30, 0.02) * size
    floor = {name: (s * 0.10 * size, y, 0.0) for name, s in SIDES}
    up = (sign * 0.07 * size, edge - 0.02 * size, height)
    name = stage.furniture[0].name
    stances = (
        Stance(side=other[0], start_s=0.0, end_s=FOREVER_S, place_m=floor[other[0]], yaw_deg=10),
        Stance(side=side, start_s=0.0, end_s=t[1], place_m=floor[side], yaw_deg=8),
        Stance(side=side, start_s=t[2], end_s=t[3], place_m=up, yaw_deg=6, target=name),
        Stance(side=side, start_s=t[4], end_s=FOREVER_S, place_m=floor[side], yaw_deg=8),
    )
    stand, shifted, raised = _stand(stage), _on_one_leg(sign), _foot_up(stage, sign, height)
    over = tuple(np.array(floor[other[0]]) * (0.75, 1, 0) + (0, -0.05 * size, 0.885 * size))
    middle = (0.0, y - 0.03 * size, 0.89 * size)
    places = (middle, over, (over[0] * 0.8, over[1] - 0.03, over[2]), (over[0] * 0.8, over[1] - 0.03, over[2]), over, middle)
    poses = (stand, shifted, raised, raised, shifted, stand)
    return MotionPlan(
        betas=stage.betas,
        duration_s=t[-1] + 0.15,
        objects=(stage.standing(),),
        keys=tuple(Key(time_s=moment, pose=pose, pelvis_m=place) for moment, pose, place in zip(t, poses, places)),
        stances=stances,
        thigh_rests=(ThighRest(side=side, start_s=t[2] + 0.1, end_s=t[3] - 0.1),),
        lift_m={side: 0.07},
    )


def lean_on_table(stage: Stage) -> MotionPlan:
    """Both hands go to a table top, the weight follows for a while, and comes back."""
    height, spread = float(stage.surfaces("top")[0].centre[2]), stage.around(0.25, 0.04)
    front = -1.0 if stage.furniture[0].category == "desk" else 1.0
    edge = front * stage.edge_y(spread, height - UNDER_TOP_M, side=front)
    plan = _lean(stage, edge - stage.around(0.11, 0.02), edge, height, spread_m=spread, palm_m=0.03)
    return plan if front > 0 else replace(plan, objects=(stage.standing(yaw_deg=180.0),))


def lean_on_chair_back(stage: Stage) -> MotionPlan:
    """Both hands go to the upper edge of a chair's back, from behind, and come back."""
    rail = stage.surfaces("rail")[0]
    y, height = float(rail.centre[1]), float(rail.centre[2])
    return _lean(stage, y + 0.065, y + 0.10, height, spread_m=min(0.15, rail.size_m[0] / 2 - 0.04), palm_m=0.035)


def _lean(stage: Stage, hands_y: float, edge: float, height: float, *, spread_m: float, palm_m: float) -> MotionPlan:
    """Hands at x = -+ `spread_m`, wrists at `hands_y`; the feet stand behind `edge`."""
    size, name = stage.size, stage.furniture[0].name
    t = stage.times(0.1, 1.0, 1.7, 2.5, 3.2, 4.1)
    y = edge + stage.around(0.38, 0.03) * size
    stances = tuple(
        Stance(side=side, start_s=0, end_s=FOREVER_S, place_m=(s * 0.12 * size, y, 0.0), yaw_deg=9) for side, s in SIDES
    )
    lower = 0.95 * size - height
    stand, touch = _stand(stage), _hands_down(lower, 0.0)
    lean = _hands_down(lower, 1.0)
    keys = [Key(time_s=moment, pose=pose) for moment, pose in zip(t, (stand, touch, lean, lean, touch, stand))]
    holds = [Hold(part=f"{side}_hand", target=name, start_s=t[1], end_s=t[4], count=8, stays=True) for side, _ in SIDES]
    anchors = [
        Anchor(
            joint=f"{side}_wrist",
            place_m=(s * spread_m, hands_y, height + palm_m + 0.02),
            start_s=t[1],
            end_s=t[4],
            is_wish=True,
        )
        for side, s in SIDES
    ]
    return MotionPlan(
        betas=stage.betas,
        duration_s=t[-1] + 0.15,
        objects=(stage.standing(),),
        keys=tuple(keys),
        stances=stances,
        holds=tuple(holds),
        anchors=tuple(anchors),
    )


def _stand(stage: Stage) -> KeyPose:
    return KeyPose(
        left_leg=STANDING_LEG,
        right_leg=STANDING_LEG,
        left_arm=HANGING,
        right_arm=replace(HANGING, flex=HANGING.flex + 2),
        pitch=2,
        spine=4,
        head_down=stage.around(8, 5),
        head_left=stage.around(0, 8),
    )


def _hands_down(lower: float, weight: float) -> KeyPose:
    """Bent forward with flat hands `lower` metres below the shoulders' height less 0.45 m; more so with `weight`."""
    pitch = float(np.clip(16 + 40 * lower, 8, 34)) + 6 * weight
    leg = Leg(hip=pitch + 5, abduct=5, turn=8, knee=8, ankle=4)
    arm = Arm(flex=44, lower=74, turn=10, elbow=14, pronate=72, extend=55, curl=3)
    return KeyPose(left_leg=leg, right_leg=leg, left_arm=arm, right_arm=arm, pitch=pitch, spine=12, head_down=-10)


def _on_one_leg(sign: int) -> KeyPose:
    """Weight on one leg; `sign` is 1 where the left leg is free."""
    free = Leg(hip=14, abduct=4, turn=6, knee=22, ankle=8)
    legs = (free, STANDING_LEG) if sign > 0 else (STANDING_LEG, free)
    return KeyPose(left_leg=legs[0], right_leg=legs[1], left_arm=HANGING, right_arm=HANGING, pitch=3, spine=4, head_down=14)


def _foot_up(stage: Stage, sign: int, height: float) -> KeyPose:
    """One foot on a thing of a height, the hand of its side on the thigh."""
    bend = np.degrees(np.arccos(np.clip(1 - height / (stage.thigh_m + stage.shin_m), 0, 1))) * 1.5
    free = Leg(hip=bend, abduct=6, turn=6, knee=bend * 1.1, ankle=8)
    resting, hanging = Arm(flex=36, lower=76, elbow=42, pronate=70), replace(HANGING, lower=84)
    legs, arms = ((free, STANDING_LEG), (resting, hanging)) if sign > 0 else ((STANDING_LEG, free), (hanging, resting))
    return KeyPose(
        left_leg=legs[0], right_leg=legs[1], left_arm=arms[0], right_arm=arms[1], pitch=4, spine=8, head_down=10,
    )  # fmt: skip
