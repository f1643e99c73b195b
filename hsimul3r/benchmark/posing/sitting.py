"""Sitting: on chairs, stools, benches, sofas and tables; at a table; with the weight on the seat."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from hsimul3r.benchmark.objects.pieces import Furniture, Surface
from hsimul3r.benchmark.posing.draft import (
    SIDES,
    SIGN,
    Board,
    Build,
    Draft,
    Placed,
    Setting,
    Wishes,
    at_edge,
    both,
    edges,
    key_pose,
    leg_to,
    opposite,
    put,
    widest,
)
from hsimul3r.benchmark.posing.keyposes import Arm, Leg
from hsimul3r.benchmark.posing.settle import FREE, Anchor, Lap, Outside

ON_LAP = Arm(flex=24, lower=76, elbow=52, pronate=70)
BESIDE = Arm(flex=-12, lower=76, elbow=14, pronate=60, extend=55, curl=6)
HANGING = Arm(flex=2, lower=84, elbow=22, pronate=30)
SEAT_TO_PELVIS_M = 0.095
"""Height of the pelvis joint over a seat, for a person of 1.70 m."""
TOP_THICKNESS_M = 0.04
"""Room that a table's top takes from the thighs under it, at least."""
BUTTOCKS_M = 0.125
"""From the pelvis joint back to the buttocks' end."""


@dataclass(frozen=True, kw_only=True)
class Sit:
    """How somebody sits [deg, m]: trunk pitched forward, spine bent and twisted, the pelvis `slide` before the hindmost place,
    ankles `reach` in front of the knees and `apart` beside the middle, and whether the back is leaned on."""

    pitch: float = -4.0
    spine: float = 6.0
    twist: float = 0.0
    slide: float = 0.02
    reach: float = 0.05
    apart: float = 0.12
    leans: bool = False


@dataclass(frozen=True, kw_only=True)
class Seated:
    """A person on a seat before arms and looks: where the pelvis is, the legs by side, and what was wished so far."""

    placed: Placed
    seat: Surface
    how: Sit
    place: tuple[float, float, float]
    legs: dict[str, Leg]
    wishes: Wishes

    def draft(
        self, arms: Mapping[str, Arm], *, legs: Mapping[str, Leg] | None = None, others: tuple[Placed, ...] = ()
    ) -> Draft:
        """With the arms by side, other legs where they are not as here, and objects besides."""
        key = key_pose(legs or self.legs, arms, pitch=self.how.pitch, spine=self.how.spine, twist=self.how.twist)
        goal = self.wishes.goal(key, self.place)
        return Draft(objects=(self.placed, *others), goal=goal, contacts=tuple(self.wishes.contacts))


def on_seat(
    setting: Setting, how: Sit, *, turn_deg: float | None = None, feet: tuple[str, ...] = SIDES, surface: str | None = None
) -> Seated:
    """Sits on a seat of the first object, or on its surface of a name, with the given feet on the floor."""
    furniture = setting.objects[setting.main]
    own = setting.pick([s for s in furniture.surfaces if (s.kind == "seat" if surface is None else s.name == surface)])
    turn = setting.between(-6, 6) if turn_deg is None else turn_deg
    placed = put(setting.main, furniture, point=own.centre[:2], at=(0, 0), turn_deg=turn)
    seat = next(s for s in placed.surfaces(own.kind) if s.name == own.name)
    build, wishes = setting.build, Wishes()
    x = _sideways(setting, seat)
    place = (x, _pelvis_y(placed, seat, how, build), float(seat.centre[2]) + SEAT_TO_PELVIS_M * build.scale)
    wishes.anchors.append(Anchor(joint="pelvis", place=(place[0], place[1], FREE), tolerance_m=0.02))
    wishes.hold("buttocks", setting.main, 6)
    wishes.outside += over_seat(seat)
    if how.leans:
        wishes.hold("back", setting.main, 6)
    legs = {side: _foot_ahead(setting, wishes, side, place, how, is_down=side in feet) for side in SIDES}
    return Seated(placed=placed, seat=seat, how=how, place=place, legs=legs, wishes=wishes)


