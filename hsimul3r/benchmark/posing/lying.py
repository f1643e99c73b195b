"""Lying and reclining on long seats and beds. The person's head is at +Y of the stage, the seat's long axis along Y."""

from dataclasses import replace

import numpy as np

from hsimul3r.benchmark.objects.pieces import Furniture, Surface
from hsimul3r.benchmark.posing.draft import SIDES, SIGN, Draft, Placed, Setting, Wishes, both, key_pose, put
from hsimul3r.benchmark.posing.keyposes import Arm, Leg
from hsimul3r.benchmark.posing.settle import FREE, Aim, Anchor, Outside, Sole
from hsimul3r.benchmark.posing.sitting import SEAT_TO_PELVIS_M, laps, lay_hands

PELVIS_TO_CROWN = 0.47
"""Share of the stature."""
AT_SIDE = Arm(flex=0, lower=74, elbow=14, pronate=40, curl=14)


def long_seat(furniture: Furniture) -> Surface:
    """The longest bed of a piece of furniture."""
    return max((s for s in furniture.surfaces if s.kind == "bed"), key=lambda s: max(s.size_m))


def _along_y(setting: Setting) -> tuple[Placed, float, float, float]:
    """The bed's middle at the origin and its length along Y: where it stands, its length, its width and height."""
    furniture = setting.objects[setting.main]
    own = long_seat(furniture)
    lies_across = own.size_m[0] >= own.size_m[1]
    turn = (90.0 if lies_across else 0.0) + (180.0 if setting.chance(0.5) else 0.0)
    placed = put(setting.main, furniture, point=own.centre[:2], at=(0, 0), turn_deg=turn)
    return placed, max(own.size_m), min(own.size_m), float(own.centre[2])


def lie_on_back(setting: Setting) -> Draft:
    """On the back; straight where the seat is long enough, else with bent knees and the feet on the seat."""
    placed, length, width, z = _along_y(setting)
    build, wishes = setting.build, Wishes()
    is_straight = length > build.stature + 0.05
    pelvis_y = length / 2 - 0.03 - PELVIS_TO_CROWN * build.stature
    place = (setting.between(-0.02, 0.02), pelvis_y, z + 0.11 * build.scale)
    wishes.hold("buttocks", setting.main, 6)
    wishes.hold("back", setting.main, 8)
    wishes.anchors.append(Anchor(joint="pelvis", place=(place[0], place[1], FREE), tolerance_m=0.03))
    legs = _straight(setting, wishes) if is_straight else _bent(setting, wishes, place, z)
    for side in SIDES:
        wishes.touch(f"{side}_hand", setting.main, 4)
        at = (SIGN[side] * min(0.30, width / 2 - 0.03), pelvis_y + setting.between(-0.08, 0.06), z + 0.04)
        wishes.anchors.append(Anchor(joint=f"{side}_wrist", place=at))
    _over(wishes, z)
    _face_up(setting, wishes)
    key = key_pose(legs, both(AT_SIDE), pitch=-90, spine=0, head_down=10)
    return Draft(objects=(placed,), goal=wishes.goal(key, place), contacts=tuple(wishes.contacts))


def _straight(setting: Setting, wishes: Wishes) -> dict[str, Leg]:
    for side in SIDES:
        wishes.hold(f"{side}_foot", setting.main, 3)
    return {side: Leg(hip=3, knee=5, abduct=setting.between(4, 9), turn=setting.between(10, 24), ankle=-18) for side in SIDES}


def _bent(setting: Setting, wishes: Wishes, place: tuple[float, float, float], z: float) -> dict[str, Leg]:
    """Feet flat on the seat, knees up."""
    build = setting.build
    ahead = setting.between(0.36, 0.44) * build.scale
    for side in SIDES:
        wishes.soles.append(Sole(side=side, height_m=z))
        wishes.hold(f"{side}_foot", setting.main, 6)
        at = (place[0] + SIGN[side] * 0.12, place[1] - ahead + setting.between(-0.03, 0.03), FREE)
        wishes.anchors.append(Anchor(joint=f"{side}_ankle", place=at))
    rise = np.degrees(np.arccos(np.clip(ahead / (build.thigh + build.shank) * 1.05, -1, 1)))
    return {side: Leg(hip=float(rise), knee=float(2 * rise), abduct=5, turn=2, ankle=-20) for side in SIDES}


def _over(wishes: Wishes, z: float) -> None:
    """Limbs stay over the seat's plane."""
    limbs = tuple(f"{side}_{joint}" for side in SIDES for joint in ("hip", "knee", "ankle", "elbow", "wrist"))
    wishes.outside.append(Outside(joints=limbs, planes=((0.0, 0.0, 1.0, z - 0.004),)))


def _face_up(setting: Setting, wishes: Wishes) -> None:
    left = np.radians(setting.between(-20, 20))
    wishes.aims.append(Aim(joint="head", bone=(0, 0, 1), world=(float(np.sin(left)), -0.2, float(np.cos(left))), tolerance=0.3))


def recline(setting: Setting) -> Draft:
    """Along a sofa, the back against its arm, the legs on the seat, one knee up."""
    placed, length, _, z = _along_y(setting)
    build, wishes = setting.build, Wishes()
    inner = length / 2
    lean = setting.between(42, 52)
    place = (
        setting.between(-0.02, 0.02),
        inner - setting.between(0.20, 0.24) * build.scale,
        z + SEAT_TO_PELVIS_M * build.scale,
    )
    wishes.hold("buttocks", setting.main, 6)
    wishes.hold("back", setting.main, 5)
    wishes.anchors.append(Anchor(joint="pelvis", place=(place[0], place[1], FREE), tolerance_m=0.03))
    legs = _bent(setting, wishes, place, z)
    lay_hands(setting, wishes, share=(0.5, 0.8), over=(0.10, 0.05))
    _over(wishes, z)
    wishes.look(left_deg=setting.between(-20, 20), down_deg=setting.between(-10, 10))
    legs = {name: replace(leg, hip=leg.hip + 90 - lean - 30) for name, leg in legs.items()}
    key = key_pose(legs, laps(setting), pitch=-lean, spine=22, head_down=8)
    return Draft(objects=(placed,), goal=wishes.goal(key, place), contacts=tuple(wishes.contacts))
