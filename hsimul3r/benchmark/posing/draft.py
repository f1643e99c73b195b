"""What the templates of static interactions are made of.

Stage frame: the person faces -Y, left is +X, the floor is z = 0; objects are placed around the person. `stage_pose` turns and
shifts the stage into the world.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from hsimul3r.benchmark.objects.pieces import Furniture, Surface, SurfaceKind
from hsimul3r.benchmark.posing.keyposes import Arm, KeyPose, Leg
from hsimul3r.benchmark.posing.settle import FREE, Aim, Anchor, Goal, Hold, Lap, Outside, Place, Sole
from hsimul3r.benchmark.posing.solids import edge_y
from hsimul3r.body.model import embedded_body
from hsimul3r.conventions import CONTACT_PARTS, SMPLX_JOINTS
from hsimul3r.geometry.rotations import rotation_about_z

Point = Sequence[float] | Float[ndarray, "xy"]
Plane = tuple[float, float, float, float]
SIDES = ("left", "right")
SIGN = {"left": 1.0, "right": -1.0}


@dataclass(frozen=True, kw_only=True)
class Build:
    """Lengths of a subject [m]; `ankle` is over the sole, the hips lie `hip_x` beside and `hip_drop` below the pelvis."""

    stature: float
    thigh: float
    shank: float
    ankle: float
    hip_x: float
    hip_drop: float
    upper_arm: float
    forearm: float

    @classmethod
    def of(cls, betas: Float[ndarray, "10"]) -> "Build":
        """Measured on the T-pose."""
        body, rest, still = embedded_body(), np.zeros((55, 3)), np.zeros(3)
        p = dict(zip(SMPLX_JOINTS, body.joints(betas, rest, still)))
        return cls(
            stature=float(body.stature(betas)),
            thigh=_length(p["left_knee"] - p["left_hip"]),
            shank=_length(p["left_ankle"] - p["left_knee"]),
            ankle=float(p["left_ankle"][1] - body.soles(betas, rest, still)[0, :, 1].mean()),
            hip_x=float(p["left_hip"][0] - p["pelvis"][0]),
            hip_drop=float(p["pelvis"][1] - p["left_hip"][1]),
            upper_arm=_length(p["left_elbow"] - p["left_shoulder"]),
            forearm=_length(p["left_wrist"] - p["left_elbow"]),
        )

    @property
    def leg(self) -> float:
        """From the hip to the sole."""
        return self.thigh + self.shank + self.ankle

    @property
    def scale(self) -> float:
        """Stature against that of the person whose centimetres the templates are written in."""
        return self.stature / 1.70


@dataclass(frozen=True, kw_only=True)
class Placed:
    """A piece of furniture on the stage."""

    name: str
    furniture: Furniture
    T_stage_object: Float[ndarray, "4 4"]

    def surfaces(self, *kinds: SurfaceKind) -> tuple[Surface, ...]:
        """Its surfaces of some kinds, on the stage."""
        R, t = self.T_stage_object[:3, :3], self.T_stage_object[:3, 3]
        return tuple(
            replace(s, centre=R @ s.centre + t, normal=R @ s.normal, across=R @ s.across)
            for s in self.furniture.surfaces
            if s.kind in kinds
        )


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What a template starts from: chance, the subject and the objects by name."""

    rng: np.random.Generator
    build: Build
    objects: Mapping[str, Furniture]

    def between(self, low: float, high: float) -> float:
        return float(self.rng.uniform(low, high))

    def chance(self, probability: float) -> bool:
        return bool(self.rng.random() < probability)

    def side(self) -> str:
        return SIDES[int(self.rng.random() < 0.5)]

    def pick(self, surfaces: Sequence[Surface]) -> Surface:
        return surfaces[int(self.rng.integers(len(surfaces)))]

    @property
    def main(self) -> str:
        return next(iter(self.objects))

    @property
    def other(self) -> str:
        return list(self.objects)[1]


