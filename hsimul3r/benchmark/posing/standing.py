"""Standing: hands, forearms or a foot on a piece of furniture; on a ladder's rung; perched on an edge."""

from dataclasses import replace

import numpy as np

from hsimul3r.benchmark.objects.pieces import Furniture, Surface
from hsimul3r.benchmark.posing.draft import (
    SIDES,
    SIGN,
    Build,
    Draft,
    Placed,
    Setting,
    Wishes,
    at_edge,
    both,
    key_pose,
    leg_to,
    opposite,
    put,
    widest,
)
from hsimul3r.benchmark.posing.keyposes import Arm, Leg
from hsimul3r.benchmark.posing.settle import FREE, Anchor, Outside, Sole
from hsimul3r.benchmark.posing.sitting import HANGING, Sit, gaze, laps, lay_hands, on_seat, varied
from hsimul3r.benchmark.posing.solids import edge_y

PALM = Arm(flex=30, lower=76, elbow=8, pronate=72, extend=58, curl=3)
GRIP = Arm(flex=34, lower=76, turn=8, elbow=28, pronate=74, extend=14, curl=34)
TRUNK_M = 0.50
"""From the hips to the shoulders of a person of 1.70 m."""
PALM_M = 0.03
"""Height of the wrist over a surface that the palm lies on."""


def upright_legs(
    setting: Setting,
    wishes: Wishes,
    hips: tuple[float, float],
    feet_y: float,
    *,
    pitch: float,
    apart: float = 0.11,
    bend: float = 0.985,
) -> tuple[tuple[float, float, float], dict[str, Leg]]:
    """Both feet flat on the floor around `feet_y`; the pelvis' place over `hips` (x, y) and the legs."""
    build = setting.build
    place = (hips[0], hips[1], bend * build.leg + build.hip_drop)
    legs = {}
    for side in SIDES:
        ankle = (
            hips[0] + SIGN[side] * (apart + setting.between(-0.01, 0.03)),
            feet_y + setting.between(-0.04, 0.04),
            build.ankle,
        )
        wishes.stand(side, (ankle[0], ankle[1], FREE))
        hip = (hips[0] + SIGN[side] * build.hip_x, hips[1], place[2] - build.hip_drop)
        legs[side] = leg_to(build, hip, ankle, pitch=pitch, turn=setting.between(4, 12))
    return place, legs


def bow_to(build: Build, shoulder_z: float, *, low: float, high: float) -> float:
    """How far the trunk is bent forward [deg] so that the shoulders come to a height."""
    share = (shoulder_z - 0.97 * build.leg) / (TRUNK_M * build.scale)
    return float(np.clip(np.degrees(np.arccos(np.clip(share, -1, 1))), low, high))


def lean_table_hands(setting: Setting) -> Draft:
    """Bent over a table, both palms on it, part of the weight on the hands."""
    placed, board = at_edge(setting, setting.main, at=(0.0, 0.0), faces=True)
    build, wishes, z = setting.build, Wishes(), board.height_m
    arm = 0.93 * (build.upper_arm + build.forearm)
    bow = bow_to(build, z + PALM_M + arm, low=10, high=46)
    hand_y = -setting.between(0.08, 0.16)
    hip_y = hand_y + 0.10 + TRUNK_M * build.scale * float(np.sin(np.radians(bow)))
    place, legs = upright_legs(setting, wishes, (0.0, hip_y), hip_y + setting.between(-0.04, 0.06), pitch=0.6 * bow)
    for side in SIDES:
        wishes.rest_on(f"{side}_hand", setting.main, 12, board)
        wishes.anchors.append(
            Anchor(
                joint=f"{side}_wrist",
                place=(SIGN[side] * setting.between(0.20, 0.30), hand_y + setting.between(-0.03, 0.03), z + PALM_M + 0.02),
            )
        )
    gaze(setting, wishes, down=(10, 35))
    key = key_pose(legs, both(replace(PALM, flex=bow + 8)), pitch=0.6 * bow, spine=0.5 * bow)
    return Draft(objects=(placed,), goal=wishes.goal(key, place, balance=(0.0, hip_y - 0.10)), contacts=tuple(wishes.contacts))


