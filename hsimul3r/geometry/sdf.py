"""Signed distance of points to rigid solids: negative inside, with the unit gradient and the closest surface point.

Two solids: a union of convex parts (the sign by half-spaces) and any watertight triangle mesh (the sign by winding number).
Both measure the distance to the triangles of their surface, found through a tree of boxes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from jaxtyping import Bool, Float, Int
from numba import njit
from numpy import ndarray

from hsimul3r.artifacts import ConvexPart
from hsimul3r.errors import NotFinite
from hsimul3r.geometry.mesh import require_watertight, union

LEAF_TRIANGLES = 4
RAY = np.array([0.3627, 0.5519, 0.7509])
"""An odd direction: such a ray from a point of any structure meets no edge."""


@dataclass(frozen=True, kw_only=True)
class SignedDistances:
    """Result of a query; `gradient` points out of the solid and has length one."""

    distance: Float[ndarray, "points"]
    gradient: Float[ndarray, "points 3"]
    closest: Float[ndarray, "points 3"]


class SignedDistanceField(Protocol):
    """Any solid that knows its signed distance."""

    def query(self, points: Float[ndarray, "points 3"]) -> SignedDistances: ...


class ConvexUnion:
    """The union of convex parts. `surface` is the union's watertight boundary where it is known already; else it is computed.
    What is known to be closed (`is_checked`, as the meshes of an artifact are) is not checked again.

    Raises `BadMesh` where a part is not a closed mesh with outward normals or the surface is not watertight.
    """

    def __init__(
        self,
        parts: Sequence[ConvexPart],
        *,
        surface: tuple[Float[ndarray, "vertices 3"], Int[ndarray, "faces 3"]] | None = None,
        name: str = "parts",
        is_checked: bool = False,
    ):
        if not is_checked:
            for i, part in enumerate(parts):
                require_watertight(f"{name} part {i}", part.vertices, part.faces)
        self.half_spaces = tuple(half_spaces(part) for part in parts)
        self._planes = np.concatenate(self.half_spaces)
        self._part_start = np.cumsum([0, *(len(planes) for planes in self.half_spaces)])
        vertices, faces = surface if surface is not None else union(parts, name)
        if not is_checked:
            require_watertight(name, vertices, faces)
        self._tree = _TriangleTree(vertices, faces)

    def query(self, points: Float[ndarray, "points 3"]) -> SignedDistances:
        points = _finite_points(points)
        return self._tree.signed(points, _inside_any_part(points, self._planes, self._part_start))


class WatertightMesh:
    """A closed triangle mesh with outward normals; raises `BadMesh` for any other."""

    def __init__(self, vertices: Float[ndarray, "vertices 3"], faces: Int[ndarray, "faces 3"], *, name: str = "mesh"):
        require_watertight(name, vertices, faces)
        self._tree = _TriangleTree(vertices, faces)

    def query(self, points: Float[ndarray, "points 3"]) -> SignedDistances:
        points = _finite_points(points)
        return self._tree.signed(points, _winding_number(points, self._tree.triangles, *self._tree.bounds) > 0.5)


class RayedMesh:
    """Any closed triangle mesh, its sign by the winding number counted along a ray: that of `WatertightMesh` without a sum over
    all faces for every point."""

    def __init__(self, vertices: Float[ndarray, "vertices 3"], faces: Int[ndarray, "faces 3"], *, name: str = "mesh"):
        require_watertight(name, vertices, faces)
        self._tree = _TriangleTree(vertices, faces)

    def query(self, points: Float[ndarray, "points 3"]) -> SignedDistances:
        points = _finite_points(points)
        return self._tree.signed(points, self._tree.crossings(points) > 0)


class Moved:
    """A solid placed in the world by the rigid transform `T_world_solid`."""

    def __init__(self, solid: SignedDistanceField, T_world_solid: Float[ndarray, "4 4"]):
        self._solid, self._rotation, self._position = solid, T_world_solid[:3, :3], T_world_solid[:3, 3]

    def query(self, points: Float[ndarray, "points 3"]) -> SignedDistances:
        local = self._solid.query((points - self._position) @ self._rotation)
        return SignedDistances(
            distance=local.distance,
            gradient=local.gradient @ self._rotation.T,
            closest=local.closest @ self._rotation.T + self._position,
        )


class HalfSpaceBelow:
    """Everything below a horizontal plane: the floor."""

    def __init__(self, height: float = 0.0):
        self._height = height

    def query(self, points: Float[ndarray, "points 3"]) -> SignedDistances:
        closest = points.copy()
        closest[:, 2] = self._height
        gradient = np.tile(np.array([0.0, 0.0, 1.0]), (len(points), 1))
        return SignedDistances(distance=points[:, 2] - self._height, gradient=gradient, closest=closest)


def half_spaces(part: ConvexPart) -> Float[ndarray, "planes 4"]:
    """Planes (n, d) of a convex part's faces: a point p is inside where n @ p <= d for all of them."""
    vertices, faces = part.vertices, part.faces
    normals = np.cross(vertices[faces[:, 1]] - vertices[faces[:, 0]], vertices[faces[:, 2]] - vertices[faces[:, 0]])
    lengths = np.linalg.norm(normals, axis=1)
    is_face = lengths > 1e-14
    normals = normals[is_face] / lengths[is_face, None]
    offsets = (vertices @ normals.T).max(axis=0)
    return np.unique(np.round(np.column_stack([normals, offsets]), 9), axis=0)


