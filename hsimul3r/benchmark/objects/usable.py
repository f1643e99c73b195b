"""What people can use on a mesh nobody labelled: the seat, the top and the back, and which way a sitter would look.

Seen from above and from the front by orthographic depth pictures of one centimetre per pixel.
"""

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from scipy.ndimage import binary_closing, label

from hsimul3r.benchmark.objects.pieces import Surface, SurfaceKind, surface
from hsimul3r.geometry.silhouette import rasterize_depth

CELL_M = 0.01
FAR_M = 1000.0
"""Distance of the eye, at which rays are parallel to a millimetre."""
SEAT_HEIGHTS_M = (0.25, 0.90)
TOP_HEIGHTS_M = (0.25, 1.25)
LEVEL_M = 0.025
"""A seat's or top's heights vary by this much to both sides."""
FLAT_M = 0.006
"""The same, of the part of it that is given as a surface."""
SMALLEST_M = 0.18
SLIT = 2
"""Slits up to twice this many cells do not part a seat or top."""
BACK_ABOVE_M = 0.10
LEAST_COVER = 0.12
"""Part of a back's row that must be there; a back may be slatted."""

SEATS = ("chair", "armchair", "sofa", "stool", "bench")


@dataclass(frozen=True, kw_only=True)
class Level:
    """The largest free level rectangle of a mesh, and all cells at its height."""

    height_m: float
    low: tuple[float, float]
    high: tuple[float, float]
    """Corners (x, y)."""
    cells: Bool[ndarray, "nx ny"]

    @property
    def size_m(self) -> tuple[float, float]:
        return self.high[0] - self.low[0], self.high[1] - self.low[1]

    @property
    def centre(self) -> tuple[float, float]:
        return (self.low[0] + self.high[0]) / 2, (self.low[1] + self.high[1]) / 2


def heights_from_above(vertices: Float[ndarray, "v 3"], faces: Int[ndarray, "f 3"]) -> Float[ndarray, "nx ny"]:
    """Height of what a plumb line meets first over each cell of the mesh's box; -inf where it meets nothing."""
    return -_nearest(vertices[:, [0, 1]], -vertices[:, 2], faces)


def _nearest(plane: Float[ndarray, "v 2"], away: Float[ndarray, "v"], faces: ndarray) -> Float[ndarray, "nx ny"]:
    low = plane.min(axis=0)
    shape = np.ceil(np.ptp(plane, axis=0) / CELL_M).astype(int)
    uv = (plane - low)[:, ::-1] / CELL_M - 0.5
    return rasterize_depth(uv, away + FAR_M, faces, height=shape[0], width=shape[1])[0].astype(float) - FAR_M


def level_of(heights: Float[ndarray, "nx ny"], low_xy: Float[ndarray, "2"], limits: tuple[float, float]) -> Level | None:
    """The height within the limits that covers the largest rectangle; None where there is none to sit on or put things on."""
    inside = heights[(heights > limits[0]) & (heights < limits[1])]
    if not len(inside):
        return None
    edges = np.arange(limits[0], limits[1], 0.005)
    counts = np.array([np.sum(np.abs(inside - z) < LEVEL_M) for z in edges])
    best: Level | None = None
    for z in edges[counts >= 0.6 * counts.max()][::2]:
        found = _rectangle_at(heights, float(z), low_xy, LEVEL_M)
        if found and (best is None or np.prod(found.size_m) > np.prod(best.size_m) + 1e-9):
            best = found
    return best


def _rectangle_at(heights: Float[ndarray, "nx ny"], z: float, low_xy: Float[ndarray, "2"], tolerance_m: float) -> Level | None:
    is_level = binary_closing(np.pad(np.abs(heights - z) < tolerance_m, SLIT), iterations=SLIT)[SLIT:-SLIT, SLIT:-SLIT]
    regions = np.asarray(label(is_level)[0])  # pyright: ignore[reportIndexIssue]
    if not is_level.any():
        return None
    is_level = regions == 1 + np.argmax(np.bincount(regions.ravel())[1:])
    (x0, x1), (y0, y1) = largest_rectangle(is_level)
    if min(x1 - x0, y1 - y0) * CELL_M < SMALLEST_M:
        return None
    low, high = low_xy + CELL_M * np.array([x0, y0]), low_xy + CELL_M * np.array([x1, y1])
    height = float(np.median(heights[x0:x1, y0:y1][np.isfinite(heights[x0:x1, y0:y1])]))
    return Level(height_m=height, low=(low[0], low[1]), high=(high[0], high[1]), cells=is_level)


def largest_rectangle(mask: Bool[ndarray, "nx ny"]) -> tuple[tuple[int, int], tuple[int, int]]:
    """Half-open index ranges of the largest rectangle of True cells."""
    best, found = 0, ((0, 0), (0, 0))
    run = np.zeros(mask.shape[1], int)
    for x, row in enumerate(mask):
        run = np.where(row, run + 1, 0)
        stack: list[tuple[int, int]] = []
        for y, size in enumerate([*run.tolist(), 0]):
            start = y
            while stack and stack[-1][1] >= size:
                start, tall = stack.pop()
                if tall * (y - start) > best:
                    best, found = tall * (y - start), ((x + 1 - tall, x + 1), (start, y))
            stack.append((start, size))
    return found