def lean_table_forearms(setting: Setting) -> Draft:
    """Both forearms on a table or a counter, the hips behind the feet or over them."""
    placed, board = at_edge(setting, setting.main, at=(0.0, 0.0), faces=True)
    build, wishes, z = setting.build, Wishes(), board.height_m
    bow = bow_to(build, z + 0.05 + 0.94 * build.upper_arm, low=14, high=72)
    hip_y = 0.02 + TRUNK_M * build.scale * float(np.sin(np.radians(bow)))
    place, legs = upright_legs(
        setting, wishes, (0.0, hip_y), hip_y + setting.between(-0.10, 0.0), pitch=0.68 * bow, apart=0.14, bend=0.97
    )
    for side in SIDES:
        wishes.rest_on(f"{side}_forearm", setting.main, 4, board)
        wishes.anchors += [
            Anchor(
                joint=f"{side}_wrist", place=(SIGN[side] * setting.between(0.04, 0.14), -setting.between(0.24, 0.32), z + 0.04)
            ),
            Anchor(joint=f"{side}_elbow", place=(SIGN[side] * 0.22, -0.06, z + 0.05)),
        ]
    gaze(setting, wishes, down=(0, 25))
    arm = Arm(flex=bow + 25, lower=74, turn=30, elbow=82, pronate=70, curl=14)
    key = key_pose(legs, both(arm), pitch=0.68 * bow, spine=0.4 * bow)
    return Draft(objects=(placed,), goal=wishes.goal(key, place, balance=(0.0, hip_y - 0.12)), contacts=tuple(wishes.contacts))


def behind_rail(setting: Setting, kind: str) -> tuple[Placed, Surface]:
    """The first object with its rail or handle along y = 0 and the rest at y < 0: the person stands outside of it."""
    furniture = setting.objects[setting.main]
    own = setting.pick([s for s in furniture.surfaces if s.kind == kind])
    out = np.array([*own.centre[:2]])
    across = own.across[:2] / max(float(np.linalg.norm(own.across[:2])), 1e-9)
    away = out - across * float(out @ across)
    turn = 90.0 - float(np.degrees(np.arctan2(away[1], away[0]))) + setting.between(-6, 6)
    placed = put(setting.main, furniture, point=own.centre[:2], at=(0, 0), turn_deg=turn)
    return placed, next(s for s in placed.surfaces(own.kind) if s.name == own.name)


def _hands_on_rail(setting: Setting, kind: str, *, distance: tuple[float, float]) -> Draft:
    placed, rail = behind_rail(setting, kind)
    build, wishes, z = setting.build, Wishes(), float(rail.centre[2])
    bow = bow_to(build, z + 0.80 * (build.upper_arm + build.forearm), low=4, high=40)
    hip_y = setting.between(*distance) * build.scale + 0.35 * TRUNK_M * float(np.sin(np.radians(bow)))
    place, legs = upright_legs(setting, wishes, (0.0, hip_y), hip_y - 0.02, pitch=0.5 * bow)
    half = min(0.20, max(0.055, rail.size_m[0] / 2 - 0.06))
    for side in SIDES:
        wishes.hold(f"{side}_hand", setting.main, 6)
        wishes.anchors.append(Anchor(joint=f"{side}_wrist", place=(SIGN[side] * half, 0.07, z + 0.035), tolerance_m=0.02))
        wishes.outside.append(Outside(joints=(f"{side}_palm",), planes=((0.0, 0.0, 1.0, z - 0.001),)))
    gaze(setting, wishes, down=(4, 25))
    key = key_pose(legs, both(replace(GRIP, flex=GRIP.flex + 0.8 * bow)), pitch=0.5 * bow, spine=0.45 * bow)
    return Draft(objects=(placed,), goal=wishes.goal(key, place, balance=(0.0, hip_y - 0.05)), contacts=tuple(wishes.contacts))


def hands_on_chair_back(setting: Setting) -> Draft:
    """Behind a chair, both hands on its upper edge."""
    return _hands_on_rail(setting, "rail", distance=(0.26, 0.40))


def hold_handle(setting: Setting) -> Draft:
    """Behind a cart, both hands on its handle."""
    return _hands_on_rail(setting, "handle", distance=(0.20, 0.30))


