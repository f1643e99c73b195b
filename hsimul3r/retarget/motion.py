"""What retargeting makes: a robot's motion, its contacts, and the scene scaled to its size."""

from dataclasses import dataclass, field

from jaxtyping import Float
from numpy import ndarray

from hsimul3r.artifacts import Artifact, ObjectAsset


@dataclass(frozen=True, kw_only=True)
class RobotContact:
    """A link of the robot that touches an object, or the floor where `target` is "floor", in some frames."""

    part: str
    """Of CONTACT_PARTS: what of the person touched there."""
    body: str
    """The robot's link."""
    target: str
    point: Float[ndarray, "3"]
    """On the target's surface, in the target's own frame (scaled); in the world's for the floor."""
    first: int
    last: int
    """Frames, inclusive."""


@dataclass(frozen=True, kw_only=True)
class RobotMotion(Artifact):
    """A robot's motion in the world frame (+Z up, floor at z = 0, metres): frame i is at i / fps seconds.

    Every joint angle is within its limits, and no angle changes between two frames by more than its joint's speed limit
    allows; linear interpolation in time keeps both.
    """

    robot: str
    """Name of the description (`robot.robot_named`), or the path of the user's file."""
    fps: float
    root_position: Float[ndarray, "frames 3"]
    """Of the origin of the robot's root body."""
    root_quaternion: Float[ndarray, "frames 4"]
    """wxyz, unit, of the root body; neighbours in time lie in the same half of the sphere."""
    joint_names: tuple[str, ...]
    """All hinges of the description, in its order."""
    joint_position: Float[ndarray, "frames joints"]
    """[rad]."""
    contacts: tuple[RobotContact, ...]
    assets: tuple[ObjectAsset, ...]
    """The scene's objects as the robot uses them: meshes, parts and masses already scaled, `T_world_object` where they stand,
    in the first frame where they move."""
    object_paths: dict[str, Float[ndarray, "frames 4 4"]] = field(default_factory=dict)
    """T_world_object of the objects that are moved, in each frame; all others stay where they are."""
    object_scales: dict[str, Float[ndarray, "3"]] = field(default_factory=dict)
    """By how much each object is larger than it was, along its own axes."""
    scene_scale: float
    """Places of the person's scene times this are places of the robot's (what is not an object's height)."""
    person: int = 0
    """Whose motion it was."""
    report: dict[str, float] = field(default_factory=dict)
