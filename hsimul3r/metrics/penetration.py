"""Scene penetration of a human into objects (SP-3D), from the signed distances of the human's vertices."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

REGION_M = 0.05
DEPTH_M = 0.01


@dataclass(frozen=True, kw_only=True)
class Penetration:
    """Penetration of one human; see `scene_penetration`."""

    sp3d_percent: float
    max_depth_mm: float
    mean_depth_mm: float
    """Mean over the vertices that lie inside; 0 where none does."""
    inside_percent: float
    region_count: int


def scene_penetration(
    signed_distance: Float[ndarray, "vertices"], *, region_m: float = REGION_M, depth_m: float = DEPTH_M
) -> Penetration:
    """SP-3D and its companions, from each vertex's signed distance to the nearest object (positive outside).

    The paper names SP-3D without defining it. Here it is the percentage of the contact region's vertices (those closer than
    `region_m` to an object, or inside one) that lie deeper inside than `depth_m`; 0 where the region is empty. Beside it:
    the deepest vertex, the mean depth of those inside, and the share of all vertices that are inside at all.
    """
    depth = np.maximum(0.0, -signed_distance)
    region = signed_distance < region_m
    inside = depth > 0
    return Penetration(
        sp3d_percent=100 * float((depth > depth_m).sum()) / max(int(region.sum()), 1),
        max_depth_mm=1000 * float(depth.max(initial=0.0)),
        mean_depth_mm=1000 * float(depth[inside].mean()) if inside.any() else 0.0,
        inside_percent=100 * float(inside.mean()) if len(inside) else 0.0,
        region_count=int(region.sum()),
    )
