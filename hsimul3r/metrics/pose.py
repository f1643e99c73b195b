"""Errors of human joints in millimetres: in the aligned world (W), after one (WA) or a per-person (PA) similarity alignment.

The paper reports W-MPJPE and PA-MPJPE without a unit; here they are mm. Definitions: docs/metrics.md.
"""

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from hsimul3r.geometry.alignment import align_points


def mpjpe_mm(estimated: Float[ndarray, "*batch joints 3"], true: Float[ndarray, "*batch joints 3"]) -> float:
    """Mean distance between joints as they are: W-MPJPE where both are in one world frame."""
    _check(estimated, true)
    return 1000 * float(np.linalg.norm(estimated - true, axis=-1).mean())


def wa_mpjpe_mm(estimated: Float[ndarray, "*batch joints 3"], true: Float[ndarray, "*batch joints 3"]) -> float:
    """Mean distance after one similarity alignment of all joints of all people and frames together."""
    _check(estimated, true)
    fit = align_points(estimated.reshape(-1, 3), true.reshape(-1, 3), with_scale=True)
    return mpjpe_mm(fit.apply(estimated), true)


def pa_mpjpe_mm(estimated: Float[ndarray, "*batch joints 3"], true: Float[ndarray, "*batch joints 3"]) -> float:
    """Mean distance after a similarity alignment (Procrustes) of every skeleton by itself."""
    _check(estimated, true)
    joints = estimated.shape[-2]
    pairs = zip(estimated.reshape(-1, joints, 3), true.reshape(-1, joints, 3))
    return float(np.mean([wa_mpjpe_mm(one, truth) for one, truth in pairs]))


def _check(estimated: ndarray, true: ndarray) -> None:
    if estimated.shape != true.shape or estimated.shape[-1] != 3:
        raise ValueError(f"joints of equal shape (..., joints, 3) are needed, got {estimated.shape} and {true.shape}")
