"""How firmly a motion keeps to its reference and how little its coordinates may accelerate."""

import functools

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from hsimul3r.conventions import BODY_JOINTS

REFERENCE_RAD = {
    "pelvis": (0.25, 0.12, 0.12),
    "hip": (0.5, 0.15, 0.15),
    "knee": (0.6, 0.03, 0.03),
    "ankle": (0.4, 0.08, 0.10),
    "foot": (0.15, 0.03, 0.03),
    "spine": (0.12, 0.08, 0.08),
    "neck": (0.12, 0.12, 0.12),
    "head": (0.12, 0.12, 0.12),
    "collar": (0.08, 0.08, 0.08),
    "shoulder": (0.35, 0.35, 0.35),
    "elbow": (0.25, 0.5, 0.06),
    "wrist": (0.25, 0.10, 0.40),
}
"""Spread about the reference of each joint's turn about X, Y and Z of its parent [rad]; hinges keep their axis."""
ROOT_M = 0.08
ACCELERATION_RAD_S2 = {"pelvis": 2.0, "spine": 2.0, "hip": 4.0, "knee": 5.0, "neck": 4.0, "head": 4.0, "foot": 4.0}
OTHER_ACCELERATION_RAD_S2 = 6.0
ROOT_ACCELERATION_M_S2 = 0.7


@functools.cache
def reference_sigma() -> Float[ndarray, "69"]:
    """Spread about the reference, per coordinate."""
    turns = [REFERENCE_RAD[_word(name)] for name in BODY_JOINTS]
    return np.concatenate([np.ravel(turns), np.full(3, ROOT_M)])


@functools.cache
def acceleration_sigma() -> Float[ndarray, "69"]:
    """Usual size of the acceleration, per coordinate."""
    turns = [ACCELERATION_RAD_S2.get(_word(name), OTHER_ACCELERATION_RAD_S2) for name in BODY_JOINTS]
    return np.concatenate([np.repeat(turns, 3), np.full(3, ROOT_ACCELERATION_M_S2)])


def _word(joint: str) -> str:
    return joint.split("_")[-1].rstrip("123")
