"""Sitting down, standing up, and what people do while they sit."""

from dataclasses import dataclass, replace

import numpy as np

from hsimul3r.benchmark.objects.pieces import Surface
from hsimul3r.benchmark.posing.keyposes import Arm, KeyPose, Leg
from hsimul3r.benchmark.posing.motions_plan import Anchor, Hold, Key, MotionPlan, Place, Stance, ThighRest
from hsimul3r.benchmark.posing.motions_problem import THIGHS
from hsimul3r.benchmark.posing.motions_stage import FOREVER_S, HANGING, SIDES, UNDER_TOP_M, Stage

SCOOT_M = 0.02
PELVIS_UP_M = 0.09
TRUNK_M = 0.35
UNDER_KNEE_M = 0.055
"""From the knee joint down to the skin, at 1.70 m."""
LOWER_M = 0.01
"""How much higher than that a seat may be for feet that stay flat."""
FORWARD = Arm(flex=52, lower=72, elbow=34, pronate=40)
REACHING = Arm(flex=66, lower=70, elbow=40, pronate=40)
ON_THIGH = Arm(flex=22, lower=76, elbow=54, pronate=70)
NEAR = Arm(flex=-4, lower=76, elbow=74, pronate=70)
"""A hand on the thigh close to the body."""
HIP_UP_M, ANKLE_UP_M, BALL_AHEAD_M, MOST_RISE_M = 0.076, 0.075, 0.135, 0.065
"""Hips over a seat, ankles over the floor, balls before the ankles, and how far heels rise, at 1.70 m."""


@dataclass(frozen=True, kw_only=True)
class Sitter:
    """Where the feet stand and the pelvis rests, for a seat of the first object."""

    stances: tuple[Stance, Stance]
    pelvis_m: Place
    target: str
    back_y: float
    """How far back a pelvis fits that leans on the back."""
    size: float
    thigh_m: float
    shin_m: float
    heels_up_m: float
    """How far the heels must rise because the seat is too high for feet that stand flat; 0 where it is not."""

    def leg(self, pitch: float, pelvis: Place | None = None, *, abduct: float = 7) -> Leg:
        """A leg from a pelvis on the seat, pitched forward by some degrees, to its foot."""
        place = pelvis or self.pelvis_m
        ahead = place[1] - self.stances[0].place_m[1]
        down = place[2] - PELVIS_UP_M * self.size + HIP_UP_M * self.size - ANKLE_UP_M * self.size - self.heels_up_m
        way = min(float(np.hypot(ahead, down)), 0.98 * (self.thigh_m + self.shin_m))
        below = np.degrees(np.arctan2(down, ahead))
        at_hip = _corner(self.shin_m, self.thigh_m, way)
        knee = 180 - _corner(way, self.thigh_m, self.shin_m)
        raised = at_hip - below
        heel = np.degrees(np.arcsin(self.heels_up_m / (BALL_AHEAD_M * self.size)))
        return Leg(hip=90 + raised + pitch, abduct=abduct, turn=6, knee=knee, ankle=float(knee - 90 - raised - heel))

    def seated(self, start_s: float, end_s: float, thighs_s: tuple[float, float] | None = None) -> tuple[Hold, ...]:
        """Buttocks on the seat, and from `thighs_s[0]` to `thighs_s[1]` thighs; those of who leans back may rise off it."""
        buttocks = Hold(part="buttocks", target=self.target, start_s=start_s, end_s=end_s, count=6)
        if thighs_s is None:
            return (buttocks,)
        first, last = thighs_s
        thighs = [Hold(part=part, target=self.target, start_s=first, end_s=last, count=2) for part in THIGHS]
        return buttocks, *thighs

    @property
    def leaning_m(self) -> Place:
        """The pelvis of who leans back: a little deeper in the seat, as far as the shanks allow."""
        x, y, z = self.pelvis_m
        return x, min(self.back_y, y + SCOOT_M), z

    def rests(self, place: Place, start_s: float, end_s: float) -> Anchor:
        """The pelvis does not slide on the seat, wherever near `place` the legs let it sit."""
        where = place[0], place[1], float("nan")
        return Anchor(joint="pelvis", place_m=where, start_s=start_s, end_s=end_s, is_wish=True)

    def with_heels_free(self, start_s: float, end_s: float) -> tuple[Stance, ...]:
        """The feet of somebody whose shanks are too short for the seat lift their heels while on it."""
        free = (start_s, end_s) if self.heels_up_m > 0 else None
        return tuple(replace(stance, heel_free_s=free) for stance in self.stances)

    def above(self, forward_m: float, up_m: float) -> Place:
        """The pelvis before and over its place."""
        x, y, z = self.pelvis_m
        return x, y - forward_m, z + up_m