def over_seat(seat: Surface) -> list[Outside]:
    """Trunk and thighs stay over a level seat's flat part, however thin the seat is."""
    if seat.normal[2] < 0.995:
        return []
    planes = [(0.0, 0.0, 1.0, float(seat.centre[2]) - 0.002)]
    for axis, size in ((seat.across, seat.size_m[0]), (np.cross(seat.normal, seat.across), seat.size_m[1])):
        for sign in (1.0, -1.0):
            normal = sign * axis
            planes.append((float(normal[0]), float(normal[1]), float(normal[2]), float(normal @ seat.centre) + size / 2))
    return [Outside(joints=("pelvis", "left_hip", "right_hip"), planes=tuple(planes))]


def _sideways(setting: Setting, seat: Surface) -> float:
    spare = max(0.0, abs(float(seat.across[0])) * seat.size_m[0] / 2 - 0.20)
    return setting.between(-spare, spare) + setting.between(-0.015, 0.015)


def _pelvis_y(placed: Placed, seat: Surface, how: Sit, build: Build) -> float:
    """As far back as the back rest or the seat's end allows, but the knees hang over the front."""
    front, rear = edges(placed, seat)
    backs = [s for s in placed.surfaces("back") if abs(s.centre[0] - seat.centre[0]) < 0.3 and s.normal[1] < -0.5]
    if backs:
        back = min(backs, key=lambda s: abs(s.centre[0] - seat.centre[0]))
        slope = float(-back.normal[2] / back.normal[1])
        rear = float(back.centre[1]) - slope * (float(back.centre[2]) - float(seat.centre[2]) - 0.15)
    hindmost = rear - BUTTOCKS_M * build.scale
    return min(hindmost, front + build.thigh - 0.05) - how.slide


def _foot_ahead(
    setting: Setting, wishes: Wishes, side: str, place: tuple[float, float, float], how: Sit, *, is_down: bool
) -> Leg:
    """The leg whose foot is flat on the floor, the ankle `reach` in front of the knee."""
    build = setting.build
    hip = (place[0] + SIGN[side] * build.hip_x, place[1], place[2] - build.hip_drop)
    rise = np.clip((build.shank + build.ankle - hip[2]) / build.thigh, -0.9, 0.9)
    knee_y = hip[1] - build.thigh * float(np.sqrt(1 - rise**2))
    ahead = how.reach + setting.between(-0.05, 0.05)
    ankle = (place[0] + SIGN[side] * (how.apart + setting.between(-0.02, 0.03)), knee_y - ahead, build.ankle)
    if is_down:
        wishes.stand(side, (ankle[0], ankle[1], FREE), tolerance_m=0.04)
    apart = np.degrees(np.arctan2(how.apart - build.hip_x, build.thigh))
    return leg_to(build, hip, ankle, pitch=how.pitch, abduct=float(apart) + 3, turn=setting.between(2, 10))


def lay_hands(
    setting: Setting,
    wishes: Wishes,
    sides: tuple[str, ...] = SIDES,
    *,
    share: tuple[float, float] = (0.5, 0.8),
    over: tuple[float, float] = (0.05, 0.11),
) -> None:
    """Hands on the thighs of their sides, part of the way from the hip to the knee; wrists `over` (y, z) of the bone."""
    for side in sides:
        along = setting.between(*share)
        of = {f"{side}_hip": 1 - along, f"{side}_knee": along}
        wishes.laps.append(Lap(part=f"{side}_hand", thigh=f"{side}_thigh"))
        wishes.anchors.append(Anchor(joint=f"{side}_wrist", of=of, place=(SIGN[side] * 0.02, *over)))


def varied(setting: Setting, arm: Arm, spread: float = 6.0) -> Arm:
    """An arm with its shoulder and elbow a little different."""
    flex, elbow = setting.between(-spread, spread), setting.between(-spread, spread)
    return replace(arm, flex=arm.flex + flex, elbow=max(2.0, arm.elbow + elbow))


def laps(setting: Setting) -> dict[str, Arm]:
    """Arms whose hands reach the lap."""
    return {side: varied(setting, ON_LAP) for side in SIDES}


