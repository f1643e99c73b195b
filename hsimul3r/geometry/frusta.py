"""Furniture as a set of frusta, and its silhouettes by scanline filling: a convex part's row spans from its edges alone.

A frustum is one row of `FRUSTUM_COLUMNS` numbers: bottom ring (x, y, z, half x, half y), top ring (the same), roundness and
spin. Roundness -1 gives four corners; 0 to 1 gives sixteen, from a square outline to an ellipse. `spin` turns the part about
the object's z axis.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from numba import njit
from numpy import ndarray

from hsimul3r.artifacts import Cameras, ConvexPart
from hsimul3r.geometry.mesh import convex_part

FRUSTUM_COLUMNS: Final = 12
SQUARE: Final = -1.0
RING: Final = 16
NEAR_M: Final = 0.1


def pinholes(cameras: Cameras) -> Float[ndarray, "views 16"]:
    """Rows for the compiled code: T_cam_world[:3] (12 numbers), focal, principal x and y, k1."""
    poses = np.asarray(cameras.T_cam_world, float)[:, :3].reshape(-1, 12)
    return np.column_stack([poses, cameras.focal_px, cameras.principal_px, cameras.k1]).astype(float)


def crop_pinholes(
    rows: Float[ndarray, "views 16"], corner_px: Float[ndarray, "views 2"], step_px: Float[ndarray, "views"]
) -> Float[ndarray, "views 16"]:
    """Cameras of images that take every `step_px`-th pixel from `corner_px` on."""
    cropped = rows.copy()
    cropped[:, 12] = rows[:, 12] / step_px
    cropped[:, 13:15] = (rows[:, 13:15] - corner_px) / step_px[:, None]
    return cropped


def frustum_parts(rows: Float[ndarray, "parts 12"]) -> tuple[ConvexPart, ...]:
    """The frusta as convex meshes, in the object's frame."""
    vertices = np.empty((2 * RING, 3))
    pose = np.array([0.0, 0.0, 0.0])
    return tuple(convex_part(vertices[: 2 * _expand(row, pose, vertices)].copy()) for row in np.asarray(rows, float))


def silhouettes(
    rows: Float[ndarray, "parts 12"],
    pose: Float[ndarray, "3"],
    cameras: Float[ndarray, "views 16"],
    shifts_px: Float[ndarray, "views 2"],
    *,
    height: int,
    width: int,
) -> Bool[ndarray, "views height width"]:
    """Masks of a union of frusta at `pose` (x, y, yaw) in every view, each moved by its shift."""
    masks = np.zeros((len(cameras), height, width), np.bool_)
    _fill(np.ascontiguousarray(rows, float), np.asarray(pose, float), cameras, np.asarray(shifts_px, float), masks)
    return masks


@dataclass(frozen=True, kw_only=True)
class LabelCounts:
    """Label images as running sums along each row, so that a span's pixels are counted by one subtraction."""

    inside: Int[ndarray, "views height width+1"]
    outside: Int[ndarray, "views height width+1"]


def count_labels(labels: UInt8[ndarray, "views height width"]) -> LabelCounts:
    """Running sums of object (1) and background (0) pixels; unknown (2) counts as neither."""
    sums = np.zeros((2, *labels.shape[:2], labels.shape[2] + 1), np.int32)
    np.cumsum(labels == 1, axis=2, out=sums[0, :, :, 1:])
    np.cumsum(labels == 0, axis=2, out=sums[1, :, :, 1:])
    return LabelCounts(inside=sums[0], outside=sums[1])


def silhouette_energies(
    rows: Float[ndarray, "n parts 12"],
    poses: Float[ndarray, "n 3"],
    shifts_px: Float[ndarray, "n views 2"],
    cameras: Float[ndarray, "views 16"],
    counts: LabelCounts,
) -> Float[ndarray, "n"]:
    """Mean over views of 1 - IoU for a population of objects; views without an object pixel are left out."""
    return _energies(rows, poses, shifts_px, cameras, counts.inside, counts.outside)


def count_inside(
    rows: Float[ndarray, "n parts 12"], poses: Float[ndarray, "n 3"], points: Float[ndarray, "points 3"]
) -> Int[ndarray, "n"]:
    """How many of the points are inside each of a population of objects."""
    return _count_inside(np.ascontiguousarray(rows, float), np.asarray(poses, float), np.ascontiguousarray(points, float))