def _finite_points(points: Float[ndarray, "points 3"]) -> Float[ndarray, "points 3"]:
    points = np.ascontiguousarray(points, np.float64)
    if not np.isfinite(points).all():
        raise NotFinite("A signed-distance query")
    return points


class _TriangleTree:
    """Triangles in a binary tree of boxes, for the closest point."""

    def __init__(self, vertices: Float[ndarray, "vertices 3"], faces: Int[ndarray, "faces 3"]):
        triangles = np.ascontiguousarray(vertices[faces], np.float64)
        order, spans, children = _split(triangles.mean(axis=1), LEAF_TRIANGLES)
        self.triangles = np.ascontiguousarray(triangles[order])
        self._edges = self.triangles[:, 1:] - self.triangles[:, :1]
        self._products = np.stack(
            [(self._edges[:, i] * self._edges[:, j]).sum(-1) for i, j in ((0, 0), (0, 1), (1, 1))], axis=1
        )
        self._spans, self._children = spans, children
        self._low, self._high = _boxes(self.triangles, spans, children)
        self.bounds = self._low[0], self._high[0]

    def signed(self, points: Float[ndarray, "points 3"], is_inside: Bool[ndarray, "points"]) -> SignedDistances:
        tree = self._spans, self._children, self._low, self._high
        closest, face = _closest_points(points, self.triangles, self._edges, self._products, *tree)
        offset = points - closest
        length = np.linalg.norm(offset, axis=1)
        sign = np.where(is_inside, -1.0, 1.0)
        is_off = length > 1e-9
        gradient = offset * (sign / np.where(is_off, length, 1.0))[:, None]
        gradient[~is_off] = _unit_normals(self.triangles[face[~is_off]])
        return SignedDistances(distance=sign * length, gradient=gradient, closest=closest)

    def crossings(self, points: Float[ndarray, "points 3"]) -> Float[ndarray, "points"]:
        """How often a ray from each point leaves the surface more than it enters it."""
        return _crossings(points, RAY, self.triangles, self._spans, self._children, self._low, self._high)


def _unit_normals(triangles: Float[ndarray, "faces 3 3"]) -> Float[ndarray, "faces 3"]:
    normals = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-300)


@njit(cache=True)
def _split(centres, leaf):  # noqa: ANN001, ANN202
    """Order of the triangles, range of each node in that order, its children (-1 for a leaf); splits at the median."""
    order = np.arange(len(centres))
    spans = np.empty((2 * len(centres), 2), np.int64)
    children = np.full((2 * len(centres), 2), -1, np.int64)
    pending = np.empty(2 * len(centres), np.int64)
    spans[0] = 0, len(centres)
    pending[0], waiting, nodes = 0, 1, 1
    while waiting:
        waiting -= 1
        node = pending[waiting]
        start, stop = spans[node]
        if stop - start <= leaf:
            continue
        widest, axis = -1.0, 0
        for k in range(3):
            along = centres[order[start:stop], k]
            if along.max() - along.min() > widest:
                widest, axis = along.max() - along.min(), k
        order[start:stop] = order[start:stop][np.argsort(centres[order[start:stop], axis], kind="mergesort")]
        middle = (start + stop) // 2
        for k in range(2):
            children[node, k] = pending[waiting + k] = nodes + k
            spans[nodes + k] = (start, middle) if k == 0 else (middle, stop)
        waiting, nodes = waiting + 2, nodes + 2
    return order, spans[:nodes], children[:nodes]