def gaze(setting: Setting, wishes: Wishes, *, down: tuple[float, float] = (0, 14), turn: float = 25) -> None:
    wishes.look(left_deg=setting.between(-turn, turn), down_deg=setting.between(*down), tilt_deg=setting.between(-5, 5))


def sit_upright(setting: Setting) -> Draft:
    """Upright, hands on the thighs."""
    how = Sit(
        pitch=setting.between(-8, 2), spine=setting.between(2, 10), twist=setting.between(-6, 6),
        slide=setting.between(0.02, 0.06), reach=setting.between(-0.04, 0.10), apart=setting.between(0.09, 0.16),
    )  # fmt: skip
    seated = on_seat(setting, how)
    lay_hands(setting, seated.wishes)
    gaze(setting, seated.wishes)
    return seated.draft(laps(setting))


def sit_leaning_back(setting: Setting) -> Draft:
    """The back on the back rest, the feet in front."""
    how = Sit(
        pitch=-lean_of_back(setting) - setting.between(0, 4), spine=setting.between(4, 12), twist=setting.between(-6, 6),
        slide=setting.between(0.0, 0.03), reach=setting.between(0.04, 0.20), apart=setting.between(0.09, 0.17), leans=True,
    )  # fmt: skip
    seated = on_seat(setting, how)
    lay_hands(setting, seated.wishes, share=(0.35, 0.65))
    gaze(setting, seated.wishes, down=(-4, 8))
    return seated.draft(laps(setting))


def sit_slouched(setting: Setting) -> Draft:
    """The pelvis slid forward, the spine round, the upper back on the back rest."""
    how = Sit(
        pitch=-lean_of_back(setting) - setting.between(12, 20), spine=setting.between(24, 34),
        slide=setting.between(0.09, 0.15), reach=setting.between(0.14, 0.28), apart=setting.between(0.10, 0.20), leans=True,
    )  # fmt: skip
    seated = on_seat(setting, how)
    lay_hands(setting, seated.wishes, share=(0.2, 0.5))
    gaze(setting, seated.wishes, down=(0, 16))
    return seated.draft(laps(setting))


def lean_of_back(setting: Setting) -> float:
    """How far the first object's back leans backwards [deg]; 8 without one."""
    backs = [s for s in setting.objects[setting.main].surfaces if s.kind == "back"]
    if not backs:
        return 8.0
    normal = widest(backs).normal
    return float(np.degrees(np.arctan2(normal[2], np.hypot(normal[0], normal[1]))))


def sit_cross_legged(setting: Setting) -> Draft:
    """One foot on the floor, the other leg over it: the ankle on the thigh, or knee over knee."""
    side = setting.side()
    down = opposite(side)
    how = Sit(
        pitch=setting.between(-10, -3), spine=setting.between(8, 16), slide=setting.between(0.02, 0.06),
        reach=setting.between(-0.02, 0.10), apart=0.10,
    )  # fmt: skip
    seated = on_seat(setting, how, feet=(down,))
    over = _ankle_on_thigh(seated.wishes, side) if setting.chance(0.5) else _knee_over_knee(seated.wishes, side)
    lay_hands(setting, seated.wishes, (down,), share=(0.35, 0.5))
    lay_hands(setting, seated.wishes, (side,), share=(0.25, 0.4))
    gaze(setting, seated.wishes)
    return seated.draft(laps(setting), legs={down: seated.legs[down], side: over})


def _ankle_on_thigh(wishes: Wishes, side: str) -> Leg:
    down = opposite(side)
    place = (SIGN[down] * 0.04, 0.0, 0.13)
    wishes.anchors.append(
        Anchor(joint=f"{side}_ankle", of={f"{down}_hip": 0.24, f"{down}_knee": 0.76}, place=place, tolerance_m=0.02)
    )
    wishes.laps.append(Lap(part=f"{side}_foot", thigh=f"{down}_thigh", count=4))
    return Leg(hip=118, abduct=8, turn=52, knee=104, ankle=-4)


