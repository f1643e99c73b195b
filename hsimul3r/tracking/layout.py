"""Where a person's joints and an object's pose lie in an engine's state, found by name; SMPL-X pose to state and back, exactly.

A ball joint's quaternion is the joint's axis-angle, the root's free joint is pose[0] and the world position of joint 0, and a
servo's target is the joint's rotation vector: nothing is approximated in either direction.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from hsimul3r.conventions import BODY_JOINTS
from hsimul3r.geometry.rotations import axis_angle_from_quaternion, quaternion_from_axis_angle

FREE_COMPONENTS = ("x", "y", "z", "qw", "qx", "qy", "qz")
FREE_VELOCITIES = ("vx", "vy", "vz", "wx", "wy", "wz")
BALL_COMPONENTS = ("qw", "qx", "qy", "qz")
BALL_VELOCITIES = ("wx", "wy", "wz")
HINGE_COMPONENTS = ("angle",)
HINGE_VELOCITIES = ("rate",)
AXES = ("x", "y", "z")


def joint_kind(joint: str) -> str:
    """A joint's name without its side."""
    return joint.removeprefix("left_").removeprefix("right_")


def human_name(person: int) -> str:
    """Prefix of a person's names in the engine."""
    return f"person{person}"


@dataclass(frozen=True, kw_only=True)
class HumanLayout:
    """Places of one person's 22 joints, in the order of BODY_JOINTS, in qpos and ctrl."""

    human: str
    root: Int[ndarray, "7"]
    balls: Int[ndarray, "21 4"]
    servos: Int[ndarray, "21 3"]

    @classmethod
    def of(cls, human: str, qpos_names: Sequence[str], ctrl_names: Sequence[str]) -> Self:
        """Find the joints named '<human>/<joint>'."""
        place = {name: i for i, name in enumerate(qpos_names)}
        servo = {name: i for i, name in enumerate(ctrl_names)}
        moved = BODY_JOINTS[1:]
        return cls(
            human=human,
            root=np.array([place[f"{human}/root:{c}"] for c in FREE_COMPONENTS]),
            balls=np.array([[place[f"{human}/{joint}:{c}"] for c in BALL_COMPONENTS] for joint in moved]),
            servos=np.array([[servo[f"{human}/{joint}/{axis}"] for axis in AXES] for joint in moved]),
        )

    def body_names(self) -> tuple[str, ...]:
        """The person's bodies in the order of BODY_JOINTS."""
        return tuple(f"{self.human}/{joint}" for joint in BODY_JOINTS)

    def write_pose(
        self, qpos: Float[ndarray, "*batch nq"], root: Float[ndarray, "*batch 3"], pose: Float[ndarray, "*batch 22 3"]
    ) -> None:
        """Put the world position of joint 0 and the axis-angle pose into `qpos`."""
        quat = quaternion_from_axis_angle(pose)
        qpos[..., self.root[:3]] = root
        qpos[..., self.root[3:]] = quat[..., 0, :]
        qpos[..., self.balls] = quat[..., 1:, :]

    def read_pose(self, qpos: Float[ndarray, "*batch nq"]) -> tuple[Float[ndarray, "*batch 3"], Float[ndarray, "*batch 22 3"]]:
        """World position of joint 0 and axis-angle pose."""
        quat = np.concatenate([qpos[..., None, self.root[3:]], qpos[..., self.balls]], axis=-2)
        return qpos[..., self.root[:3]].copy(), axis_angle_from_quaternion(quat)

    def write_targets(self, ctrl: Float[ndarray, "*batch nu"], pose: Float[ndarray, "*batch 22 3"]) -> None:
        """Ask the servos for the pose (its root is not driven), as rotation vectors of length at most pi."""
        ctrl[..., self.servos] = axis_angle_from_quaternion(quaternion_from_axis_angle(pose[..., 1:, :]))


def object_place(name: str, qpos_names: Sequence[str]) -> Int[ndarray, "7"]:
    """Places of a free object's position and quaternion in qpos."""
    place = {entry: i for i, entry in enumerate(qpos_names)}
    return np.array([place[f"{name}:{c}"] for c in FREE_COMPONENTS])


def velocity_names(qpos_names: Sequence[str]) -> tuple[str, ...]:
    """Names of qvel's entries from those of qpos: six for a free joint, three for a ball joint."""
    parts: dict[str, list[str]] = {}
    for name in qpos_names:
        joint, component = name.rsplit(":", 1)
        parts.setdefault(joint, []).append(component)
    kinds = {FREE_COMPONENTS: FREE_VELOCITIES, BALL_COMPONENTS: BALL_VELOCITIES}
    return tuple(f"{joint}:{component}" for joint, held in parts.items() for component in kinds[tuple(held)])
