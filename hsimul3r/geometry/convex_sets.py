"""Solids of convex parts as flat arrays for compiled code: silhouettes by scanline filling, and heights above a point.

A set is stretched and put on the floor thousands of times while it is registered, so it is never made a mesh again. Stretching
has a factor for x, for y, for heights up to a knee, and for those above it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float, Int
from numba import njit
from numpy import ndarray

from hsimul3r.artifacts import ConvexPart
from hsimul3r.geometry.frusta import LabelCounts, count_union, project_point, widen_span

FLAT: Final = 1e-9
"""Faces whose normals' cosine is nearer to 1 than this are one face."""


@dataclass(frozen=True, kw_only=True)
class ConvexSet:
    """Convex parts one after another."""

    vertices: Float[ndarray, "vertices 3"]
    vertex_ends: Int[ndarray, "parts"]
    """Behind the last vertex of each part."""
    edges: Int[ndarray, "edges 2"]
    edge_ends: Int[ndarray, "parts"]
    planes: Float[ndarray, "planes 4"]
    """Outward normal n and offset d of each face: n x + d <= 0 inside."""
    plane_ends: Int[ndarray, "parts"]
    knee: float
    """Height up to which the third size counts, and above which the fourth does."""

    @classmethod
    def of(cls, parts: Sequence[ConvexPart], *, knee: float = np.inf) -> "ConvexSet":
        """The parts in their own frame."""
        vertex_ends = np.cumsum([len(part.vertices) for part in parts])
        starts = vertex_ends - [len(part.vertices) for part in parts]
        edges, planes = [_edges(part) for part in parts], [_planes(part) for part in parts]
        return cls(
            vertices=np.concatenate([part.vertices for part in parts]).astype(float), vertex_ends=vertex_ends,
            edges=np.concatenate([one + start for one, start in zip(edges, starts)]),
            edge_ends=np.cumsum([len(one) for one in edges]),
            planes=np.concatenate(planes), plane_ends=np.cumsum([len(one) for one in planes]), knee=knee,
        )  # fmt: skip

    def silhouette_energies(
        self, sizes: Float[ndarray, "n 4"], poses: Float[ndarray, "n 3"], shifts_px: Float[ndarray, "n views 2"],
        cameras: Float[ndarray, "views 16"], counts: LabelCounts,
    ) -> Float[ndarray, "n"]:  # fmt: skip
        """Mean over views of 1 - IoU for a population of stretched sets at (x, y, yaw); views without an object pixel are
        left out (see frusta.silhouette_energies)."""
        return _energies(
            self.vertices, self.vertex_ends, self.edges, self.edge_ends, self.knee, sizes, poses, shifts_px, cameras,
            counts.inside, counts.outside,
        )  # fmt: skip

    def stretched(self, points: Float[ndarray, "points 3"], size: Float[ndarray, "4"]) -> Float[ndarray, "points 3"]:
        """Points of the set where stretching takes them."""
        low, high = np.minimum(points[..., 2], self.knee), np.maximum(points[..., 2] - self.knee, 0.0)
        return np.stack([points[..., 0] * size[0], points[..., 1] * size[1], low * size[2] + high * size[3]], axis=-1)

    def unstretched(self, points: Float[ndarray, "*n points 3"], size: Float[ndarray, "*n 4"]) -> Float[ndarray, "*n points 3"]:
        """Where points of the stretched set come from."""
        x, y, low_z, high_z = np.moveaxis(np.asarray(size)[..., None, :], -1, 0)
        knee = self.knee * low_z
        low, high = np.minimum(points[..., 2], knee), np.maximum(points[..., 2] - knee, 0.0)
        return np.stack([points[..., 0] / x, points[..., 1] / y, low / low_z + high / high_z], axis=-1)

    def tops(self, points: Float[ndarray, "n 2"], above: Float[ndarray, "n"]) -> Float[ndarray, "n"]:
        """Of the heights at which a plumb line through each point leaves a part upwards, the one nearest to `above`; inf where
        it meets no part. The set is not stretched."""
        return _tops(self.planes, self.plane_ends, points, above)

    def distances(self, points: Float[ndarray, "n 3"], size: Float[ndarray, "4"]) -> Float[ndarray, "n"]:
        """About how far each point is from the surface of the stretched set: that of the nearest face's plane."""
        normals = self.planes[:, :3] / np.asarray(size)[[0, 1, 2]]
        length = np.linalg.norm(normals, axis=1)
        signed = (self.unstretched(points, size) @ self.planes[:, :3].T + self.planes[:, 3]) / length
        starts = np.concatenate([[0], self.plane_ends[:-1]])
        return np.abs(np.maximum.reduceat(signed, starts, axis=1).min(axis=1))