def _knee_over_knee(wishes: Wishes, side: str) -> Leg:
    down = opposite(side)
    wishes.anchors += [
        Anchor(joint=f"{side}_knee", of={f"{down}_knee": 1.0}, place=(SIGN[down] * 0.02, 0.02, 0.13), tolerance_m=0.02),
        Anchor(joint=f"{side}_ankle", of={f"{down}_knee": 1.0}, place=(SIGN[down] * 0.14, -0.16, -0.20), tolerance_m=0.06),
    ]
    wishes.laps.append(Lap(part=f"{side}_thigh", thigh=f"{down}_thigh", count=3))
    return Leg(hip=112, abduct=-16, turn=-4, knee=72, ankle=-14)


def sit_on_edge(setting: Setting) -> Draft:
    """On the front of the seat, bent forward, forearms or hands towards the knees, feet under the knees."""
    how = Sit(
        pitch=setting.between(8, 20), spine=setting.between(10, 20), slide=setting.between(0.14, 0.20),
        reach=setting.between(-0.12, 0.0), apart=setting.between(0.12, 0.18),
    )  # fmt: skip
    seated = on_seat(setting, how)
    lay_hands(setting, seated.wishes, share=(0.72, 0.92))
    gaze(setting, seated.wishes, down=(4, 20))
    arm = Arm(flex=34, lower=74, elbow=40, pronate=70)
    return seated.draft({side: varied(setting, arm) for side in SIDES})


def sit_hands_on_seat(setting: Setting) -> Draft:
    """Hands beside the hips on the seat."""
    how = Sit(
        pitch=setting.between(-8, 6), spine=setting.between(4, 14), slide=setting.between(0.04, 0.10),
        reach=setting.between(0.0, 0.12), apart=setting.between(0.09, 0.14),
    )  # fmt: skip
    seated = on_seat(setting, how)
    for side in SIDES:
        seated.wishes.hold(f"{side}_hand", setting.main, 8)
        if np.ptp(_across(seated.placed, seated.seat)) > 0.7:
            top = (0.0, 0.0, 1.0, float(seated.seat.centre[2]) - 0.003)
            seated.wishes.outside.append(Outside(joints=(f"{side}_wrist",), planes=(top,)))
        place = (
            seated.place[0] + SIGN[side] * 0.27,
            seated.place[1] + setting.between(-0.06, 0.06),
            float(seated.seat.centre[2]) + 0.06,
        )
        seated.wishes.anchors.append(Anchor(joint=f"{side}_wrist", place=place, tolerance_m=0.04))
    gaze(setting, seated.wishes)
    return seated.draft(both(BESIDE))


def sit_arms_on_rests(setting: Setting) -> Draft:
    """The back and both forearms on the rests of an armchair."""
    how = Sit(
        pitch=-lean_of_back(setting) - setting.between(0, 3), spine=setting.between(4, 10), slide=setting.between(0.0, 0.04),
        reach=setting.between(0.02, 0.16), apart=setting.between(0.10, 0.17), leans=True,
    )  # fmt: skip
    seated = on_seat(setting, how, turn_deg=0.0)
    for rest in seated.placed.surfaces("arm"):
        side = "left" if rest.centre[0] > 0 else "right"
        seated.wishes.hold(f"{side}_forearm", setting.main, 4)
        seated.wishes.anchors.append(
            Anchor(joint=f"{side}_wrist", place=(float(rest.centre[0]), FREE, float(rest.centre[2]) + 0.05), tolerance_m=0.03)
        )
        seated.wishes.anchors.append(
            Anchor(joint=f"{side}_elbow", place=(float(rest.centre[0]), FREE, float(rest.centre[2]) + 0.06), tolerance_m=0.04)
        )
    gaze(setting, seated.wishes)
    return seated.draft(both(Arm(flex=14, lower=62, elbow=70, pronate=50)))