def foot_on_stool(setting: Setting) -> Draft:
    """One foot on a low stool, step or rung, a hand on the raised thigh."""
    furniture, build, wishes = setting.objects[setting.main], setting.build, Wishes()
    own = low_top(furniture)
    placed = put(
        setting.main,
        furniture,
        point=own.centre[:2],
        at=(0, 0),
        turn_deg=setting.between(-25, 25) + (180 if setting.chance(0.5) else 0),
    )
    up, z = setting.side(), float(own.centre[2])
    down, x = opposite(up), SIGN[up] * 0.05
    stance_y = 0.5 * max(own.size_m) + setting.between(0.18, 0.26)
    foot = (x, 0.05, z + build.ankle)
    stance = (x + SIGN[down] * 0.19, stance_y, build.ankle)
    wishes.stand(up, (foot[0], foot[1], FREE), target=setting.main, height_m=z, tolerance_m=0.02)
    wishes.stand(down, (stance[0], stance[1], FREE))
    place = (x + SIGN[down] * 0.12, stance_y - 0.04, 0.985 * build.leg + build.hip_drop)
    pitch = setting.between(2, 10)
    hip = {s: (place[0] + SIGN[s] * build.hip_x, place[1], place[2] - build.hip_drop) for s in SIDES}
    legs = {
        up: leg_to(build, hip[up], foot, pitch=pitch),
        down: leg_to(build, hip[down], stance, pitch=pitch),
    }
    raised = z > 0.22
    if raised:
        lay_hands(setting, wishes, (up,), share=(0.70, 0.9))
    gaze(setting, wishes)
    arm = Arm(flex=40, lower=76, elbow=34, pronate=70) if raised else varied(setting, HANGING)
    key = key_pose(legs, {up: arm, opposite(up): varied(setting, HANGING)}, pitch=pitch, spine=setting.between(4, 12))
    balance = (0.75 * stance[0] + 0.25 * foot[0], 0.75 * (stance_y - 0.06) + 0.25 * foot[1])
    return Draft(objects=(placed,), goal=wishes.goal(key, place, balance=balance), contacts=tuple(wishes.contacts))


def low_top(furniture: Furniture) -> Surface:
    """The lowest level surface that a foot steps on; raises `ValueError` without one."""
    found = [s for s in furniture.surfaces if s.kind in ("top", "seat") and 0.10 <= s.centre[2] <= 0.50]
    return min(found, key=lambda surface: surface.centre[2])


def lean_cabinet_side(setting: Setting) -> Draft:
    """Beside a cabinet or a high table, one palm on its top, the trunk tilted towards it, the other arm hanging."""
    furniture, build, wishes = setting.objects[setting.main], setting.build, Wishes()
    own = widest([s for s in furniture.surfaces if s.kind == "top"])
    side = setting.side()
    distance = setting.between(0.26, 0.32) * build.scale
    spare = max(0.0, own.size_m[0] / 2 - 0.20)
    x, z = float(own.centre[0]) + setting.between(-spare, spare), float(own.centre[2])
    point = (x, edge_y(furniture.name, x=x, z=z - 0.012, side=-1.0))
    placed = put(setting.main, furniture, point=point, at=(SIGN[side] * distance, 0), turn_deg=-90.0 * SIGN[side])
    place, legs = upright_legs(setting, wishes, (0.0, 0.0), setting.between(-0.02, 0.06), pitch=0.0, apart=0.10)
    wishes.hold(f"{side}_hand", setting.main, 8)
    wishes.outside.append(Outside(joints=(f"{side}_elbow", f"{side}_wrist"), planes=((0.0, 0.0, 1.0, z - 0.001),)))
    wishes.anchors.append(
        Anchor(joint=f"{side}_wrist", place=(SIGN[side] * (distance + 0.06), setting.between(-0.10, 0.04), z + PALM_M + 0.02))
    )
    gaze(setting, wishes)
    near = Arm(flex=10, lower=64, elbow=25, pronate=50, extend=55, curl=5)
    key = key_pose(legs, {side: near, opposite(side): varied(setting, HANGING)}, pitch=2, spine=4)
    return Draft(
        objects=(placed,), goal=wishes.goal(key, place, balance=(SIGN[side] * 0.05, 0.02)), contacts=tuple(wishes.contacts)
    )