def sit_down(stage: Stage) -> MotionPlan:
    """From standing in front of a seat to sitting on it, hands on the thighs."""
    sitter, times = _sitter(stage), stage.times(0.0, 0.9, 1.7, 2.7)
    keys = (
        Key(time_s=times[0], pose=_standing(stage)),
        Key(time_s=times[1], pose=_bowed(stage)),
        Key(time_s=times[2], pose=_touching(stage, sitter), pelvis_m=sitter.above(0.0, 0.01)),
        Key(time_s=times[3], pose=_seated(stage, sitter), pelvis_m=sitter.pelvis_m),
    )
    on_seat = sitter.rests(sitter.pelvis_m, times[2], FOREVER_S)
    return _plan(
        stage,
        sitter,
        keys,
        sitter.seated(times[2], FOREVER_S, (times[3], FOREVER_S)),
        _rests(times[3] - 0.15, FOREVER_S),
        (on_seat,),
    )


def stand_up(stage: Stage) -> MotionPlan:
    """From sitting, hands on the thighs, to standing."""
    sitter, times = _sitter(stage), stage.times(0.15, 1.05, 1.75, 2.75)
    keys = (
        Key(time_s=times[0], pose=_seated(stage, sitter), pelvis_m=sitter.pelvis_m),
        Key(time_s=times[1], pose=_touching(stage, sitter), pelvis_m=sitter.above(0.0, 0.01)),
        Key(time_s=times[2], pose=_bowed(stage)),
        Key(time_s=times[3], pose=_standing(stage)),
    )
    on_seat = sitter.rests(sitter.pelvis_m, 0.0, times[1])
    return _plan(stage, sitter, keys, sitter.seated(0.0, times[1], (0.0, times[0])), _rests(0.0, times[0] + 0.2), (on_seat,))


def sit_back(stage: Stage) -> MotionPlan:
    """From standing to sitting on a soft seat, then leaning back on it."""
    sitter, times = _sitter(stage), stage.times(0.0, 0.9, 1.7, 2.8, 3.3)
    leaning = _leaning(stage, sitter)
    keys = (
        Key(time_s=times[0], pose=_standing(stage)),
        Key(time_s=times[1], pose=_bowed(stage)),
        Key(time_s=times[2], pose=_touching(stage, sitter), pelvis_m=sitter.above(0.0, 0.01)),
        Key(time_s=times[3], pose=leaning, pelvis_m=sitter.leaning_m),
        Key(time_s=times[4], pose=leaning, pelvis_m=sitter.leaning_m),
    )
    back = Hold(part="back", target=sitter.target, start_s=times[3], end_s=FOREVER_S, count=5)
    holds = (*sitter.seated(times[2], FOREVER_S), back)
    on_seat = sitter.rests(sitter.pelvis_m, times[2], times[2]), sitter.rests(sitter.leaning_m, times[3], FOREVER_S)
    return _plan(stage, sitter, keys, holds, _rests(times[3], FOREVER_S), on_seat)


def rise_from_back(stage: Stage) -> MotionPlan:
    """From leaning back on a soft seat to standing."""
    sitter, times = _sitter(stage), stage.times(0.0, 0.3, 1.35, 2.1, 3.15)
    leaning = _leaning(stage, sitter)
    keys = (
        Key(time_s=times[0], pose=leaning, pelvis_m=sitter.leaning_m),
        Key(time_s=times[1], pose=leaning, pelvis_m=sitter.leaning_m),
        Key(time_s=times[2], pose=_touching(stage, sitter), pelvis_m=sitter.above(0.0, 0.01)),
        Key(time_s=times[3], pose=_bowed(stage)),
        Key(time_s=times[4], pose=_standing(stage)),
    )
    back = Hold(part="back", target=sitter.target, start_s=0.0, end_s=times[1], count=5)
    on_seat = sitter.rests(sitter.leaning_m, 0.0, times[1]), sitter.rests(sitter.pelvis_m, times[2], times[2])
    return _plan(stage, sitter, keys, (*sitter.seated(0.0, times[2]), back), _rests(0.0, times[1]), on_seat)


