"""Distances of many points to furniture by its convex pieces, with normals.

Outside: max over the planes of a piece, min over pieces, a lower bound of the Euclidean distance. Inside: the way through the
nearest plane that leads out of all pieces, so that seams between overlapping pieces hold nothing back.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numba import njit
from numpy import ndarray

from hsimul3r.benchmark.objects.pieces import Furniture
from hsimul3r.geometry.sdf import half_spaces

MOST_PIECES = 12
"""As many pieces at most may overlap in a point."""
EXIT_M = 1e-5
ANYWHERE = -2.0
"""Less than the z of every normal."""


@dataclass(frozen=True, kw_only=True)
class PlanePieces:
    """Convex pieces as planes (n, d) in one table: piece i has rows start[i] to start[i + 1], box low[i], high[i]."""

    planes: Float[ndarray, "planes 4"]
    start: Int[ndarray, "pieces+1"]
    low: Float[ndarray, "pieces 3"]
    high: Float[ndarray, "pieces 3"]

    @classmethod
    def of(cls, furniture: Furniture) -> "PlanePieces":
        tables = [half_spaces(piece.shape) for piece in furniture.pieces]
        corners = [piece.shape.vertices for piece in furniture.pieces]
        return cls(
            planes=np.ascontiguousarray(np.concatenate(tables)),
            start=np.concatenate([[0], np.cumsum([len(table) for table in tables])]).astype(np.int64),
            low=np.array([c.min(0) for c in corners]),
            high=np.array([c.max(0) for c in corners]),
        )

    def query(
        self,
        points: Float[ndarray, "frames points 3"],
        T_world_object: Float[ndarray, "frames 4 4"],
        reach_m: float,
        least_z: Float[ndarray, "frames points"],
    ) -> tuple[Float[ndarray, "frames points"], Float[ndarray, "frames points 3"]]:
        """Distances [m], negative inside, and outward normals in the world; the object may stand elsewhere in each frame.

        Farther away than `reach_m` the distance is `reach_m` and the normal zero. Points inside leave only by planes
        whose normal has more than `least_z`: a hand never leaves a table top downwards.
        """
        R, place = T_world_object[:, :3, :3], T_world_object[:, None, :3, 3]
        local = np.ascontiguousarray(((points - place) @ R).reshape(-1, 3))
        distance, normal = _nearest_planes(local, self.planes, self.start, self.low, self.high, reach_m, least_z.ravel())
        return distance.reshape(points.shape[:2]), normal.reshape(points.shape) @ R.swapaxes(1, 2)


@njit(cache=True)
def _nearest_planes(points, planes, start, low, high, reach, least_z):  # noqa: ANN001, ANN202 (compiled)
    distance, normal = np.empty(len(points)), np.empty((len(points), 3))
    around = np.empty(MOST_PIECES, np.int64)
    for n in range(len(points)):
        best, face, count = reach, -1, 0
        x, y, z = points[n, 0], points[n, 1], points[n, 2]
        for i in range(len(low)):
            dx = max(low[i, 0] - x, x - high[i, 0])
            dy = max(low[i, 1] - y, y - high[i, 1])
            dz = max(low[i, 2] - z, z - high[i, 2])
            if max(dx, dy, dz) > max(best, 0.0):
                continue
            worst, at = _plane_next_to(points[n], planes, start[i], start[i + 1], max(best, 0.0))
            if worst < 0 and count < MOST_PIECES:
                around[count] = i
                count += 1
            if worst < best:
                best, face = worst, at
        if count > 0:
            way, out = _way_out(points[n], planes, start, low, high, around[:count], least_z[n])
            if out >= 0:
                best, face = way, out
        distance[n] = best
        for k in range(3):
            normal[n, k] = planes[face, k] if face >= 0 else 0.0
    return distance, normal


@njit(cache=True)
def _plane_next_to(point, planes, first, last, enough):  # noqa: ANN001, ANN202 (compiled)
    """The largest signed distance to the planes of a piece, or one over `enough`."""
    worst, at = -np.inf, -1
    for k in range(first, last):
        value = planes[k, 0] * point[0] + planes[k, 1] * point[1] + planes[k, 2] * point[2] - planes[k, 3]
        if value > worst:
            worst, at = value, k
            if worst > enough:
                break
    return worst, at


@njit(cache=True)
def _way_out(point, planes, start, low, high, around, least_z):  # noqa: ANN001, ANN202 (compiled)
    """The least depth among planes of the pieces `around` a point behind which no piece is; plane -1 where there is none."""
    best, face = -np.inf, -1
    for i in around:
        for k in range(start[i], start[i + 1]):
            value = planes[k, 0] * point[0] + planes[k, 1] * point[1] + planes[k, 2] * point[2] - planes[k, 3]
            if value <= best or planes[k, 2] <= least_z:
                continue
            if not _is_inside(point + (EXIT_M - value) * planes[k, :3], planes, start, low, high):
                best, face = value, k
    return best, face


@njit(cache=True)
def _is_inside(point, planes, start, low, high):  # noqa: ANN001, ANN202 (compiled)
    for i in range(len(low)):
        if (point > low[i]).all() and (point < high[i]).all():
            if _plane_next_to(point, planes, start[i], start[i + 1], 0.0)[0] < 0:
                return True
    return False
