"""How a body can move: the degrees of freedom of each joint in anatomical terms, their limits and their natural values.

A joint turns by `R = exp(swing) exp(twist)`: the twist about the bone first, then the swing about the two axes across it, all
along the axes of the T-pose (+X left, +Y up, +Z front). So every limit is a bound on one coordinate. Ranges of motion follow
the usual clinical tables (goniometry), rounded outwards; natural values are those of relaxed daily postures.
"""

import functools
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from hsimul3r.conventions import BODY_JOINTS
from hsimul3r.geometry.rotations import axis_angle_from_matrix, matrix_from_axis_angle, quaternion_from_matrix, skew

ARM_JOINTS = ("collar", "shoulder", "elbow", "wrist")


@dataclass(frozen=True, kw_only=True)
class JointRange:
    """One coordinate of one joint [deg]: bounds, natural value and its spread."""

    joint: str
    axis: str
    low: float
    high: float
    natural: float
    spread: float


def _left(joint: str, axis: str, low: float, high: float, natural: float, spread: float) -> tuple[JointRange, JointRange]:
    """A coordinate of a left joint and its mirror image on the right: turns about Y and Z change sign, about X they do not."""
    ours = JointRange(joint=f"left_{joint}", axis=axis, low=low, high=high, natural=natural, spread=spread)
    if axis == "x":
        return ours, JointRange(joint=f"right_{joint}", axis=axis, low=low, high=high, natural=natural, spread=spread)
    return ours, JointRange(joint=f"right_{joint}", axis=axis, low=-high, high=-low, natural=-natural, spread=spread)


def _axial(joint: str, flexion: tuple[float, float], turn: float, tilt: float, spread: float) -> tuple[JointRange, ...]:
    """The three coordinates of a joint on the midline: flexion forward is positive about X, turns and tilts are symmetric."""
    return (
        JointRange(joint=joint, axis="x", low=flexion[0], high=flexion[1], natural=0.0, spread=spread),
        JointRange(joint=joint, axis="y", low=-turn, high=turn, natural=0.0, spread=0.7 * spread),
        JointRange(joint=joint, axis="z", low=-tilt, high=tilt, natural=0.0, spread=0.6 * spread),
    )


RANGES: tuple[JointRange, ...] = (
    *_axial("spine1", (-12, 32), 14, 14, 14),
    *_axial("spine2", (-12, 32), 14, 14, 14),
    *_axial("spine3", (-12, 28), 14, 12, 12),
    *_axial("neck", (-30, 35), 40, 25, 14),
    *_axial("head", (-30, 30), 40, 25, 12),
    *_left("collar", "y", -25, 15, 0, 9),
    *_left("collar", "z", -10, 32, 2, 10),
    *_left("shoulder", "x", -75, 90, 10, 40),
    *_left("shoulder", "y", -135, 50, -20, 45),
    *_left("shoulder", "z", -110, 80, -58, 40),
    *_left("elbow", "y", -150, 0, -25, 50),
    *_left("wrist", "x", -80, 80, 0, 25),
    *_left("wrist", "y", -30, 25, 0, 8),
    *_left("wrist", "z", -70, 80, 5, 25),
    *_left("hip", "x", -130, 25, -25, 55),
    *_left("hip", "y", -40, 55, 6, 20),
    *_left("hip", "z", -30, 60, 3, 18),
    *_left("knee", "x", 0, 155, 12, 60),
    *_left("ankle", "x", -35, 50, 0, 15),
    *_left("ankle", "y", -25, 25, 0, 9),
    *_left("ankle", "z", -20, 20, 0, 7),
)