def quarter_turns_to_front(heights: Float[ndarray, "nx ny"], level: Level, *, has_back: bool) -> int:
    """Quarter turns about +Z after which the sitter looks along -Y; without a back the long side comes to lie along X.

    The back is where the mesh rises above the seat: its moment about the middle of the box, weighted by height.
    """
    rise = np.where(np.isfinite(heights), heights - level.height_m - BACK_ABOVE_M, 0.0).clip(0.0)
    if has_back and rise.sum() * CELL_M**2 > 2e-4:
        half = (np.array(heights.shape) - 1) / 2
        x, y = (float((rise * (grid - h)).sum() / rise.sum() / h) for grid, h in zip(np.indices(heights.shape), half))
        if max(abs(x), abs(y)) > 0.15:
            return (0 if y > 0 else 2) if abs(y) >= abs(x) else (1 if x > 0 else 3)
    return int(level.size_m[1] > 1.05 * level.size_m[0])


def turned_about_z(vertices: Float[ndarray, "v 3"], quarters: int) -> Float[ndarray, "v 3"]:
    """Turned counterclockwise, seen from above, without rounding."""
    x, y, z = vertices.T
    return np.column_stack([*((x, y), (-y, x), (-x, -y), (y, -x))[quarters % 4], z])


def places(level: Level, count: int) -> dict[str, Level]:
    """A level cut across X into places for one person each, from left to right (a sitter's right to left), by suffix."""
    edges = np.linspace(level.low[0], level.high[0], count + 1)
    names = {1: [""], 2: ["_left", "_right"], 3: ["_left", "_middle", "_right"]}.get(count, [f"_{i}" for i in range(count)])
    return {
        name: replace(level, low=(low, level.low[1]), high=(high, level.high[1]))
        for name, (low, high) in zip(names, pairwise(edges.tolist()))
    }


def flattest(heights: Float[ndarray, "nx ny"], low_xy: Float[ndarray, "2"], level: Level) -> Level:
    """The largest part of a level that is flat to FLAT_M (a dished seat's middle), at the height that most of it is below."""
    (x0, y0), (x1, y1) = (np.round((np.array(corner) - low_xy) / CELL_M).astype(int) for corner in (level.low, level.high))
    inside = np.full_like(heights, -np.inf)
    inside[x0:x1, y0:y1] = heights[x0:x1, y0:y1]
    found = [_rectangle_at(inside, z, low_xy, FLAT_M) for z in np.arange(-LEVEL_M, LEVEL_M + 1e-9, 0.004) + level.height_m]
    flat = max((one for one in found if one), key=lambda one: np.prod(one.size_m), default=level)
    (x0, y0), (x1, y1) = (np.round((np.array(corner) - low_xy) / CELL_M).astype(int) for corner in (flat.low, flat.high))
    seen = heights[x0:x1, y0:y1]
    return replace(flat, height_m=float(np.quantile(seen[np.isfinite(seen)], 0.9)))


def level_surface(name: str, kind: SurfaceKind, level: Level) -> Surface:
    return surface(name, kind, at=(*level.centre, level.height_m), size=level.size_m)


def back_surface(name: str, vertices: Float[ndarray, "v 3"], faces: Int[ndarray, "f 3"], seat: Level) -> Surface | None:
    """The plane that a sitter leans on: what is met behind the seat's middle, looking along +Y; None where too little is."""
    depth = _nearest(vertices[:, [0, 2]], vertices[:, 1], faces)
    low = vertices.min(axis=0)
    columns = slice(round((seat.low[0] - low[0]) / CELL_M), round((seat.high[0] - low[0]) / CELL_M))
    first = round((seat.height_m + BACK_ABOVE_M - low[2]) / CELL_M)
    seen = depth[columns, first:]
    is_back = np.isfinite(seen) & (seen > seat.centre[1])
    rows = np.flatnonzero(is_back.mean(axis=0) > LEAST_COVER)
    if len(rows) * CELL_M < 0.12:
        return None
    y = np.array([np.quantile(seen[is_back[:, row], row], 0.25) for row in rows])
    z = low[2] + (first + rows + 0.5) * CELL_M
    lean, offset = _robust_line(z - z.mean(), y)
    pitch = 90.0 - float(np.degrees(np.arctan(lean)))
    long = (z[-1] - z[0] + CELL_M) / np.sin(np.radians(pitch))
    return surface(name, "back", at=(seat.centre[0], offset, z.mean()), size=(seat.size_m[0], float(long)), pitch_deg=pitch)


def _robust_line(x: Float[ndarray, "n"], y: Float[ndarray, "n"]) -> tuple[float, float]:
    """Slope and offset of y over x, weights falling with the residual over 1 cm, and a back never leaning over 45 degrees."""
    weight = np.ones(len(x))
    slope = offset = 0.0
    for _ in range(10):
        slope, offset = np.polyfit(x, y, 1, w=weight)
        weight = 1.0 / np.sqrt(1.0 + ((y - slope * x - offset) / 0.01) ** 2)
    return float(np.clip(slope, -1.0, 1.0)), float(offset)