@dataclass(frozen=True, kw_only=True)
class Draft:
    """What a template asks for: the objects where they stand, a goal, and the (part, target) pairs that it is meant to hold."""

    objects: tuple[Placed, ...]
    goal: Goal
    contacts: tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class Board:
    """A table's top or a seat: level at `height_m`, its edge before the person at `edge_y`, on the stage.

    `side` is 1 where the board lies at larger y (behind somebody who sits on it), -1 where it lies in front.
    """

    height_m: float
    edge_y: float
    side: float

    @property
    def top(self) -> Plane:
        """The points under its upper face, as a plane of `Outside`."""
        return (0.0, 0.0, 1.0, self.height_m - 0.001)

    @property
    def edge(self) -> Plane:
        """The points on the board's side of its edge."""
        return (0.0, -self.side, 0.0, -self.side * self.edge_y)

    def under(self, thickness_m: float) -> Plane:
        """The points over its lower face."""
        return (0.0, 0.0, -1.0, -(self.height_m - thickness_m))


@dataclass(kw_only=True)
class Wishes:
    """Parts of a goal while a template collects them."""

    holds: list[Hold] = field(default_factory=list)
    soles: list[Sole] = field(default_factory=list)
    outside: list[Outside] = field(default_factory=list)
    anchors: list[Anchor] = field(default_factory=list)
    aims: list[Aim] = field(default_factory=list)
    laps: list[Lap] = field(default_factory=list)
    contacts: list[tuple[str, str]] = field(default_factory=list)

    def touch(self, part: str, target: str, count: int) -> None:
        """A contact that is welcome but not part of the interaction."""
        self.holds.append(Hold(part=part, target=target, count=count))

    def hold(self, part: str, target: str, count: int) -> None:
        """A contact that the case is meant to hold."""
        self.touch(part, target, count)
        if (part, target) not in self.contacts:
            self.contacts.append((part, target))

    def rest_on(self, part: str, target: str, count: int, board: "Board") -> None:
        """A contact from above with a level board."""
        self.hold(part, target, count)
        self.outside.append(Outside(joints=CONTACT_PARTS[part], planes=(board.top, board.edge)))

    def stand(
        self, side: str, place: Place, *, target: str = "floor", height_m: float = 0.0, tolerance_m: float = 0.03
    ) -> None:
        """A foot flat on a level plane, its ankle near a place."""
        self.soles.append(Sole(side=side, height_m=height_m))
        self.hold(f"{side}_foot", target, 8)
        self.anchors.append(Anchor(joint=f"{side}_ankle", place=place, tolerance_m=tolerance_m))

    def look(self, *, left_deg: float = 0.0, down_deg: float = 0.0, tilt_deg: float = 0.0) -> None:
        """The head upright and its face in a direction; the neck shares the way with the spine."""
        left, down, tilt = np.radians([left_deg, down_deg, tilt_deg])
        front = (float(np.sin(left) * np.cos(down)), float(-np.cos(left) * np.cos(down)), float(-np.sin(down)))
        level = (float(np.cos(left)), float(np.sin(left)), float(np.sin(tilt)))
        self.aims += [
            Aim(joint="head", bone=(0, 0, 1), world=front, tolerance=0.15),
            Aim(joint="head", bone=(1, 0, 0), world=level, tolerance=0.15),
        ]

    def goal(self, key: KeyPose, place: Place, *, balance: tuple[float, float] | None = None) -> Goal:
        """The goal of a key pose."""
        return Goal(
            key=key.axis_angles(), place=place, holds=tuple(self.holds), soles=tuple(self.soles),
            outside=tuple(self.outside), anchors=tuple(self.anchors),
            aims=tuple(self.aims), laps=tuple(self.laps), balance=balance,
        )  # fmt: skip


def put(name: str, furniture: Furniture, *, point: Point, at: Point, turn_deg: float) -> Placed:
    """Furniture turned about the vertical so that its `point` (own frame, x y) comes to `at` on the stage."""
    T = np.eye(4)
    T[:3, :3] = rotation_about_z(np.radians(turn_deg))
    T[:2, 3] = np.asarray(at, float)[:2] - (T[:3, :3] @ np.array([point[0], point[1], 0.0]))[:2]
    return Placed(name=name, furniture=furniture, T_stage_object=T)


