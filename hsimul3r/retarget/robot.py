"""A robot as a file: its bodies, joints, limits and shapes, and which of its places answer to which of a person's.

Files lie in `robots/<name>.json`, made from an MJCF by `python -m sim_envs.describe_robot`. Lengths are in metres,
angles in radians; at zero joint angles +X is the robot's front, +Y its left, +Z up. Bodies stand depth-first, parents first;
`joint_names` is the order of the file, for the G1 that of Unitree's SDK.
"""

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from hsimul3r.errors import BadRobot

ROBOTS = Path(__file__).parent / "robots"


@dataclass(frozen=True, kw_only=True)
class RobotJoint:
    """A hinge at the origin of the body that it moves."""

    name: str
    axis: Float[ndarray, "3"]
    """Unit, in the frame of its body."""
    low: float
    high: float
    velocity_rad_s: float
    torque_n_m: float
    armature: float
    """Rotor inertia seen at the joint [kg m^2]."""
    stiffness: float
    damping: float
    """Of the position servo that policies and controllers use [N m / rad, N m s / rad]."""
    home: float
    """Angle when standing with bent knees, where policies start."""


@dataclass(frozen=True, kw_only=True)
class RobotBody:
    """A link; the root has no parent and no joint, other bodies without a joint are fixed to their parent."""

    name: str
    parent: str | None
    position: Float[ndarray, "3"]
    quaternion: Float[ndarray, "4"]
    """In the parent's frame at zero angle, wxyz; of the root: where it stands at `home` above a floor at z = 0."""
    mass_kg: float
    centre: Float[ndarray, "3"]
    """Of mass, in the body's frame."""
    inertia: Float[ndarray, "3 3"]
    """About the centre of mass, along the body's axes [kg m^2]."""
    joint: RobotJoint | None = None


@dataclass(frozen=True, kw_only=True)
class Capsule:
    """What of a link collides: all points within `radius_m` of the line from `start` to `end` (equal: a sphere)."""

    name: str
    body: str
    start: Float[ndarray, "3"]
    end: Float[ndarray, "3"]
    radius_m: float


@dataclass(frozen=True, kw_only=True)
class ContactSurface:
    """What the robot touches with where a person touches with `part` (of CONTACT_PARTS)."""

    part: str
    body: str
    capsules: tuple[str, ...]
    points: Float[ndarray, "points 3"]
    """In the frame of `body`: a sole's corners (heel left, heel right, toe left, toe right), the middle of a palm's skin, or
    nothing for surfaces that touch anywhere."""


@dataclass(frozen=True, kw_only=True)
class KeyPoint:
    """The place on the robot that answers to a joint of the person (of SMPLX_JOINTS), with the turn between their frames."""

    joint: str
    body: str
    offset: Float[ndarray, "3"]
    """In the frame of `body`."""
    quaternion: Float[ndarray, "4"]
    """R_joint_body, wxyz: the body's turn is the joint's world rotation times this."""


@dataclass(frozen=True, kw_only=True, eq=False)
class RobotDescription:
    """All that the retargeter knows of a robot."""

    name: str
    source: str
    licence: str
    bodies: tuple[RobotBody, ...]
    capsules: tuple[Capsule, ...]
    surfaces: tuple[ContactSurface, ...]
    key_points: tuple[KeyPoint, ...]
    apart: tuple[tuple[str, str], ...] = ()
    """Pairs of capsules that must not enter each other."""

    @property
    def root(self) -> str:
        return self.bodies[0].name

    @property
    def body_names(self) -> tuple[str, ...]:
        return tuple(body.name for body in self.bodies)

    @property
    def joints(self) -> tuple[RobotJoint, ...]:
        return tuple(body.joint for body in self.bodies if body.joint is not None)

    @property
    def joint_names(self) -> tuple[str, ...]:
        return tuple(joint.name for joint in self.joints)

    @property
    def mass_kg(self) -> float:
        return sum(body.mass_kg for body in self.bodies)

    def key(self, joint: str) -> KeyPoint | None:
        """The key point of a person's joint, where the robot has one."""
        return next((point for point in self.key_points if point.joint == joint), None)

    def surface(self, part: str) -> ContactSurface | None:
        """What the robot has for a part of CONTACT_PARTS."""
        return next((surface for surface in self.surfaces if surface.part == part), None)


def robot_names() -> tuple[str, ...]:
    """The robots that are shipped."""
    return tuple(sorted(path.stem for path in ROBOTS.glob("*.json")))


@functools.cache
def robot_named(name: str) -> RobotDescription:
    """A shipped robot by its name, or one of the user's by the path of its file. Raises `BadRobot`."""
    shipped = ROBOTS / f"{name}.json"
    return read_robot(shipped if shipped.is_file() else Path(name))


def read_robot(path: Path) -> RobotDescription:
    """Read what `write_robot` wrote. Raises `BadRobot`."""
    try:
        robot = _from_plain(RobotDescription, json.loads(path.read_text()))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadRobot(path, f"unreadable ({error})", robot_names()) from error
    fault = _fault(robot)
    if fault is not None:
        raise BadRobot(path, fault, robot_names())
    return robot


def write_robot(robot: RobotDescription, path: Path) -> None:
    """One line for each body, capsule and point."""
    plain = _to_plain(robot)
    lines = []
    for name, value in plain.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            rows = ",\n".join(f"  {json.dumps(row)}" for row in value)
            lines.append(f" {json.dumps(name)}: [\n{rows}\n ]")
        else:
            lines.append(f" {json.dumps(name)}: {json.dumps(value)}")
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def _fault(robot: RobotDescription) -> str | None:
    """What does not fit together in a description."""
    known: set[str] = set()
    for i, body in enumerate(robot.bodies):
        if (body.parent is None) != (i == 0) or (body.parent is not None and body.parent not in known):
            return f"body '{body.name}' stands before its parent '{body.parent}', or there is more than one root"
        if body.joint is not None and not (body.joint.low <= body.joint.home <= body.joint.high):
            return f"the home angle of '{body.joint.name}' is outside its limits"
        known.add(body.name)
    shapes = {capsule.name for capsule in robot.capsules}
    used = {capsule for surface in robot.surfaces for capsule in surface.capsules} | {c for pair in robot.apart for c in pair}
    owners = {thing.body for thing in (*robot.capsules, *robot.surfaces, *robot.key_points)}
    missing = sorted((used - shapes) | (owners - known))
    return f"nothing is named {', '.join(missing)}" if missing else None


def _to_plain(value: Any) -> Any:
    if isinstance(value, ndarray):
        return np.round(value, 9).tolist()
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: _to_plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, tuple):
        return [_to_plain(item) for item in value]
    return value


def _from_plain(kind: Any, value: Any) -> Any:
    """A value of a dataclass' field; keys that it has not are refused by its constructor."""
    if is_dataclass(kind) and isinstance(kind, type):
        hints = get_type_hints(kind)
        if not isinstance(value, Mapping):
            raise TypeError(f"{kind.__name__} is no table")
        return kind(**{name: _from_plain(hints[name], item) for name, item in value.items()})
    options = [option for option in get_args(kind) if is_dataclass(option)]
    if options and get_origin(kind) is not tuple:
        return None if value is None else _from_plain(options[0], value)
    if get_origin(kind) is tuple:
        return tuple(_from_plain(get_args(kind)[0], item) for item in value)
    if isinstance(value, list):
        return np.array(value, dtype=float)
    return value