@njit(cache=True)
def _count_inside(rows, poses, points):  # noqa: ANN001, ANN202 (compiled)
    counts = np.zeros(len(rows), np.int64)
    for k in range(len(rows)):
        c, s = np.cos(poses[k, 2]), np.sin(poses[k, 2])
        for point in points:
            x, y = point[0] - poses[k, 0], point[1] - poses[k, 1]
            x, y = c * x + s * y, c * y - s * x
            for row in rows[k]:
                if _is_inside(row, x, y, point[2]):
                    counts[k] += 1
                    break
    return counts


@njit(cache=True)
def _is_inside(row, x, y, z):  # noqa: ANN001, ANN202 (compiled)
    """True where a point of the object's frame is in one frustum."""
    if z < row[2] or z > row[7] or row[7] <= row[2]:
        return False
    c, s, t = np.cos(row[11]), np.sin(row[11]), (z - row[2]) / (row[7] - row[2])
    x, y = c * x + s * y, c * y - s * x
    across = abs(x - row[0] - t * (row[5] - row[0])) / max(row[3] + t * (row[8] - row[3]), 1e-9)
    along = abs(y - row[1] - t * (row[6] - row[1])) / max(row[4] + t * (row[9] - row[4]), 1e-9)
    if row[10] < 0.0:
        return max(across, along) <= 1.0
    round_, square = np.sqrt(across * across + along * along), max(across, along)
    return round_ <= (1.0 - row[10]) * round_ / max(square, 1e-9) + row[10]


@njit(cache=True)
def _sorted_spans(r, first, last, low, high, width, start, stop):  # noqa: ANN001, ANN202 (compiled)
    """Spans of all parts in row r, by their start; returns how many there are."""
    found = 0
    for i in range(len(first)):
        if r < first[i] or r > last[i]:
            continue
        a, b = max(int(np.ceil(low[i, r])), 0), min(int(np.floor(high[i, r])), width - 1) + 1
        if b <= a:
            continue
        j = found
        while j > 0 and start[j - 1] > a:
            start[j], stop[j] = start[j - 1], stop[j - 1]
            j -= 1
        start[j], stop[j] = a, b
        found += 1
    return found


@njit(cache=True)
def _energies(rows, poses, shifts, cameras, inside, outside):  # noqa: ANN001, ANN202 (compiled)
    parts, views, height = rows.shape[1], inside.shape[0], inside.shape[1]
    vertices, uv = np.empty((parts, 2 * RING, 3)), np.empty((2 * RING, 2))
    low, high = np.empty((parts, height)), np.empty((parts, height))
    ring, first, last = np.empty(parts, np.int64), np.empty(parts, np.int64), np.empty(parts, np.int64)
    energies, used = np.zeros(len(rows)), 0
    totals = np.array([inside[v, :, -1].sum() for v in range(views)])
    for v in range(views):
        used += totals[v] > 0
    for k in range(len(rows)):
        for i in range(parts):
            ring[i] = _expand(rows[k, i], poses[k], vertices[i])
        for v in range(views):
            if totals[v] == 0:
                continue
            for i in range(parts):
                first[i], last[i] = _spans(vertices[i], ring[i], cameras[v], shifts[k, v], uv, low[i], high[i])
            hits, misses = count_union(first, last, low, high, inside[v], outside[v])
            energies[k] += (1.0 - hits / (totals[v] + misses)) / used
    return energies


@njit(cache=True)
def count_union(first, last, low, high, inside, outside) -> tuple[int, int]:  # noqa: ANN001 (compiled)
    """Object and background pixels below the union of all parts' spans."""
    start, stop = np.empty(len(first), np.int64), np.empty(len(first), np.int64)
    hits, misses = 0, 0
    for r in range(first.min(), last.max() + 1):
        found = _sorted_spans(r, first, last, low, high, inside.shape[1] - 1, start, stop)
        reached = 0
        for j in range(found):
            a, b = max(start[j], reached), stop[j]
            if b > a:
                hits += inside[r, b] - inside[r, a]
                misses += outside[r, b] - outside[r, a]
                reached = b
    return hits, misses


