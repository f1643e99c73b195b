"""Where a person's bones are and how they move, from an engine's state: forward kinematics with velocities, exact.

It gives what policies observe without asking the engine for more than its state, and at the state's own time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from hsimul3r.conventions import BODY_JOINTS, SMPLX_PARENTS
from hsimul3r.geometry.rotations import matrix_from_quaternion
from hsimul3r.tracking.layout import AXES, FREE_VELOCITIES, HumanLayout, velocity_names
from hsimul3r.tracking.problem import PersonReference

PARENTS = SMPLX_PARENTS[: len(BODY_JOINTS)]


@dataclass(frozen=True, kw_only=True)
class BodyMotion:
    """Bones in the order of BODY_JOINTS, world frame."""

    position: Float[ndarray, "*batch 22 3"]
    rotation: Float[ndarray, "*batch 22 3 3"]
    velocity: Float[ndarray, "*batch 22 3"]
    spin: Float[ndarray, "*batch 22 3"]
    """Angular velocity."""

    def at(self, frame: Int[ndarray, "sims"]) -> Self:
        """The motion's frames as many simulations side by side."""
        return type(self)(
            position=self.position[frame],
            rotation=self.rotation[frame],
            velocity=self.velocity[frame],
            spin=self.spin[frame],
        )


@dataclass(frozen=True, kw_only=True)
class Skeleton:
    """A person's bones in an engine's state."""

    layout: HumanLayout
    offset: Float[ndarray, "22 3"]
    """Each joint from its parent's, in the parent's frame."""
    root: Int[ndarray, "6"]
    """Places of the root's velocities in qvel."""
    balls: Int[ndarray, "21 3"]
    """Places of the other joints' angular velocities in qvel."""

    @classmethod
    def of(cls, person: PersonReference, qpos_names: Sequence[str], ctrl_names: Sequence[str]) -> Self:
        """Bone lengths from the reference's first frame, places by name."""
        place = {name: i for i, name in enumerate(velocity_names(qpos_names))}
        parents = list(PARENTS[1:])
        R_world_parent = matrix_from_quaternion(person.quats[0, parents])
        bone = person.joints[0, 1:] - person.joints[0, parents]
        return cls(
            layout=HumanLayout.of(person.name, qpos_names, ctrl_names),
            offset=np.concatenate([np.zeros((1, 3)), np.einsum("jki,jk->ji", R_world_parent, bone)]),
            root=np.array([place[f"{person.name}/root:{c}"] for c in FREE_VELOCITIES]),
            balls=np.array([[place[f"{person.name}/{joint}:w{axis}"] for axis in AXES] for joint in BODY_JOINTS[1:]]),
        )

    def motion(self, qpos: Float[ndarray, "sims nq"], qvel: Float[ndarray, "sims nv"]) -> BodyMotion:
        """Positions, rotations and velocities of all bones."""
        local = matrix_from_quaternion(qpos[:, self.layout.balls])
        root_spin, ball_spin = qvel[:, self.root[3:]], qvel[:, self.balls]
        rotation, position = [matrix_from_quaternion(qpos[:, self.layout.root[3:]])], [qpos[:, self.layout.root[:3]]]
        velocity, spin = [qvel[:, self.root[:3]]], [_turned(rotation[0], root_spin)]
        for joint, parent in enumerate(PARENTS[1:], start=1):
            arm = rotation[parent] @ self.offset[joint]
            rotation.append(rotation[parent] @ local[:, joint - 1])
            position.append(position[parent] + arm)
            velocity.append(velocity[parent] + np.cross(spin[parent], arm))
            spin.append(spin[parent] + _turned(rotation[joint], ball_spin[:, joint - 1]))
        return BodyMotion(
            position=np.stack(position, axis=1),
            rotation=np.stack(rotation, axis=1),
            velocity=np.stack(velocity, axis=1),
            spin=np.stack(spin, axis=1),
        )


def _turned(R: Float[ndarray, "sims 3 3"], vector: Float[ndarray, "sims 3"]) -> Float[ndarray, "sims 3"]:
    return np.einsum("nij,nj->ni", R, vector)