@njit(cache=True)
def _boxes(triangles, spans, children):  # noqa: ANN001, ANN202
    """Lowest and highest corner of each node's triangles; children stand behind their parents."""
    low, high = np.full((len(spans), 3), np.inf), np.full((len(spans), 3), -np.inf)
    for node in range(len(spans) - 1, -1, -1):
        for child in children[node]:
            if child >= 0:
                low[node], high[node] = np.minimum(low[node], low[child]), np.maximum(high[node], high[child])
        if children[node, 0] < 0:
            for f in range(spans[node, 0], spans[node, 1]):
                for corner in range(3):
                    low[node] = np.minimum(low[node], triangles[f, corner])
                    high[node] = np.maximum(high[node], triangles[f, corner])
    return low, high


@njit(cache=True)
def closest_on_triangle(d1, d2, ab2, abac, ac2):  # noqa: ANN001, ANN201
    """Coordinates (v, w) of the closest point a + v ab + w ac, from ab.ap, ac.ap, ab.ab, ab.ac and ac.ac, by the region of the
    triangle's plane that p projects to (Ericson, Real-Time Collision Detection, 5.1.5)."""
    if d1 <= 0 and d2 <= 0:
        return 0.0, 0.0
    d3, d4, d5, d6 = d1 - ab2, d2 - abac, d1 - abac, d2 - ac2
    if d3 >= 0 and d4 <= d3:
        return 1.0, 0.0
    vc = d1 * d4 - d3 * d2
    if vc <= 0 and d1 >= 0 and d3 <= 0 and ab2 > 0:
        return d1 / ab2, 0.0
    if d6 >= 0 and d5 <= d6:
        return 0.0, 1.0
    vb = d5 * d2 - d1 * d6
    if vb <= 0 and d2 >= 0 and d6 <= 0 and ac2 > 0:
        return 0.0, d2 / ac2
    va = d3 * d6 - d5 * d4
    opposite = (d4 - d3) + (d5 - d6)
    if va <= 0 and opposite > 0:
        return 1 - (d4 - d3) / opposite, (d4 - d3) / opposite
    total = va + vb + vc
    return (vb / total, vc / total) if total > 0 else (0.0, 0.0)


@njit(cache=True)
def _dot(ax, ay, az, bx, by, bz):  # noqa: ANN001, ANN202
    return ax * bx + ay * by + az * bz


@njit(cache=True)
def _box_distance2(p, low, high):  # noqa: ANN001, ANN202
    total = 0.0
    for k in range(3):
        gap = max(low[k] - p[k], 0.0, p[k] - high[k])
        total += gap * gap
    return total


@njit(cache=True)
def _closest_points(points, triangles, edges, products, spans, children, low, high):  # noqa: ANN001, ANN202
    closest = np.empty_like(points)
    face = np.empty(len(points), np.int64)
    stack = np.empty(64, np.int64)
    for i in range(len(points)):
        p = points[i]
        best = np.inf
        stack[0], top = 0, 1
        while top:
            top -= 1
            node = stack[top]
            if _box_distance2(p, low[node], high[node]) >= best:
                continue
            left, right = children[node]
            if left >= 0:
                if _box_distance2(p, low[left], high[left]) < _box_distance2(p, low[right], high[right]):
                    left, right = right, left
                stack[top], stack[top + 1] = left, right
                top += 2
                continue
            for f in range(spans[node, 0], spans[node, 1]):
                a, ab, ac = triangles[f, 0], edges[f, 0], edges[f, 1]
                x, y, z = p[0] - a[0], p[1] - a[1], p[2] - a[2]
                d1, d2 = _dot(ab[0], ab[1], ab[2], x, y, z), _dot(ac[0], ac[1], ac[2], x, y, z)
                v, w = closest_on_triangle(d1, d2, products[f, 0], products[f, 1], products[f, 2])
                x, y, z = x - v * ab[0] - w * ac[0], y - v * ab[1] - w * ac[1], z - v * ab[2] - w * ac[2]
                if x * x + y * y + z * z < best:
                    best, face[i] = x * x + y * y + z * z, f
                    closest[i, 0], closest[i, 1], closest[i, 2] = p[0] - x, p[1] - y, p[2] - z
    return closest, face