def _edges(part: ConvexPart) -> Int[ndarray, "edges 2"]:
    """Every edge once, those in the middle of a flat face left out."""
    faces = np.asarray(part.faces, np.int64)
    corner = part.vertices[faces]
    normal = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-15)
    sides = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    order = np.lexsort(sides.T)
    first, second = order[::2] % len(faces), order[1::2] % len(faces)
    return sides[order[::2]][(normal[first] * normal[second]).sum(axis=1) < 1 - FLAT]


def _planes(part: ConvexPart) -> Float[ndarray, "planes 4"]:
    """Of each direction once."""
    corner = part.vertices[part.faces]
    normal = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    length = np.linalg.norm(normal, axis=1)
    is_face = length > 1e-12
    normal = normal[is_face] / length[is_face, None]
    planes = np.column_stack([normal, -(normal * corner[is_face, 0]).sum(axis=1)])
    return planes[np.unique(np.round(planes, 6), axis=0, return_index=True)[1]]


@njit(cache=True)
def _energies(  # noqa: ANN202 (compiled)
    vertices, vertex_ends, edges, edge_ends, knee, sizes, poses, shifts, cameras, inside, outside  # noqa: ANN001
):  # fmt: skip
    parts, views, height = len(vertex_ends), inside.shape[0], inside.shape[1]
    world, uv = np.empty_like(vertices), np.empty((len(vertices), 2))
    low, high = np.empty((parts, height)), np.empty((parts, height))
    first, last = np.empty(parts, np.int64), np.empty(parts, np.int64)
    energies, used = np.zeros(len(poses)), 0
    totals = np.array([inside[v, :, -1].sum() for v in range(views)])
    for v in range(views):
        used += totals[v] > 0
    for k in range(len(poses)):
        _place(vertices, knee, sizes[k], poses[k], world)
        for v in range(views):
            if totals[v] == 0:
                continue
            for i in range(len(vertices)):
                project_point(world[i], cameras[v], shifts[k, v], uv[i])
            for part in range(parts):
                first[part], last[part] = _spans(part, uv, vertex_ends, edges, edge_ends, low[part], high[part])
            hits, misses = count_union(first, last, low, high, inside[v], outside[v])
            energies[k] += (1.0 - hits / (totals[v] + misses)) / used
    return energies


@njit(cache=True)
def _place(vertices, knee, size, pose, world):  # noqa: ANN001, ANN202 (compiled)
    c, s = np.cos(pose[2]), np.sin(pose[2])
    for i in range(len(vertices)):
        x, y = size[0] * vertices[i, 0], size[1] * vertices[i, 1]
        world[i, 0], world[i, 1] = c * x - s * y + pose[0], s * x + c * y + pose[1]
        world[i, 2] = size[2] * min(vertices[i, 2], knee) + size[3] * max(vertices[i, 2] - knee, 0.0)


@njit(cache=True)
def _spans(part, uv, vertex_ends, edges, edge_ends, low, high):  # noqa: ANN001, ANN202 (compiled)
    """Leftmost and rightmost pixel of a part, row by row; returns the first and last row."""
    top, bottom = 1e9, -1e9
    for i in range(vertex_ends[part - 1] if part else 0, vertex_ends[part]):
        top, bottom = min(top, uv[i, 1]), max(bottom, uv[i, 1])
    first, last = max(int(np.ceil(top)), 0), min(int(np.floor(bottom)), len(low) - 1)
    for row in range(first, last + 1):
        low[row], high[row] = 1e9, -1e9
    for e in range(edge_ends[part - 1] if part else 0, edge_ends[part]):
        widen_span(uv[edges[e, 0]], uv[edges[e, 1]], low, high)
    return first, last


@njit(cache=True)
def _tops(planes, plane_ends, points, above):  # noqa: ANN001, ANN202 (compiled)
    found = np.full(len(points), np.inf)
    for k in range(len(points)):
        x, y = points[k]
        for part in range(len(plane_ends)):
            bottom, top = -np.inf, np.inf
            for p in range(plane_ends[part - 1] if part else 0, plane_ends[part]):
                rest, up = planes[p, 0] * x + planes[p, 1] * y + planes[p, 3], planes[p, 2]
                if up > 1e-9:
                    top = min(top, -rest / up)
                elif up < -1e-9:
                    bottom = max(bottom, -rest / up)
                elif rest > 0.0:
                    top = -np.inf
            if top > bottom and abs(top - above[k]) < abs(found[k] - above[k]):
                found[k] = top
    return found
