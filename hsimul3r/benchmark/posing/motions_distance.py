"""Distances of many points to furniture by its convex pieces: max over the planes of a piece, min over pieces, with normals.

Outside a piece's edges this is a lower bound of the Euclidean distance, inside it is the depth; both are what contacts need.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numba import njit
from numpy import ndarray

from hsimul3r.benchmark.objects.pieces import Furniture
from hsimul3r.geometry.sdf import half_spaces


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
        self, points: Float[ndarray, "frames points 3"], T_world_object: Float[ndarray, "frames 4 4"], reach_m: float
    ) -> tuple[Float[ndarray, "frames points"], Float[ndarray, "frames points 3"]]:
        """Distances [m], negative inside, and outward normals in the world; the object may stand elsewhere in each frame.

        Farther away than `reach_m` the distance is `reach_m` and the normal zero.
        """
        R, place = T_world_object[:, :3, :3], T_world_object[:, None, :3, 3]
        local = np.ascontiguousarray(((points - place) @ R).reshape(-1, 3))
        distance, normal = _nearest_planes(local, self.planes, self.start, self.low, self.high, reach_m)
        return distance.reshape(points.shape[:2]), normal.reshape(points.shape) @ R.swapaxes(1, 2)


@njit(cache=True)
def _nearest_planes(points, planes, start, low, high, reach):  # noqa: ANN001, ANN202 (compiled)
    distance, normal = np.empty(len(points)), np.empty((len(points), 3))
    for n in range(len(points)):
        x, y, z = points[n, 0], points[n, 1], points[n, 2]
        best, face = reach, -1
        for i in range(len(low)):
            dx = max(low[i, 0] - x, x - high[i, 0])
            dy = max(low[i, 1] - y, y - high[i, 1])
            dz = max(low[i, 2] - z, z - high[i, 2])
            if max(dx, dy, dz) > best:
                continue
            worst, at = -np.inf, -1
            for k in range(start[i], start[i + 1]):
                value = planes[k, 0] * x + planes[k, 1] * y + planes[k, 2] * z - planes[k, 3]
                if value > worst:
                    worst, at = value, k
                    if worst > best:
                        break
            if worst < best:
                best, face = worst, at
        distance[n] = best
        for k in range(3):
            normal[n, k] = planes[face, k] if face >= 0 else 0.0
    return distance, normal