def leg_to(build: Build, hip: Place, ankle: Place, *, pitch: float, abduct: float = 4.0, turn: float = 6.0) -> Leg:
    """The leg that brings the ankle to a place with the knee in front and the sole level, two bars in the plane of walking.

    `pitch` is the pelvis' forward pitch [deg]; places on the stage.
    """
    forward, down = hip[1] - ankle[1], hip[2] - ankle[2]
    T, S = build.thigh, build.shank
    length = float(np.clip(np.hypot(forward, down), abs(T - S) + 0.02, 0.995 * (T + S)))
    line = np.degrees(np.arctan2(forward, down))
    at_hip = np.degrees(np.arccos(np.clip((T**2 + length**2 - S**2) / (2 * T * length), -1, 1)))
    knee = 180 - np.degrees(np.arccos(np.clip((T**2 + S**2 - length**2) / (2 * T * S), -1, 1)))
    thigh = line + at_hip
    return Leg(
        hip=float(thigh + pitch), knee=float(knee), ankle=float(np.clip(knee - thigh, -30, 22)), abduct=abduct, turn=turn
    )


def key_pose(
    legs: Mapping[str, Leg], arms: Mapping[str, Arm], *, pitch: float, spine: float, twist: float = 0.0, head_down: float = 5.0
) -> KeyPose:
    """A key pose from limbs by side."""
    return KeyPose(
        left_leg=legs["left"], right_leg=legs["right"], left_arm=arms["left"], right_arm=arms["right"],
        pitch=pitch, spine=spine, twist=twist, head_down=head_down,
    )  # fmt: skip


def both(arm: Arm) -> dict[str, Arm]:
    """The same arm on both sides."""
    return dict.fromkeys(SIDES, arm)


def opposite(side: str) -> str:
    return "right" if side == "left" else "left"


def widest(surfaces: Sequence[Surface]) -> Surface:
    return max(surfaces, key=lambda surface: surface.size_m[0] * surface.size_m[1])


def at_edge(setting: Setting, name: str, *, at: Point, faces: bool, reach_m: float = 0.45) -> tuple[Placed, Board]:
    """A table with its free edge through `at`: before a person who faces it, or behind one who sits on it.

    Free is the long side that nothing stands on: the one that the top's middle is nearer to, or either. `reach_m` is the room
    that the person needs to the left and right.
    """
    furniture = setting.objects[name]
    own = widest([s for s in furniture.surfaces if s.kind == "top"])
    middle = float(own.centre[1])
    free = float(np.sign(middle)) if abs(middle) > 0.05 else (1.0 if setting.chance(0.5) else -1.0)
    spare = max(0.0, own.size_m[0] / 2 - reach_m)
    x, z = float(own.centre[0]) + setting.between(-spare, spare), float(own.centre[2])
    point = (x, edge_y(furniture.name, x=x, z=z - 0.012, side=free))
    turn = (0.0 if (free > 0) == faces else 180.0) + setting.between(-3, 3)
    board = Board(height_m=z, edge_y=float(at[1]), side=-1.0 if faces else 1.0)
    return put(name, furniture, point=point, at=at, turn_deg=turn), board


def edges(placed: Placed, at: Surface, *, below_m: float = 0.06) -> tuple[float, float]:
    """How far in front and behind (y, stage) the object reaches near a level surface's height, at its middle."""
    R, t = placed.T_stage_object[:3, :3], placed.T_stage_object[:3, 3]
    points = np.concatenate([piece.shape.vertices for piece in placed.furniture.pieces]) @ R.T + t
    level = points[np.abs(points[:, 2] - at.centre[2] + below_m / 2) < below_m / 2 + 0.01]
    return float(level[:, 1].min()), float(level[:, 1].max())


def has(furniture: Furniture, *kinds: SurfaceKind) -> bool:
    return all(any(surface.kind == kind for surface in furniture.surfaces) for kind in kinds)


def height(furniture: Furniture, kind: SurfaceKind) -> float:
    """Height of the largest surface of a kind; nan without one."""
    found = [surface for surface in furniture.surfaces if surface.kind == kind]
    return float(widest(found).centre[2]) if found else FREE


def _length(vector: ndarray) -> float:
    return float(np.linalg.norm(vector))
