"""Any triangle soup to the closed surface of the solid that it stands for.

A point is inside where five of the six rays along the axes leave a connected part of the soup an odd number of times (so that
one missing side does not matter), or where nothing can flow to it from outside. Sheets and rods too thin to have an inside get
one, about a grid cell thick. Gaps that keep the solid in pieces are closed where they are narrow.
"""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Float, Int
from numba import njit
from numpy import ndarray
from scipy.ndimage import distance_transform_edt, label
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from hsimul3r.geometry.isosurface import isosurface
from hsimul3r.geometry.sdf import closest_on_triangle

Vertices = Float[ndarray, "vertices 3"]
Faces = Int[ndarray, "faces 3"]
Grid = Float[ndarray, "nx ny nz"]

MARGIN = 5
"""Grid cells around the soup."""
BAND = 3.5
"""Distances are exact up to this many cells."""
SHEET = 0.55
"""Half the thickness of what is too thin to have an inside, in cells."""
THICK = 0.6
"""A node deeper than this many cells shows that the solid needs no thickening there."""
ENOUGH_VOTES = 5
FINEST_M = 0.004


def solidify(vertices: Vertices, faces: Faces, *, nodes: float, gap_m: float = 0.015) -> tuple[Vertices, Faces]:
    """Watertight surface of the solid behind the soup, on a grid of about `nodes` nodes; empty where there is none."""
    vertices, faces = weld(vertices, faces)
    size = np.ptp(vertices, axis=0)
    spacing = max(FINEST_M, float(np.prod(size + FINEST_M) / nodes) ** (1 / 3))
    low = vertices.min(axis=0) - (MARGIN + gap_m / spacing + 0.37) * spacing  # an odd offset: no ray through an edge
    shape = tuple(np.ceil((vertices.max(axis=0) - low) / spacing + MARGIN + gap_m / spacing).astype(int) + 1)
    triangles = np.ascontiguousarray(vertices[faces])
    distance = np.full(shape, BAND * spacing)
    _lower_distances(triangles, low, spacing, BAND * spacing, distance)
    field = _with_sheets(distance, _inside(vertices, faces, low, spacing, distance), spacing)
    if _regions(field < 0.0).max() > 1:
        field = _with_gaps_closed(field, gap_m, spacing)
    return isosurface(field, low=low, spacing_m=spacing)


def weld(vertices: Vertices, faces: Faces, tolerance_m: float = 1e-4) -> tuple[Vertices, Faces]:
    """Vertices at the same place become one; faces without area and second copies of a face go."""
    _, first, where = np.unique(
        np.round(vertices / tolerance_m).astype(np.int64), axis=0, return_index=True, return_inverse=True
    )
    faces = where.ravel()[faces]
    faces = faces[(faces != np.roll(faces, 1, axis=1)).all(axis=1)]
    _, kept = np.unique(np.sort(faces, axis=1), axis=0, return_index=True)
    return np.ascontiguousarray(vertices[first], float), faces[np.sort(kept)]


def _with_sheets(distance: Grid, is_inside: Bool[ndarray, "nx ny nz"], spacing: float) -> Grid:
    """Signed distance of the solid, lowered by SHEET cells around what has no inside of its own."""
    sheet = SHEET * spacing
    signed = np.where(is_inside, -distance, distance)
    is_core = is_inside & (distance > THICK * spacing)
    near = distance < 0.87 * spacing
    far_from_core = _cells_to(is_core) > 3.5 if is_core.any() else near
    is_thin = near & far_from_core
    if not is_thin.any():
        return signed
    return np.where(_cells_to(is_thin) < 4.5, signed - sheet, signed)


def _with_gaps_closed(field: Grid, gap_m: float, spacing: float) -> Grid:
    """Morphological closing by half the gap: what lies between two parts that are nearer than that becomes solid."""
    radius = 0.5 * gap_m / spacing + 0.5
    is_grown = _cells_to(field < 0.0) < radius
    return np.minimum(field, np.where(_cells_to(~is_grown) > radius, -0.5 * spacing, field))


def _cells_to(mask: Bool[ndarray, "nx ny nz"]) -> Grid:
    """Distance of every node to the nearest one of the mask, in cells."""
    return np.asarray(distance_transform_edt(~mask))


def _regions(mask: Bool[ndarray, "nx ny nz"]) -> Int[ndarray, "nx ny nz"]:
    """Number of the connected region that a node is in, from 1; 0 off the mask."""
    return np.asarray(label(mask)[0])  # pyright: ignore[reportIndexIssue]


