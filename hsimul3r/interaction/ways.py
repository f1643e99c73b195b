"""Which way a point of the skin leaves a solid: the nearest way out, unless that would draw the body through the solid."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from hsimul3r.geometry.sdf import SignedDistanceField
from hsimul3r.interaction.patches import PatchQuery

THROUGH_COSINE = 0.2
MARCH_M = 0.15
MARCH_STEPS = 15


@dataclass(frozen=True, kw_only=True)
class Way:
    """Signed distance of points to a surface, negative behind it, the direction out, and the points on the surface."""

    distance: Float[ndarray, "points"]
    normal: Float[ndarray, "points 3"]
    foot: Float[ndarray, "points 3"]

    @classmethod
    def to_patch(cls, query: PatchQuery, chosen: Int[ndarray, "points"] | Bool[ndarray, "all"]) -> Self:
        return cls(distance=query.distance[chosen], normal=query.normal[chosen], foot=query.foot[chosen])


def way_out(solid: SignedDistanceField, points: Float[ndarray, "points 3"], skin_normals: Float[ndarray, "points 3"]) -> Way:
    """Signed distance and direction to a solid's surface for points of the skin.

    A point inside whose nearest way out runs along its own outward normal (the back of a knee in a thin seat, nearer to the
    seat's underside than to its edge) leaves against that normal instead: so the body retreats and is not drawn through.
    """
    query = solid.query(points)
    distance, normal, foot = query.distance.copy(), query.gradient.copy(), query.closest.copy()
    through = np.flatnonzero((distance < 0) & ((normal * skin_normals).sum(axis=1) > THROUGH_COSINE))
    if len(through):
        steps = np.linspace(0, MARCH_M, MARCH_STEPS + 1)[1:]
        path = points[through, None] - steps[None, :, None] * skin_normals[through, None]
        outside = solid.query(path.reshape(-1, 3)).distance.reshape(path.shape[:2])
        leaves = (outside > 0).any(axis=1)
        exits, first = through[leaves], (outside[leaves] > 0).argmax(axis=1)
        length = steps[first] - np.minimum(outside[leaves][np.arange(len(exits)), first], MARCH_M / MARCH_STEPS)
        distance[exits], normal[exits] = -length, -skin_normals[exits]
        foot[exits] = points[exits] - length[:, None] * skin_normals[exits]
    return Way(distance=distance, normal=normal, foot=foot)