def reach_table(stage: Stage) -> MotionPlan:
    """Sitting on the first object, a hand goes to the second, a table in front, stays a while and comes back."""
    sitter, t = _sitter(stage), stage.times(0.15, 0.85, 1.5, 2.2, 2.85, 3.55)
    top, size = stage.surfaces("top", 1)[0], stage.size
    table, near = stage.furniture[1].name, sitter.pelvis_m[1] - stage.around(0.49, 0.02) * size
    depth = stage.edge_y(float(top.centre[0]), float(top.centre[2]) - UNDER_TOP_M, 1)
    side, sign = SIDES[int(stage.rng.integers(2))]
    wrist = sitter.pelvis_m[0] + sign * stage.around(0.20, 0.05), near - stage.around(0.11, 0.02), float(top.centre[2]) + 0.045
    rest = replace(_seated(stage, sitter), left_arm=NEAR, right_arm=NEAR)
    reaching, raising = _reaching(sitter, sign), _raising(sitter, sign)
    keys = [
        Key(time_s=moment, pose=pose, pelvis_m=sitter.pelvis_m)
        for moment, pose in zip(t, (rest, raising, reaching, reaching, raising, rest))
    ]
    other = "right" if side == "left" else "left"
    anchors = (
        Anchor(joint=f"{side}_wrist", place_m=wrist, start_s=t[2], end_s=t[3], is_wish=True),
        sitter.rests(sitter.pelvis_m, 0.0, FOREVER_S),
    )
    plan = _plan(
        stage, sitter, tuple(keys), sitter.seated(0.0, FOREVER_S, (0.0, FOREVER_S)), _rests(0.0, FOREVER_S, (other,)), anchors
    )
    return replace(
        plan,
        objects=(stage.standing(), stage.standing(1, at=(sitter.pelvis_m[0], near - depth))),
        holds=(*plan.holds, Hold(part=f"{side}_hand", target=table, start_s=t[2], end_s=t[3], count=8, stays=True)),
    )


def _reaching(sitter: Sitter, sign: int) -> KeyPose:
    """One hand ahead and flat, the left for sign 1, the other on its thigh."""
    arm = Arm(flex=96, lower=72, turn=5, elbow=26, pronate=72, extend=15, curl=18)
    return _one_arm(sitter, sign, arm, pitch=20)


def _raising(sitter: Sitter, sign: int) -> KeyPose:
    """One hand on its way, above the table's edge."""
    return _one_arm(sitter, sign, Arm(flex=62, lower=68, turn=5, elbow=82, pronate=72, extend=5, curl=18), pitch=8)


def _one_arm(sitter: Sitter, sign: int, arm: Arm, pitch: float) -> KeyPose:
    arms = (arm, NEAR) if sign > 0 else (NEAR, arm)
    leg = sitter.leg(pitch)
    return KeyPose(
        left_leg=leg, right_leg=leg, left_arm=arms[0], right_arm=arms[1], pitch=pitch, spine=14, twist=-sign * 5, head_down=8,
    )  # fmt: skip


def _rests(start_s: float, end_s: float, sides: tuple[str, ...] = ("left", "right")) -> tuple[ThighRest, ...]:
    return tuple(ThighRest(side=side, start_s=start_s, end_s=end_s) for side in sides)


def _plan(
    stage: Stage,
    sitter: Sitter,
    keys: tuple[Key, ...],
    holds: tuple[Hold, ...],
    rests: tuple[ThighRest, ...],
    anchors: tuple[Anchor, ...],
) -> MotionPlan:
    seated = next(hold for hold in holds if hold.part == "buttocks")
    return MotionPlan(
        betas=stage.betas,
        duration_s=keys[-1].time_s + 0.25,
        objects=(stage.standing(),),
        keys=keys,
        stances=sitter.with_heels_free(seated.start_s, seated.end_s),
        holds=holds,
        anchors=anchors,
        thigh_rests=rests,
    )