@njit(cache=True)
def _ray_meets_box(p, d, low, high):  # noqa: ANN001, ANN202
    near, far = 0.0, np.inf
    for k in range(3):
        a, b = (low[k] - p[k]) / d[k], (high[k] - p[k]) / d[k]
        near, far = max(near, min(a, b)), min(far, max(a, b))
    return near <= far


@njit(cache=True)
def _crossings(points, d, triangles, spans, children, low, high):  # noqa: ANN001, ANN202
    """Faces that a ray in direction d from each point leaves through, less those it enters through (Moeller, Trumbore 1997)."""
    count = np.zeros(len(points))
    stack = np.empty(64, np.int64)
    for i in range(len(points)):
        p = points[i]
        stack[0], top = 0, 1
        if _box_distance2(p, low[0], high[0]) > 0:
            continue
        while top:
            top -= 1
            node = stack[top]
            if not _ray_meets_box(p, d, low[node], high[node]):
                continue
            left, right = children[node]
            if left >= 0:
                stack[top], stack[top + 1] = left, right
                top += 2
                continue
            for f in range(spans[node, 0], spans[node, 1]):
                count[i] += _crossing(p, d, triangles[f])
    return count


@njit(cache=True)
def _crossing(p, d, triangle):  # noqa: ANN001, ANN202
    a, b, c = triangle
    ux, uy, uz, vx, vy, vz = b[0] - a[0], b[1] - a[1], b[2] - a[2], c[0] - a[0], c[1] - a[1], c[2] - a[2]
    hx, hy, hz = d[1] * vz - d[2] * vy, d[2] * vx - d[0] * vz, d[0] * vy - d[1] * vx
    whole = _dot(ux, uy, uz, hx, hy, hz)
    if abs(whole) < 1e-300:
        return 0.0
    x, y, z = p[0] - a[0], p[1] - a[1], p[2] - a[2]
    s = _dot(x, y, z, hx, hy, hz) / whole
    qx, qy, qz = y * uz - z * uy, z * ux - x * uz, x * uy - y * ux
    t = _dot(d[0], d[1], d[2], qx, qy, qz) / whole
    if s < 0 or t < 0 or s + t > 1 or _dot(vx, vy, vz, qx, qy, qz) / whole <= 0:
        return 0.0
    return -1.0 if whole > 0 else 1.0


@njit(cache=True)
def _inside_any_part(points, planes, part_start):  # noqa: ANN001, ANN202
    inside = np.zeros(len(points), np.bool_)
    for i in range(len(points)):
        for part in range(len(part_start) - 1):
            is_in = True
            for k in range(part_start[part], part_start[part + 1]):
                if planes[k, 0] * points[i, 0] + planes[k, 1] * points[i, 1] + planes[k, 2] * points[i, 2] > planes[k, 3]:
                    is_in = False
                    break
            if is_in:
                inside[i] = True
                break
    return inside


@njit(cache=True)
def _winding_number(points, triangles, low, high):  # noqa: ANN001, ANN202
    """Solid angle of the surface over 4 pi, seen from each point; 0 outside the bounding box (van Oosterom, Strackee 1983)."""
    winding = np.zeros(len(points))
    for i in range(len(points)):
        if _box_distance2(points[i], low, high) > 0:
            continue
        x, y, z = points[i]
        for f in range(len(triangles)):
            ax, ay, az = triangles[f, 0, 0] - x, triangles[f, 0, 1] - y, triangles[f, 0, 2] - z
            bx, by, bz = triangles[f, 1, 0] - x, triangles[f, 1, 1] - y, triangles[f, 1, 2] - z
            cx, cy, cz = triangles[f, 2, 0] - x, triangles[f, 2, 1] - y, triangles[f, 2, 2] - z
            la, lb = np.sqrt(_dot(ax, ay, az, ax, ay, az)), np.sqrt(_dot(bx, by, bz, bx, by, bz))
            lc = np.sqrt(_dot(cx, cy, cz, cx, cy, cz))
            volume = _dot(ax, ay, az, by * cz - bz * cy, bz * cx - bx * cz, bx * cy - by * cx)
            spread = la * lb * lc + _dot(ax, ay, az, bx, by, bz) * lc
            spread += _dot(bx, by, bz, cx, cy, cz) * la + _dot(cx, cy, cz, ax, ay, az) * lb
            winding[i] += 2 * np.arctan2(volume, spread)
    return winding / (4 * np.pi)
