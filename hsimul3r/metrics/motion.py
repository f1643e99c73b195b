"""Faults of a human motion that no joint error shows: feet that slide while they stand, and feet that float or sink."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

PLANTED_M = 0.03
"""A sole whose lowest point is nearer than this to its support stands, where nothing better is known."""


@dataclass(frozen=True, kw_only=True)
class FootFaults:
    """Over all feet and frames in which they stand; nan where they never do."""

    skate_mm_s: float
    """Mean horizontal speed of a standing sole, between frames in both of which it stands."""
    skate_mm: float
    """Greatest horizontal distance that a sole strays from where it was put, over all times it stands without a break."""
    float_mm: float
    """Mean height of a standing sole's lowest point above its support; only heights above it count."""
    sink_mm: float
    """Mean depth of a standing sole's lowest point below its support; only depths count."""


def foot_faults(
    soles: Float[ndarray, "frames feet points 3"],
    *,
    fps: float,
    is_planted: Bool[ndarray, "frames feet"] | None = None,
    support_m: Float[ndarray, "frames feet"] | float = 0.0,
) -> FootFaults:
    """Faults of soles given as world points. `support_m` is the height of what each foot stands on; without `is_planted` a
    foot stands while its lowest point is within `PLANTED_M` of it."""
    gap = soles[..., 2].min(axis=2) - support_m
    planted = np.abs(gap) < PLANTED_M if is_planted is None else is_planted
    place = soles[..., :2].mean(axis=2)
    both = planted[1:] & planted[:-1]
    speed = np.linalg.norm(np.diff(place, axis=0), axis=2)[both] * fps
    standing = gap[planted]
    return FootFaults(
        skate_mm_s=1000 * float(speed.mean()) if len(speed) else float("nan"),
        skate_mm=1000 * max((_stray(place[:, foot], planted[:, foot]) for foot in range(place.shape[1])), default=0.0),
        float_mm=1000 * float(np.maximum(standing, 0).mean()) if len(standing) else float("nan"),
        sink_mm=1000 * float(np.maximum(-standing, 0).mean()) if len(standing) else float("nan"),
    )


def _stray(place: Float[ndarray, "frames 2"], planted: Bool[ndarray, "frames"]) -> float:
    ends = np.flatnonzero(np.diff(np.concatenate([[False], planted, [False]]).astype(int)))
    stands = (place[first:last] for first, last in zip(ends[::2], ends[1::2]))
    return max((float(np.linalg.norm(stand - stand[0], axis=1).max()) for stand in stands), default=0.0)