def _inside(vertices: Vertices, faces: Faces, low: Float[ndarray, "3"], spacing: float, distance: Grid) -> ndarray:
    """Nodes inside a connected part of the soup by rays, or cut off from the outside by the soup."""
    is_inside = np.zeros(distance.shape, bool)
    for part in _connected_parts(faces, len(vertices)):
        triangles = np.ascontiguousarray(vertices[part])
        first = np.maximum(np.floor((triangles.min(axis=(0, 1)) - low) / spacing).astype(int), 0)
        last = np.ceil((triangles.max(axis=(0, 1)) - low) / spacing).astype(int) + 1
        box = tuple(slice(a, b) for a, b in zip(first, last))
        votes = np.zeros(is_inside[box].shape, np.int8)
        for axis in range(3):
            turn = [(axis + k) % 3 for k in (1, 2, 0)]
            _vote(triangles[:, :, turn], (low + first * spacing)[turn], spacing, votes.transpose(turn))
        is_inside[box] |= votes >= ENOUGH_VOTES
    free = _regions((distance > THICK * spacing) & ~is_inside)
    return is_inside | ((free != free[0, 0, 0]) & (free != 0))


def _connected_parts(faces: Faces, vertices: int) -> Iterator[Faces]:
    """Faces of every part of the soup whose faces share vertices."""
    links = coo_matrix((np.ones(2 * len(faces)), (faces[:, [0, 1]].ravel(), faces[:, [1, 2]].ravel())), (vertices, vertices))
    _, part = connected_components(links, directed=False)
    order = np.argsort(part[faces[:, 0]], kind="stable")
    borders = np.flatnonzero(np.diff(part[faces[order, 0]])) + 1
    yield from np.split(faces[order], borders)


@njit(cache=True)
def _lower_distances(triangles, low, spacing, band, distance):  # noqa: ANN001, ANN202 (compiled)
    """Lower the distance of every node within the band of a triangle."""
    first, last = np.empty(3, np.int64), np.empty(3, np.int64)
    for t in triangles:
        a, ab, ac = t[0], t[1] - t[0], t[2] - t[0]
        for k in range(3):
            first[k] = max(0, int(np.ceil((min(t[0, k], t[1, k], t[2, k]) - band - low[k]) / spacing)))
            last[k] = min(distance.shape[k] - 1, int(np.floor((max(t[0, k], t[1, k], t[2, k]) + band - low[k]) / spacing)))
        ab2, abac, ac2 = np.dot(ab, ab), np.dot(ab, ac), np.dot(ac, ac)
        normal = np.cross(ab, ac)
        size = np.sqrt(np.dot(normal, normal))
        for i in range(first[0], last[0] + 1):
            for j in range(first[1], last[1] + 1):
                for k in range(first[2], last[2] + 1):
                    x, y, z = low[0] + i * spacing - a[0], low[1] + j * spacing - a[1], low[2] + k * spacing - a[2]
                    if abs(x * normal[0] + y * normal[1] + z * normal[2]) > distance[i, j, k] * size:
                        continue
                    d1, d2 = ab[0] * x + ab[1] * y + ab[2] * z, ac[0] * x + ac[1] * y + ac[2] * z
                    v, w = closest_on_triangle(d1, d2, ab2, abac, ac2)
                    x, y, z = x - v * ab[0] - w * ac[0], y - v * ab[1] - w * ac[1], z - v * ab[2] - w * ac[2]
                    distance[i, j, k] = min(distance[i, j, k], np.sqrt(x * x + y * y + z * z))


@njit(cache=True)
def _vote(triangles, low, spacing, votes):  # noqa: ANN001, ANN202 (compiled)
    """Add one vote per ray along +-z (of the given order of axes) that meets the triangles an odd number of times."""
    width, depth, height = votes.shape
    crossings = np.zeros((width, depth, height + 1), np.bool_)
    for t in triangles:
        ax, ay, bx, by, cx, cy = t[0, 0], t[0, 1], t[1, 0], t[1, 1], t[2, 0], t[2, 1]
        area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
        if area == 0.0:
            continue
        i0, i1 = int(np.ceil((min(ax, bx, cx) - low[0]) / spacing)), int(np.floor((max(ax, bx, cx) - low[0]) / spacing))
        j0, j1 = int(np.ceil((min(ay, by, cy) - low[1]) / spacing)), int(np.floor((max(ay, by, cy) - low[1]) / spacing))
        for i in range(max(i0, 0), min(i1, width - 1) + 1):
            for j in range(max(j0, 0), min(j1, depth - 1) + 1):
                x, y = low[0] + i * spacing, low[1] + j * spacing
                wb = ((x - ax) * (cy - ay) - (cx - ax) * (y - ay)) / area
                wc = ((bx - ax) * (y - ay) - (x - ax) * (by - ay)) / area
                if wb < 0.0 or wc < 0.0 or wb + wc > 1.0:
                    continue
                z = (1.0 - wb - wc) * t[0, 2] + wb * t[1, 2] + wc * t[2, 2]
                k = min(max(int(np.ceil((z - low[2]) / spacing)), 0), height)
                crossings[i, j, k] = not crossings[i, j, k]
    for i in range(width):
        for j in range(depth):
            is_total_odd = False
            for k in range(height + 1):
                is_total_odd ^= crossings[i, j, k]
            is_odd = False
            for k in range(height):
                is_odd ^= crossings[i, j, k]
                votes[i, j, k] += is_odd
                votes[i, j, k] += is_odd ^ is_total_odd
