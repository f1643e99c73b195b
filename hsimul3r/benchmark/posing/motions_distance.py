"""Distances of many points to furniture by its convex pieces, with normals.

Outside: max over the planes of a piece, min over pieces, a lower bound of the Euclidean distance. Inside: the way through the
nearest plane that leads out of all pieces, so that seams between overlapping pieces hold nothing back. A table of cells says
which pieces may be around a point.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numba import njit
from numpy import ndarray

from hsimul3r.benchmark.objects.pieces import Furniture
from hsimul3r.benchmark.posing.skin import SkinSamples
from hsimul3r.geometry.sdf import half_spaces

MOST_PIECES = 12
"""As many pieces at most may overlap in a point."""
EXIT_M = 1e-5
CELL_M = 0.04
ANYWHERE = -2.0
"""Less than the z of every normal."""
UPWARD, UPWARD_SHARE = 0.2, 0.25
"""A way by a normal with more z counts as a quarter for points that do not leave anywhere: hands go back over a thin bar."""


@dataclass(frozen=True, kw_only=True)
class Cells:
    """Boxes of `CELL_M` from `low` on, counted along z fastest: cell c meets the pieces piece[start[c] : start[c + 1]]."""

    low: Float[ndarray, "3"]
    count: Int[ndarray, "3"]
    start: Int[ndarray, "cells+1"]
    piece: Int[ndarray, "entries"]

    @classmethod
    def of(cls, low: Float[ndarray, "pieces 3"], high: Float[ndarray, "pieces 3"]) -> "Cells":
        """Cells over the boxes of pieces."""
        origin = low.min(0)
        count = np.floor((high.max(0) - origin) / CELL_M).astype(np.int64) + 1
        cells, owners = [], []
        for i, (first, last) in enumerate(
            zip(*(np.floor((corner - origin) / CELL_M).astype(np.int64) for corner in (low, high)))
        ):
            x, y, z = np.ix_(*(np.arange(a, b + 1) for a, b in zip(first, last)))
            own = ((x * count[1] + y) * count[2] + z).ravel()
            cells.append(own)
            owners.append(np.full(len(own), i))
        cell, piece = np.concatenate(cells), np.concatenate(owners)
        order = np.argsort(cell, kind="stable")
        start = np.searchsorted(cell[order], np.arange(count.prod() + 1))
        return cls(low=origin, count=count, start=start, piece=piece[order])


@dataclass(frozen=True, kw_only=True)
class Hits:
    """Skin samples inside an object: signed distances (negative) and the world normals that lead out."""

    frame: Int[ndarray, "hits"]
    sample: Int[ndarray, "hits"]
    distance: Float[ndarray, "hits"]
    normal: Float[ndarray, "hits 3"]


@dataclass(frozen=True, kw_only=True)
class PlanePieces:
    """Convex pieces as planes (n, d) in one table: piece i has rows start[i] to start[i + 1], box low[i], high[i]."""

    planes: Float[ndarray, "planes 4"]
    start: Int[ndarray, "pieces+1"]
    low: Float[ndarray, "pieces 3"]
    high: Float[ndarray, "pieces 3"]
    cells: Cells

    @classmethod
    def of(cls, furniture: Furniture) -> "PlanePieces":
        tables = [half_spaces(piece.shape) for piece in furniture.pieces]
        corners = [piece.shape.vertices for piece in furniture.pieces]
        low, high = np.array([c.min(0) for c in corners]), np.array([c.max(0) for c in corners])
        return cls(
            planes=np.ascontiguousarray(np.concatenate(tables)),
            start=np.concatenate([[0], np.cumsum([len(table) for table in tables])]).astype(np.int64),
            low=low,
            high=high,
            cells=Cells.of(low, high),
        )

    def query(
        self, points: Float[ndarray, "frames points 3"], T_world_object: Float[ndarray, "frames 4 4"], reach_m: float
    ) -> tuple[Float[ndarray, "frames points"], Float[ndarray, "frames points 3"]]:
        """Distances [m], negative inside, and outward normals in the world; the object may stand elsewhere in each frame.

        Farther away than `reach_m` the distance is `reach_m` and the normal zero.
        """
        local = _in_object(points, T_world_object).reshape(-1, 3)
        distance, normal = _nearest_planes(local, self.planes, self.start, self.low, self.high, reach_m)
        return distance.reshape(points.shape[:2]), normal.reshape(points.shape) @ T_world_object[:, :3, :3].swapaxes(1, 2)

    def hits(
        self,
        vertices: Float[ndarray, "frames vertices 3"],
        T_world_object: Float[ndarray, "frames 4 4"],
        *,
        samples: SkinSamples,
        least_z: Float[ndarray, "frames samples"],
        allowed_m: float,
    ) -> Hits:
        """Samples of a skin that are deeper inside than `allowed_m`.

        They leave only by planes whose normal has more z than `least_z`: a hand never leaves a table top downwards.
        """
        local = _in_object(vertices, T_world_object)
        cells = (self.cells.low, self.cells.count, self.cells.start, self.cells.piece)
        table = _hits(local, samples.index, samples.weight, least_z, allowed_m, self.planes, self.start, cells)
        frame = table[:, 0].astype(int)
        normal = np.einsum("nxy,ny->nx", T_world_object[frame, :3, :3], table[:, 3:])
        return Hits(frame=frame, sample=table[:, 1].astype(int), distance=table[:, 2], normal=normal)


def _in_object(points: Float[ndarray, "frames points 3"], T: Float[ndarray, "frames 4 4"]) -> Float[ndarray, "frames points 3"]:
    return np.ascontiguousarray((points - T[:, None, :3, 3]) @ T[:, :3, :3])


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
            if max(dx, dy, dz) <= best:
                worst, at = _highest_plane(x, y, z, planes, start[i], start[i + 1], best)
                if worst < best:
                    best, face = worst, at
        distance[n] = best
        for k in range(3):
            normal[n, k] = planes[face, k] if face >= 0 else 0.0
    return distance, normal


@njit(cache=True)
def _highest_plane(x, y, z, planes, first, last, enough):  # noqa: ANN001, ANN202 (compiled)
    """The largest signed distance to the planes of a piece, or one over `enough`."""
    worst, at = -np.inf, -1
    for k in range(first, last):
        value = planes[k, 0] * x + planes[k, 1] * y + planes[k, 2] * z - planes[k, 3]
        if value > worst:
            worst, at = value, k
            if worst > enough:
                break
    return worst, at


@njit(cache=True)
def _hits(local, index, weight, least_z, allowed, planes, start, cells):  # noqa: ANN001, ANN202 (compiled)
    """Rows (frame, sample, distance, normal) of samples deeper than `allowed` in pieces, in the object's frame."""
    found, count = np.empty((1024, 6)), 0
    around = np.empty(MOST_PIECES, np.int64)
    for f in range(len(local)):
        for s in range(len(index)):
            a, b, c = index[s, 0], index[s, 1], index[s, 2]
            u, v, w = weight[s, 0], weight[s, 1], weight[s, 2]
            x = u * local[f, a, 0] + v * local[f, b, 0] + w * local[f, c, 0]
            y = u * local[f, a, 1] + v * local[f, b, 1] + w * local[f, c, 1]
            z = u * local[f, a, 2] + v * local[f, b, 2] + w * local[f, c, 2]
            size = _around(x, y, z, planes, start, cells, around)
            if size == 0:
                continue
            way, plane = _way_out(x, y, z, planes, start, cells, around[:size], least_z[f, s])
            if way < -allowed and plane >= 0:
                if count == len(found):
                    found = np.concatenate((found, np.empty_like(found)))
                found[count, :3] = np.array((float(f), float(s), way))
                found[count, 3:] = planes[plane, :3]
                count += 1
    return found[:count]