def _sitter(stage: Stage) -> Sitter:
    """One of the seats, the feet close before it, one a little farther than the other, the pelvis short of the back."""
    seats = stage.surfaces("seat")
    seat = seats[int(stage.rng.integers(len(seats)))]
    spread, yaw, apart = stage.around(0.115, 0.02), stage.around(8, 5), stage.around(0.0, 0.03)
    places = [float(seat.centre[0]) + sign * spread for _, sign in SIDES]
    clear = stage.clear_y(tuple(places), front_edge(stage, seat))
    deepest = min((surface.centre[1] for surface in stage.surfaces("back")), default=np.inf) - 0.195 * stage.size
    pelvis_y = min(clear + 0.36 * stage.size, float(deepest))
    ankle_y = min(clear, pelvis_y - 0.345 * stage.size)
    stances = [
        Stance(side=side, start_s=0.0, end_s=FOREVER_S, place_m=(x, ankle_y - max(0.0, sign * apart), 0.0), yaw_deg=yaw)
        for (side, sign), x in zip(SIDES, places)
    ]
    pelvis = float(seat.centre[0]), pelvis_y, float(seat.centre[2]) + PELVIS_UP_M * stage.size
    over = float(seat.centre[2]) - stage.knee_m + UNDER_KNEE_M * stage.size
    return Sitter(
        stances=(stances[0], stances[1]),
        pelvis_m=pelvis,
        target=stage.furniture[0].name,
        back_y=float(deepest),
        size=stage.size,
        thigh_m=stage.thigh_m,
        shin_m=stage.shin_m,
        heels_up_m=min(over, MOST_RISE_M * stage.size) if over > LOWER_M else 0.0,
    )


def _corner(opposite: float, a: float, b: float) -> float:
    """Angle of a triangle [deg] between sides a and b."""
    return float(np.degrees(np.arccos(np.clip((a**2 + b**2 - opposite**2) / (2 * a * b), -1, 1))))


def front_edge(stage: Stage, seat: Surface) -> float:
    """The foremost y of what is at the height of a seat, before its place."""
    corners = np.concatenate([piece.shape.vertices for piece in stage.furniture[0].pieces])
    near = np.abs(corners[:, 2] - seat.centre[2]) < 0.08
    return float(corners[near & (np.abs(corners[:, 0] - seat.centre[0]) < 0.25), 1].min())


def _standing(stage: Stage) -> KeyPose:
    return _symmetric(Leg(hip=3, abduct=3, turn=8, knee=5, ankle=2), HANGING, pitch=2, spine=4, head_down=stage.around(5, 5))


def _bowed(stage: Stage) -> KeyPose:
    leg = Leg(hip=75, abduct=4, turn=6, knee=62, ankle=17)
    return _symmetric(leg, FORWARD, pitch=stage.around(28, 3), spine=14, head_down=2)


def _touching(stage: Stage, sitter: Sitter) -> KeyPose:
    return _symmetric(sitter.leg(30, abduct=5), REACHING, pitch=30, spine=stage.around(22, 4), head_down=0)


def _seated(stage: Stage, sitter: Sitter) -> KeyPose:
    pitch = stage.around(-5, 3)
    upright = _symmetric(sitter.leg(pitch), ON_THIGH, pitch=pitch, spine=stage.around(4, 4), head_down=stage.around(2, 6))
    return replace(upright, head_left=stage.around(0, 15))


def _leaning(stage: Stage, sitter: Sitter) -> KeyPose:
    """Farther back, the farther the back is."""
    away = sitter.back_y - sitter.leaning_m[1]
    pitch = -stage.around(17, 3) - np.degrees(np.arctan2(away, TRUNK_M * stage.size))
    leg = sitter.leg(pitch, sitter.leaning_m)
    return replace(_seated(stage, sitter), left_leg=leg, right_leg=leg, pitch=pitch, spine=8 + away * 60)


def _symmetric(leg: Leg, arm: Arm, *, pitch: float, spine: float, head_down: float) -> KeyPose:
    return KeyPose(
        left_leg=leg,
        right_leg=leg,
        left_arm=arm,
        right_arm=replace(arm, flex=arm.flex + 2),
        pitch=pitch,
        spine=spine,
        head_down=head_down,
    )
