"""A ball joint as three hinges in a row, and back: what a URDF can hold.

The hinge in the middle must not come near 90 degrees. That is the joint's least axis: abduction at legs and trunk (their
bending is about x, their turning about y), the arm's own turning at arms (which swing about z and y).
"""

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy.spatial.transform import Rotation

from hsimul3r.tracking.layout import joint_kind

ARM = ("collar", "shoulder", "elbow", "wrist")
SMALLEST = 1e-2
"""Where the middle hinge is so near to 90 degrees, rates of the outer two are shared out, not exact."""


def order_of(joint: str) -> str:
    """Axes of a joint's hinges from parent to child."""
    return "zxy" if joint_kind(joint) in ARM else "xzy"


def angles_of(quat: Float[ndarray, "*batch 4"], order: str) -> Float[ndarray, "*batch 3"]:
    """Angles of the hinges that give a rotation, the middle one within 90 degrees."""
    flat = Rotation.from_quat(quat.reshape(-1, 4), scalar_first=True).as_euler(order.upper())
    return flat.reshape(*quat.shape[:-1], 3)


def quaternion_of(angles: Float[ndarray, "*batch 3"], order: str) -> Float[ndarray, "*batch 4"]:
    """The rotation (w not negative) of hinges."""
    flat = Rotation.from_euler(order.upper(), angles.reshape(-1, 3)).as_quat(scalar_first=True, canonical=True)
    return flat.reshape(*angles.shape[:-1], 4)


def rate_map(angles: Float[ndarray, "*batch 3"], order: str) -> Float[ndarray, "*batch 3 3"]:
    """The child's angular velocity in its own frame from the hinges' rates: columns are the hinges' axes seen by the child."""
    flat = angles.reshape(-1, 3)
    last = Rotation.from_euler(order[2].upper(), flat[:, 2:])
    both = Rotation.from_euler(order[1:].upper(), flat[:, 1:])
    axes = np.eye(3)[["xyz".index(axis) for axis in order]]
    columns = [both.inv().apply(axes[0]), last.inv().apply(axes[1]), np.tile(axes[2], (len(flat), 1))]
    return np.stack(columns, axis=-1).reshape(*angles.shape[:-1], 3, 3)


def rates_of(angular: Float[ndarray, "*batch 3"], angles: Float[ndarray, "*batch 3"], order: str) -> Float[ndarray, "*batch 3"]:
    """Rates of the hinges from the child's angular velocity in its own frame."""
    return np.einsum("...ij,...j->...i", np.linalg.pinv(rate_map(angles, order), rcond=SMALLEST), angular)