def hand_on_chair_beside(setting: Setting) -> Draft:
    """Beside a chair, one hand on its upper edge."""
    furniture, wishes = setting.objects[setting.main], Wishes()
    own = setting.pick([s for s in furniture.surfaces if s.kind == "rail"])
    side = setting.side()
    reach = setting.between(0.22, 0.28) * setting.build.scale
    end = own.centre[:2] + np.array([SIGN[side] * -1.0 * max(0.0, own.size_m[0] / 2 - 0.06), 0.0])
    placed = put(setting.main, furniture, point=end, at=(SIGN[side] * reach, -0.10), turn_deg=setting.between(-10, 10))
    place, legs = upright_legs(setting, wishes, (0.0, 0.10), 0.12, pitch=2.0)
    wishes.hold(f"{side}_hand", setting.main, 5)
    wishes.anchors.append(
        Anchor(joint=f"{side}_wrist", place=(SIGN[side] * reach, -0.04, float(own.centre[2]) + 0.035), tolerance_m=0.03)
    )
    gaze(setting, wishes)
    key = key_pose(legs, {side: replace(GRIP, flex=22, lower=70), opposite(side): varied(setting, HANGING)}, pitch=2, spine=4)
    return Draft(objects=(placed,), goal=wishes.goal(key, place, balance=(0.0, 0.06)), contacts=tuple(wishes.contacts))


def perch_armrest(setting: Setting) -> Draft:
    """On the broad arm of a sofa or an armchair, the feet on the floor beside it."""
    own = setting.pick([s for s in setting.objects[setting.main].surfaces if s.kind == "arm"])
    how = Sit(
        pitch=setting.between(2, 10), spine=setting.between(6, 16), slide=0.0, reach=setting.between(-0.02, 0.10), apart=0.13
    )
    outward = 90.0 if own.centre[0] < 0 else -90.0
    seated = on_seat(setting, how, surface=own.name, turn_deg=outward + setting.between(-8, 8))
    lay_hands(setting, seated.wishes)
    gaze(setting, seated.wishes)
    return seated.draft(laps(setting))


def ladder_rung(setting: Setting) -> Draft:
    """Both feet on a ladder's first rung, the hands on a rung at the height of the chest."""
    furniture, build, wishes = setting.objects[setting.main], setting.build, Wishes()
    rungs = sorted((s for s in furniture.surfaces if s.kind == "rung"), key=lambda s: float(s.centre[2]))
    first = rungs[0]
    out = np.array([first.normal[0], first.normal[1]])
    away = out if np.linalg.norm(out) > 0.3 else first.centre[:2] - rungs[-1].centre[:2]
    turn = 90.0 - float(np.degrees(np.arctan2(away[1], away[0])))
    placed = put(setting.main, furniture, point=first.centre[:2], at=(0, 0), turn_deg=turn)
    rungs = sorted(placed.surfaces("rung"), key=lambda s: float(s.centre[2]))
    z = float(rungs[0].centre[2])
    shoulder = z + 0.82 * build.stature
    held = min(rungs[1:], key=lambda s: abs(float(s.centre[2]) - (shoulder - 0.45)))
    hip_y = 0.06 + setting.between(0.0, 0.02)
    place = (0.0, hip_y, z + 0.98 * build.leg + build.hip_drop)
    half = min(0.09, first.size_m[0] / 2 - 0.07)
    legs = {}
    for side in SIDES:
        ankle = (SIGN[side] * half, 0.03, z + build.ankle + 0.005)
        wishes.hold(f"{side}_foot", setting.main, 5)
        wishes.soles.append(Sole(side=side, height_m=z))
        wishes.anchors.append(Anchor(joint=f"{side}_ankle", place=(ankle[0], ankle[1], FREE), tolerance_m=0.02))
        legs[side] = leg_to(build, (SIGN[side] * build.hip_x, hip_y, place[2] - build.hip_drop), ankle, pitch=4.0)
        wishes.hold(f"{side}_hand", setting.main, 6)
        wishes.outside += [
            Outside(joints=(f"{side}_ankle",), planes=((-SIGN[side], 0.0, 0.0, -(first.size_m[0] / 2)),)),
            Outside(joints=(f"{side}_palm",), planes=((0.0, 0.0, 1.0, float(held.centre[2]) - 0.001),)),
        ]
        at = (SIGN[side] * min(0.17, held.size_m[0] / 2 - 0.05), float(held.centre[1]) + 0.06, float(held.centre[2]) + 0.02)
        wishes.anchors.append(Anchor(joint=f"{side}_wrist", place=at, tolerance_m=0.025))
        wishes.anchors.append(Anchor(joint=f"{side}_elbow", place=(SIGN[side] * 0.13, at[1] + 0.20, FREE)))
    gaze(setting, wishes, down=(-10, 10))
    key = key_pose(legs, both(replace(GRIP, flex=35, lower=84, elbow=70)), pitch=4, spine=6)
    return Draft(objects=(placed,), goal=wishes.goal(key, place, balance=(0.0, -0.03)), contacts=tuple(wishes.contacts))