def sit_straddling(setting: Setting) -> Draft:
    """A leg on either side of a bench or a small stool."""
    how = Sit(
        pitch=setting.between(-4, 8), spine=setting.between(6, 16), slide=0.0, reach=setting.between(-0.06, 0.06), apart=0.32
    )
    turn = 90.0 * (1 if setting.chance(0.5) else -1) + setting.between(-2, 2)
    seated = on_seat(setting, how, turn_deg=turn)
    half = 0.5 * float(np.ptp(_across(seated.placed, seated.seat)))
    for side in SIDES:
        planes = ((0.0, 0.0, 1.0, float(seated.seat.centre[2]) - 0.003), (SIGN[side], 0.0, 0.0, half))
        seated.wishes.outside.append(Outside(joints=(f"{side}_hip", f"{side}_knee"), planes=planes))
    lay_hands(setting, seated.wishes, share=(0.4, 0.7))
    gaze(setting, seated.wishes)
    legs = {side: replace(seated.legs[side], abduct=34, turn=20, hip=62) for side in SIDES}
    return seated.draft(laps(setting), legs=legs)


def _across(placed: Placed, seat: Surface) -> Float[ndarray, "ends"]:
    """Left and right end (x, stage) of the board that a seat is on."""
    T = placed.T_stage_object
    own_x = T[:3, :3].T @ np.array([1.0, 0.0, 0.0])
    points = np.concatenate([piece.shape.vertices for piece in placed.furniture.pieces])
    level = points[np.abs(points[:, 2] - seat.centre[2] + 0.02) < 0.025] @ own_x
    return np.array([level.min(), level.max()])


def sit_stool(setting: Setting) -> Draft:
    """On a stool, one foot ahead of the other."""
    how = Sit(
        pitch=setting.between(-4, 8), spine=setting.between(6, 16), twist=setting.between(-10, 10), slide=0.0,
        reach=setting.between(-0.08, 0.08), apart=setting.between(0.10, 0.18),
    )  # fmt: skip
    seated = on_seat(setting, how, turn_deg=setting.between(-40, 40))
    lay_hands(setting, seated.wishes)
    gaze(setting, seated.wishes)
    return seated.draft(laps(setting))


def sit_elbows_on_knees(setting: Setting) -> Draft:
    """Bent forward, both forearms on the thighs."""
    how = Sit(
        pitch=setting.between(22, 30), spine=setting.between(26, 36), slide=setting.between(0.08, 0.14),
        reach=setting.between(-0.08, 0.02), apart=setting.between(0.15, 0.20),
    )  # fmt: skip
    seated = on_seat(setting, how)
    for side in SIDES:
        seated.wishes.laps.append(Lap(part=f"{side}_forearm", thigh=f"{side}_thigh", count=4))
        seated.wishes.anchors.append(
            Anchor(
                joint=f"{side}_elbow", of={f"{side}_hip": 0.25, f"{side}_knee": 0.75}, place=(0.0, 0.05, 0.12), tolerance_m=0.03
            )
        )
    gaze(setting, seated.wishes, down=(15, 40))
    return seated.draft(both(Arm(flex=40, lower=72, turn=20, elbow=70, pronate=50)))


def sit_table_edge(setting: Setting) -> Draft:
    """On a table's edge, the legs hanging, the hands beside the hips."""
    build, wishes = setting.build, Wishes()
    placed, board = at_edge(setting, setting.main, at=(0.0, 0.0), faces=False)
    z = board.height_m
    place = (0.0, setting.between(0.16, 0.20) * build.scale, z + SEAT_TO_PELVIS_M * build.scale)
    wishes.anchors.append(Anchor(joint="pelvis", place=(0.0, place[1], FREE), tolerance_m=0.02))
    wishes.rest_on("buttocks", setting.main, 6, board)
    lean = setting.between(-6, 4)
    for side in SIDES:
        wishes.rest_on(f"{side}_thigh", setting.main, 4, board)
        wishes.rest_on(f"{side}_hand", setting.main, 8, board)
        at = (SIGN[side] * 0.28, place[1] + setting.between(-0.05, 0.05), z + 0.05)
        wishes.anchors.append(Anchor(joint=f"{side}_wrist", place=at))
    gaze(setting, wishes)
    legs = {side: Leg(hip=84 + lean, knee=setting.between(70, 88), abduct=setting.between(4, 9), ankle=-12) for side in SIDES}
    key = key_pose(legs, both(BESIDE), pitch=lean, spine=setting.between(6, 14))
    return Draft(
        objects=(placed,), goal=wishes.goal(key, place, balance=(0.0, place[1] - 0.06)), contacts=tuple(wishes.contacts)
    )


