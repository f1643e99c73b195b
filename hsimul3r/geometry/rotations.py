"""Rotations as axis-angle vectors, unit quaternions (wxyz) and matrices, with any number of leading dimensions."""

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy.spatial.transform import Rotation


def matrix_from_axis_angle(axis_angle: Float[ndarray, "*batch 3"]) -> Float[ndarray, "*batch 3 3"]:
    """Rotation matrix of an axis-angle vector [rad]."""
    flat = np.asarray(axis_angle, dtype=float).reshape(-1, 3)
    return Rotation.from_rotvec(flat).as_matrix().reshape(*np.shape(axis_angle)[:-1], 3, 3)


def axis_angle_from_matrix(matrix: Float[ndarray, "*batch 3 3"]) -> Float[ndarray, "*batch 3"]:
    """Axis-angle vector [rad], of length at most pi, of a rotation matrix."""
    flat = np.asarray(matrix, dtype=float).reshape(-1, 3, 3)
    return Rotation.from_matrix(flat).as_rotvec().reshape(*np.shape(matrix)[:-2], 3)


def matrix_from_quaternion(quat: Float[ndarray, "*batch 4"]) -> Float[ndarray, "*batch 3 3"]:
    """Rotation matrix of a quaternion wxyz (normalised here)."""
    flat = np.asarray(quat, dtype=float).reshape(-1, 4)
    return Rotation.from_quat(flat, scalar_first=True).as_matrix().reshape(*np.shape(quat)[:-1], 3, 3)


def quaternion_from_matrix(matrix: Float[ndarray, "*batch 3 3"]) -> Float[ndarray, "*batch 4"]:
    """Unit quaternion wxyz with w >= 0 of a rotation matrix."""
    flat = np.asarray(matrix, dtype=float).reshape(-1, 3, 3)
    quat = Rotation.from_matrix(flat).as_quat(canonical=True, scalar_first=True)
    return quat.reshape(*np.shape(matrix)[:-2], 4)


def quaternion_from_axis_angle(axis_angle: Float[ndarray, "*batch 3"]) -> Float[ndarray, "*batch 4"]:
    """Unit quaternion wxyz with w >= 0 of an axis-angle vector [rad]."""
    flat = np.asarray(axis_angle, dtype=float).reshape(-1, 3)
    quat = Rotation.from_rotvec(flat).as_quat(canonical=True, scalar_first=True)
    return quat.reshape(*np.shape(axis_angle)[:-1], 4)


def axis_angle_from_quaternion(quat: Float[ndarray, "*batch 4"]) -> Float[ndarray, "*batch 3"]:
    """Axis-angle vector [rad], of length at most pi, of a quaternion wxyz (normalised here)."""
    flat = np.asarray(quat, dtype=float).reshape(-1, 4)
    return Rotation.from_quat(flat, scalar_first=True).as_rotvec().reshape(*np.shape(quat)[:-1], 3)


def skew(vector: Float[ndarray, "*batch 3"]) -> Float[ndarray, "*batch 3 3"]:
    """Matrix of the cross product: skew(a) @ b == cross(a, b)."""
    x, y, z = np.moveaxis(np.asarray(vector, dtype=float), -1, 0)
    zero = np.zeros_like(x)
    return np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1).reshape(*np.shape(vector), 3)


def angle_between(a: Float[ndarray, "*batch 3 3"], b: Float[ndarray, "*batch 3 3"]) -> Float[ndarray, "*batch"]:
    """Geodesic angle [rad] between two rotations."""
    return np.linalg.norm(axis_angle_from_matrix(np.swapaxes(a, -1, -2) @ b), axis=-1)


def shortest_rotation(source: Float[ndarray, "3"], target: Float[ndarray, "3"]) -> Float[ndarray, "3 3"]:
    """Rotation by the smallest angle that turns the direction `source` to the direction `target`."""
    a = np.asarray(source, dtype=float) / np.linalg.norm(source)
    b = np.asarray(target, dtype=float) / np.linalg.norm(target)
    axis, cosine = np.cross(a, b), float(a @ b)
    sine = float(np.linalg.norm(axis))
    if sine < 1e-12:
        axis, sine = (np.zeros(3), 1.0) if cosine > 0 else (np.cross(a, np.eye(3)[np.argmin(np.abs(a))]), 0.0)
    length = float(np.linalg.norm(axis))
    angle = np.arctan2(sine, cosine)
    return matrix_from_axis_angle(axis / length * angle if length > 0 else np.zeros(3))


def rotation_about_z(angle: float) -> Float[ndarray, "3 3"]:
    """Rotation by `angle` [rad] about the vertical."""
    return matrix_from_axis_angle(np.array([0.0, 0.0, angle]))