@njit(cache=True)
def _fill(rows, pose, cameras, shifts, masks):  # noqa: ANN001, ANN202 (compiled)
    views, height, width = masks.shape
    vertices, uv = np.empty((2 * RING, 3)), np.empty((2 * RING, 2))
    low, high = np.empty(height), np.empty(height)
    for i in range(len(rows)):
        ring = _expand(rows[i], pose, vertices)
        for v in range(views):
            first, last = _spans(vertices, ring, cameras[v], shifts[v], uv, low, high)
            for r in range(first, last + 1):
                for c in range(max(int(np.ceil(low[r])), 0), min(int(np.floor(high[r])), width - 1) + 1):
                    masks[v, r, c] = True


@njit(cache=True)
def _expand(row, pose, vertices):  # noqa: ANN001, ANN202 (compiled)
    """Write the frustum's vertices, bottom ring then top ring, into `vertices`; returns how many a ring has."""
    ring = 4 if row[10] < 0.0 else RING
    c, s = np.cos(pose[2] + row[11]), np.sin(pose[2] + row[11])
    for i in range(ring):
        if ring == 4:
            a, b = (-1.0 if i == 0 or i == 3 else 1.0), (-1.0 if i < 2 else 1.0)
        else:
            a, b = np.cos(2.0 * np.pi * i / RING), np.sin(2.0 * np.pi * i / RING)
            stretch = (1.0 - row[10]) / max(abs(a), abs(b)) + row[10]
            a, b = stretch * a, stretch * b
        for level in range(2):
            x = row[5 * level] + a * row[5 * level + 3]
            y = row[5 * level + 1] + b * row[5 * level + 4]
            j = i + level * ring
            vertices[j, 0] = c * x - s * y + pose[0]
            vertices[j, 1] = s * x + c * y + pose[1]
            vertices[j, 2] = row[5 * level + 2]
    return ring


@njit(cache=True)
def _spans(vertices, ring, camera, shift, uv, low, high):  # noqa: ANN001, ANN202 (compiled)
    """Project a frustum and find, row by row, its leftmost and rightmost pixel; returns the first and last row."""
    top, bottom = 1e9, -1e9
    for j in range(2 * ring):
        project_point(vertices[j], camera, shift, uv[j])
        top, bottom = min(top, uv[j, 1]), max(bottom, uv[j, 1])
    first, last = max(int(np.ceil(top)), 0), min(int(np.floor(bottom)), len(low) - 1)
    for r in range(first, last + 1):
        low[r], high[r] = 1e9, -1e9
    for j in range(ring):
        n = (j + 1) % ring
        widen_span(uv[j], uv[n], low, high)
        widen_span(uv[j + ring], uv[n + ring], low, high)
        widen_span(uv[j], uv[j + ring], low, high)
    return first, last


@njit(cache=True)
def project_point(point, camera, shift, uv) -> None:  # noqa: ANN001 (compiled)
    """u = f (1 + k1 r2) x / z + principal; r2 is held where the polynomial would turn back (see conventions.py)."""
    x = camera[0] * point[0] + camera[1] * point[1] + camera[2] * point[2] + camera[3]
    y = camera[4] * point[0] + camera[5] * point[1] + camera[6] * point[2] + camera[7]
    z = max(camera[8] * point[0] + camera[9] * point[1] + camera[10] * point[2] + camera[11], NEAR_M)
    x, y = x / z, y / z
    r2 = x * x + y * y
    if camera[15] < 0.0:
        r2 = min(r2, -1.0 / (3.0 * camera[15]))
    scale = camera[12] * (1.0 + camera[15] * r2)
    uv[0] = scale * x + camera[13] + shift[0]
    uv[1] = scale * y + camera[14] + shift[1]


@njit(cache=True)
def widen_span(a, b, low, high) -> None:  # noqa: ANN001 (compiled)
    """Let the rows that the segment a-b crosses span it."""
    if a[1] > b[1]:
        a, b = b, a
    first, last = max(int(np.ceil(a[1])), 0), min(int(np.floor(b[1])), len(low) - 1)
    if last < first:
        return
    slope = (b[0] - a[0]) / max(b[1] - a[1], 1e-9)
    x = a[0] + slope * (first - a[1])
    for r in range(first, last + 1):
        low[r], high[r] = min(low[r], x), max(high[r], x)
        x += slope
