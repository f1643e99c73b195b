"""Forward kinematics of a robot in all frames of a motion, and how places on it move with its unknowns.

Unknowns of a frame, in this order: shift of the root (world), turn of the root (rotation vector in the world, about the root's
origin), joint angles. A place p on body b moves by

    dp = shift + turn x (p - root) + sum_j axis_j x (p - pivot_j) angle_j

over the joints j between the root and b.
"""

import functools
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numba import njit
from numpy import ndarray

from hsimul3r.geometry.rotations import matrix_from_quaternion
from hsimul3r.retarget.robot import RobotDescription

ROOT = 6
"""Unknowns of the root."""


@dataclass(frozen=True, kw_only=True)
class Chain:
    """A robot's tree as arrays; bodies and joints in the order of its description."""

    body_names: tuple[str, ...]
    joint_names: tuple[str, ...]
    parent: Int[ndarray, "bodies"]
    position: Float[ndarray, "bodies 3"]
    rotation: Float[ndarray, "bodies 3 3"]
    """In the parent's frame at zero angle."""
    joint: Int[ndarray, "bodies"]
    """Joint of each body, -1 where it has none."""
    axis: Float[ndarray, "bodies 3"]
    carrier: Int[ndarray, "joints"]
    """Body of each joint."""
    moved_by: Int[ndarray, "bodies joints"]
    """The joints between the root and a body, then -1."""
    low: Float[ndarray, "joints"]
    high: Float[ndarray, "joints"]
    speed_rad_s: Float[ndarray, "joints"]
    home: Float[ndarray, "joints"]

    def body(self, name: str) -> int:
        return self.body_names.index(name)


@functools.cache
def chain_of(robot: RobotDescription) -> Chain:
    """The arrays of a description."""
    names, joints = robot.body_names, robot.joint_names
    parent = np.array([-1 if body.parent is None else names.index(body.parent) for body in robot.bodies])
    joint = np.array([-1 if body.joint is None else joints.index(body.joint.name) for body in robot.bodies])
    moved_by = np.full((len(names), len(joints)), -1)
    for body in range(len(names)):
        above = body
        path = []
        while above >= 0:
            path += [joint[above]] if joint[above] >= 0 else []
            above = parent[above]
        moved_by[body, : len(path)] = path
    return Chain(
        body_names=names,
        joint_names=joints,
        parent=parent,
        position=np.array([body.position for body in robot.bodies]),
        rotation=matrix_from_quaternion(np.array([body.quaternion for body in robot.bodies])),
        joint=joint,
        axis=np.array([np.zeros(3) if body.joint is None else body.joint.axis for body in robot.bodies]),
        carrier=np.array([int(np.flatnonzero(joint == j)[0]) for j in range(len(joints))]),
        moved_by=moved_by,
        low=np.array([j.low for j in robot.joints]),
        high=np.array([j.high for j in robot.joints]),
        speed_rad_s=np.array([j.velocity_rad_s for j in robot.joints]),
        home=np.array([j.home for j in robot.joints]),
    )


@dataclass(frozen=True, kw_only=True)
class Postures:
    """A robot in every frame: the unknowns, and where they put its bodies."""

    root: Float[ndarray, "frames 3"]
    turn: Float[ndarray, "frames 3 3"]
    """World rotation of the root."""
    angles: Float[ndarray, "frames joints"]
    rotations: Float[ndarray, "frames bodies 3 3"]
    positions: Float[ndarray, "frames bodies 3"]
    axes: Float[ndarray, "frames joints 3"]
    """World axes of the joints; their pivots are the origins of their bodies."""

    def __len__(self) -> int:
        return len(self.root)

    def places(self, bodies: Int[ndarray, "points"], offsets: Float[ndarray, "points 3"]) -> Float[ndarray, "frames points 3"]:
        """World places of points given in the frames of bodies."""
        return _places(self.rotations, self.positions, bodies, np.ascontiguousarray(offsets, np.float64))


def posed(
    chain: Chain, root: Float[ndarray, "frames 3"], turn: Float[ndarray, "frames 3 3"], angles: Float[ndarray, "frames joints"]
) -> Postures:
    """Forward kinematics."""
    p, R, q = (np.ascontiguousarray(values, np.float64) for values in (root, turn, angles))
    rotations, positions, axes = _forward(p, R, q, chain.parent, chain.position, chain.rotation, chain.joint, chain.axis)
    return Postures(root=root, turn=turn, angles=angles, rotations=rotations, positions=positions, axes=axes)


@njit(cache=True)
def _forward(root, turn, angles, parent, position, rotation, joint, axis):  # noqa: ANN001, ANN202
    frames, bodies = len(root), len(parent)
    R = np.empty((frames, bodies, 3, 3))
    p = np.empty((frames, bodies, 3))
    axes = np.empty((frames, angles.shape[1], 3))
    base = np.empty((3, 3))
    for t in range(frames):
        R[t, 0], p[t, 0] = turn[t], root[t]
        for b in range(1, bodies):
            Q = R[t, parent[b]]
            for i in range(3):
                p[t, b, i] = p[t, parent[b], i]
                for k in range(3):
                    p[t, b, i] += Q[i, k] * position[b, k]
                    base[i, k] = Q[i, 0] * rotation[b, 0, k] + Q[i, 1] * rotation[b, 1, k] + Q[i, 2] * rotation[b, 2, k]
            if joint[b] < 0:
                R[t, b] = base
                continue
            x, y, z = axis[b]
            c, s = np.cos(angles[t, joint[b]]), np.sin(angles[t, joint[b]])
            d = 1 - c
            for i in range(3):
                u, v, w = base[i]
                axes[t, joint[b], i] = u * x + v * y + w * z
                along = d * axes[t, joint[b], i]
                R[t, b, i, 0] = c * u + along * x + s * (v * z - w * y)
                R[t, b, i, 1] = c * v + along * y + s * (w * x - u * z)
                R[t, b, i, 2] = c * w + along * z + s * (u * y - v * x)
    return R, p, axes


@njit(cache=True)
def _places(rotations, positions, bodies, offsets):  # noqa: ANN001, ANN202
    places = np.empty((len(positions), len(bodies), 3))
    for t in range(len(positions)):
        for k in range(len(bodies)):
            R, b = rotations[t, bodies[k]], bodies[k]
            x, y, z = offsets[k]
            for i in range(3):
                places[t, k, i] = positions[t, b, i] + R[i, 0] * x + R[i, 1] * y + R[i, 2] * z
    return places