@dataclass(frozen=True, kw_only=True)
class Anatomy:
    """The free coordinates (dofs) of the body joints as arrays [rad]."""

    index: Int[ndarray, "dofs"]
    """Place of each coordinate in a flattened (22, 3) table of joint coordinates."""
    low: Float[ndarray, "dofs"]
    high: Float[ndarray, "dofs"]
    natural: Float[ndarray, "dofs"]
    spread: Float[ndarray, "dofs"]
    is_twist: Float[ndarray, "22 3"]
    """One at the axis along each joint's bone, else zero."""

    @property
    def count(self) -> int:
        return len(self.index)

    def rotations(self, dofs: Float[ndarray, "*batch dofs"]) -> Float[ndarray, "*batch 22 3 3"]:
        """Local rotations of the body joints; the pelvis' is the identity, its turn is no anatomical coordinate."""
        swing, twist = self._swing_and_twist(dofs)
        return matrix_from_axis_angle(swing) @ matrix_from_axis_angle(twist)

    def coordinates(self, rotations: Float[ndarray, "*batch 22 3 3"]) -> Float[ndarray, "*batch dofs"]:
        """The inverse of `rotations`, as far as the free coordinates go: twist about the bone, then swing."""
        quat = quaternion_from_matrix(rotations)
        along = (quat[..., 1:] * self.is_twist).sum(-1)
        angle = 2 * np.arctan2(along, quat[..., 0])
        twist = np.where(angle > np.pi, angle - 2 * np.pi, np.where(angle < -np.pi, angle + 2 * np.pi, angle))
        turned = twist[..., None] * self.is_twist
        swing = axis_angle_from_matrix(rotations @ np.swapaxes(matrix_from_axis_angle(turned), -1, -2))
        table = swing * (1 - self.is_twist) + turned
        return table.reshape(*table.shape[:-2], -1)[..., self.index]

    def axes(self, dofs: Float[ndarray, "*batch dofs"]) -> Float[ndarray, "*batch dofs 3"]:
        """Axis of each coordinate, in the frame of its joint's parent, at a posture: d(rotation) = skew(axis) rotation."""
        swing, _ = self._swing_and_twist(dofs)
        axes = left_jacobian(swing) * (1 - self.is_twist)[:, None] + matrix_from_axis_angle(swing) * self.is_twist[:, None]
        return axes.swapaxes(-1, -2).reshape(*axes.shape[:-3], -1, 3)[..., self.index, :]

    def _swing_and_twist(self, dofs: Float[ndarray, "*batch dofs"]) -> tuple[ndarray, ndarray]:
        table = np.zeros((*np.shape(dofs)[:-1], 3 * len(BODY_JOINTS)))
        table[..., self.index] = dofs
        table = table.reshape(*np.shape(dofs)[:-1], len(BODY_JOINTS), 3)
        return table * (1 - self.is_twist), table * self.is_twist

    def dof(self, joint: str, axis: str) -> int:
        """Place of one coordinate among the dofs."""
        return int(np.flatnonzero(self.index == _flat(joint, axis))[0])

    def posture(self, **degrees: float) -> Float[ndarray, "dofs"]:
        """The natural posture with some coordinates given in degrees, as `left_knee_x=90`."""
        dofs = self.natural.copy()
        for name, value in degrees.items():
            joint, axis = name.rsplit("_", 1)
            dofs[self.dof(joint, axis)] = np.deg2rad(value)
        return dofs


def left_jacobian(axis_angle: Float[ndarray, "*batch 3"]) -> Float[ndarray, "*batch 3 3"]:
    """J with d(exp(a)) = skew(J da) exp(a): the left Jacobian of SO(3)."""
    angle = np.maximum(np.linalg.norm(axis_angle, axis=-1), 1e-4)[..., None, None]
    across = skew(axis_angle)
    return np.eye(3) + (1 - np.cos(angle)) / angle**2 * across + (angle - np.sin(angle)) / angle**3 * across @ across


def _flat(joint: str, axis: str) -> int:
    return 3 * BODY_JOINTS.index(joint) + "xyz".index(axis)


@functools.cache
def anatomy() -> Anatomy:
    """The table RANGES as arrays."""

    def column(field: str) -> ndarray:
        return np.deg2rad(np.array([getattr(entry, field) for entry in RANGES], dtype=float))

    is_twist = np.zeros((len(BODY_JOINTS), 3))
    for j, name in enumerate(BODY_JOINTS):
        is_twist[j, 0 if name.split("_")[-1] in ARM_JOINTS else 1] = 1
    return Anatomy(
        index=np.array([_flat(entry.joint, entry.axis) for entry in RANGES]),
        low=column("low"), high=column("high"), natural=column("natural"), spread=column("spread"), is_twist=is_twist,
    )  # fmt: skip
