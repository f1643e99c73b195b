"""How far an object is from tipping over: a number where the simulator has only yes and no.

On a flat floor a rigid body stays where it is as long as the resultant of its weight and its load passes between its feet. Most
of what falls in the simulator falls for that reason, so that the distance says what the bit cannot: which of two objects that
fall is nearer to standing.
"""

from collections.abc import Iterable
from typing import Final

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from hsimul3r.conventions import GRAVITY
from hsimul3r.geometry.mesh import solid
from hsimul3r.tracking.supports import polygon
from sim_envs.object_tests import touching_corners

FEET_DEG: Final = 6.0
"""Corners that are lowest in some tilt up to this are feet: of four legs of unequal length all, not the longest three."""


def support_margin(
    vertices: Float[ndarray, "vertices 3"], faces: Int[ndarray, "faces 3"], *, density_kg_m3: float,
    points: Iterable[Float[ndarray, "3"]], load_n: float,
) -> float:  # fmt: skip
    """Least distance of the resultant from the edge of the feet's polygon [m], without a load and with one on each point in
    turn; negative outside, and the distance to the nearest foot where they span no area."""
    integral = solid(vertices, faces)
    weight, middle = GRAVITY * density_kg_m3 * integral.volume_m3, integral.centroid[:2]
    loaded = [(weight * middle + load_n * point[:2]) / (weight + load_n) for point in points]
    feet = touching_corners(vertices, FEET_DEG)
    return min(_inside(feet, place) for place in (middle, *loaded))


def _inside(feet: Float[ndarray, "feet 3"], place: Float[ndarray, "2"]) -> float:
    edges = polygon(feet)
    if edges is None:
        return -float(np.linalg.norm(feet[:, :2] - place, axis=1).min())
    return -float((edges[:, :2] @ place + edges[:, 2]).max())