@njit(cache=True)
def _cell(x, y, z, low, count):  # noqa: ANN001, ANN202 (compiled)
    """Which cell a point is in; -1 outside of all."""
    if x < low[0] or y < low[1] or z < low[2]:
        return -1
    i, j, k = int((x - low[0]) / CELL_M), int((y - low[1]) / CELL_M), int((z - low[2]) / CELL_M)
    if i >= count[0] or j >= count[1] or k >= count[2]:
        return -1
    return (i * count[1] + j) * count[2] + k


@njit(cache=True)
def _around(x, y, z, planes, start, cells, around):  # noqa: ANN001, ANN202 (compiled)
    """How many pieces a point is inside of; `around` gets which."""
    low, count, first, piece = cells
    cell, size = _cell(x, y, z, low, count), 0
    if cell >= 0:
        for entry in range(first[cell], first[cell + 1]):
            i = piece[entry]
            if size < MOST_PIECES and _highest_plane(x, y, z, planes, start[i], start[i + 1], 0.0)[0] < 0:
                around[size] = i
                size += 1
    return size


@njit(cache=True)
def _way_out(x, y, z, planes, start, cells, around, least_z):  # noqa: ANN001, ANN202 (compiled)
    """The least way out of the pieces `around` a point: its depth and plane; -1 where there is none."""
    best, face, least = 0.0, -1, np.inf
    others = np.empty(MOST_PIECES, np.int64)
    for i in around:
        for k in range(start[i], start[i + 1]):
            value = planes[k, 0] * x + planes[k, 1] * y + planes[k, 2] * z - planes[k, 3]
            price = -value * (UPWARD_SHARE if least_z > ANYWHERE and planes[k, 2] > UPWARD else 1.0)
            if price < least and planes[k, 2] > least_z:
                step = EXIT_M - value
                out = x + step * planes[k, 0], y + step * planes[k, 1], z + step * planes[k, 2]
                if _around(out[0], out[1], out[2], planes, start, cells, others) == 0:
                    best, face, least = value, k, price
    return best, face