def sit_at_table_hands(setting: Setting) -> Draft:
    """On a chair at a table, both hands on the top."""
    seated, table, board = _at_table(setting, pitch=setting.between(0, 8), gap=setting.between(0.03, 0.10))
    for side in SIDES:
        seated.wishes.rest_on(f"{side}_hand", setting.other, 10, board)
        x = seated.place[0] + SIGN[side] * setting.between(0.12, 0.22)
        at = (x, board.edge_y - setting.between(0.10, 0.20), board.height_m + 0.035)
        seated.wishes.anchors.append(Anchor(joint=f"{side}_wrist", place=at, tolerance_m=0.03))
        seated.wishes.anchors.append(Anchor(joint=f"{side}_elbow", place=(FREE, FREE, board.height_m + 0.04)))
    gaze(setting, seated.wishes, down=(8, 30))
    arm = Arm(flex=30, lower=74, turn=20, elbow=70, pronate=75, extend=8, curl=8)
    return seated.draft(both(arm), others=(table,))


def sit_at_table_forearms(setting: Setting) -> Draft:
    """On a chair at a table, bent forward, both forearms on the top."""
    seated, table, board = _at_table(setting, pitch=setting.between(8, 16), gap=setting.between(0.0, 0.05))
    for side in SIDES:
        seated.wishes.rest_on(f"{side}_forearm", setting.other, 4, board)
        x, y, z = seated.place[0], board.edge_y, board.height_m
        wrist = (x + SIGN[side] * setting.between(0.06, 0.14), y - setting.between(0.22, 0.28), z + 0.04)
        elbow = (x + SIGN[side] * 0.26, y - 0.03, z + 0.05)
        seated.wishes.anchors.append(Anchor(joint=f"{side}_wrist", place=wrist))
        seated.wishes.anchors.append(Anchor(joint=f"{side}_elbow", place=elbow))
    gaze(setting, seated.wishes, down=(10, 35))
    return seated.draft(both(Arm(flex=48, lower=66, turn=35, elbow=76, pronate=70, curl=14)), others=(table,))


def _at_table(setting: Setting, *, pitch: float, gap: float) -> tuple[Seated, Placed, Board]:
    """On the chair, with the table's edge `gap` in front of the belly; arms stay over the board, legs under it."""
    how = Sit(
        pitch=pitch, spine=setting.between(8, 16), slide=setting.between(0.04, 0.10),
        reach=setting.between(-0.16, 0.0), apart=setting.between(0.10, 0.18),
    )  # fmt: skip
    seated = on_seat(setting, how, turn_deg=setting.between(-4, 4))
    belly = seated.place[1] - 0.16 * setting.build.scale - 0.25 * float(np.sin(np.radians(pitch)))
    table, board = at_edge(setting, setting.other, at=(seated.place[0], belly - gap), faces=True)
    arms = tuple(f"{side}_{joint}" for side in SIDES for joint in ("shoulder", "elbow", "wrist"))
    legs = tuple(f"{side}_{joint}" for side in SIDES for joint in ("hip", "knee"))
    seated.wishes.outside += [
        Outside(joints=arms, planes=(board.top, board.edge)),
        Outside(joints=legs, planes=(board.under(TOP_THICKNESS_M), board.edge)),
        Outside(joints=("pelvis", "spine1", "spine2", "spine3"), planes=(board.edge,)),
    ]
    return seated, table, board


def is_low_seat(furniture: Furniture) -> bool:
    """A seat that feet reach the floor from."""
    return any(s.kind == "seat" and 0.33 <= s.centre[2] <= 0.56 for s in furniture.surfaces)


def has_rests(furniture: Furniture) -> bool:
    """One seat between two arm rests that forearms reach."""
    seats = [s for s in furniture.surfaces if s.kind == "seat"]
    rests = [s for s in furniture.surfaces if s.kind == "arm"]
    return len(seats) == 1 and len(rests) == 2 and 0.14 <= rests[0].centre[2] - seats[0].centre[2] <= 0.30
