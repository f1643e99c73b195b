"""The surface of a field that is dear to ask: from coarse to fine, asking only where the surface can be.

A dense grid of 257^3 points costs MIDI's decoder more than all sampling steps together. A signed distance says how far away the
surface is, so a cell whose corners are all farther from it than half its diagonal holds none and is not refined.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from scipy.ndimage import gaussian_filter

from hsimul3r.geometry.isosurface import isosurface

Field = Callable[[Float[ndarray, "points 3"]], Float[ndarray, "points"]]
"""Signed distance at points, negative inside."""
DIAGONAL = 3**0.5


@dataclass(frozen=True, kw_only=True)
class SurfaceSettings:
    """How finely a surface is asked for."""

    half_box: float = 1.005
    """The field is asked in [-half_box, half_box]^3."""
    coarse_cells: int = 32
    """Along a side, asked densely."""
    refinements: int = 3
    """Each halves the cells: 256 along the side."""
    reach: float = 1.0
    """Cells are refined whose nearest corner is within `reach` times half their diagonal of the surface: 1 misses nothing of a
    true distance, more is for fields that are not quite one."""
    smoothing_cells: float = 1.0
    """Spread of the Gaussian over the finest grid, in cells; 0 leaves the field as it is."""


@dataclass(frozen=True, kw_only=True)
class FieldSurface:
    """A closed surface and what it cost."""

    vertices: Float[ndarray, "vertices 3"]
    faces: Int[ndarray, "faces 3"]
    asked: int
    """Points at which the field was asked."""


@dataclass(frozen=True, kw_only=True)
class FieldGrid:
    """A field at the nodes of a cubic grid; where it is not known it is interpolated from the last coarser grid."""

    low: float
    spacing: float
    values: Float[ndarray, "n n n"]
    is_known: Bool[ndarray, "n n n"]


def find_surface(field: Field, settings: SurfaceSettings) -> FieldSurface:
    """Where the field is zero; empty where it is nowhere negative."""
    grid = coarse_grid(field, settings)
    for _ in range(settings.refinements):
        grid = refined(grid, field, reach=settings.reach)
    values = grid.values
    if settings.smoothing_cells > 0:
        values = gaussian_filter(values, settings.smoothing_cells, mode="nearest")
    vertices, faces = isosurface(_closed(values, grid.spacing), low=np.full(3, grid.low), spacing_m=grid.spacing)
    return FieldSurface(vertices=vertices, faces=faces, asked=int(grid.is_known.sum()))


def coarse_grid(field: Field, settings: SurfaceSettings) -> FieldGrid:
    """The field at all nodes of the coarsest grid."""
    nodes, spacing = settings.coarse_cells + 1, 2 * settings.half_box / settings.coarse_cells
    index = np.indices((nodes,) * 3).reshape(3, -1).T
    values = field(index * spacing - settings.half_box).reshape((nodes,) * 3)
    return FieldGrid(low=-settings.half_box, spacing=spacing, values=values, is_known=np.ones(values.shape, bool))


def refined(grid: FieldGrid, field: Field, *, reach: float) -> FieldGrid:
    """The grid at half the spacing, asked in the cells that the surface may cross."""
    values, is_known = _between_nodes(grid.values), np.zeros((2 * len(grid.values) - 1,) * 3, bool)
    is_known[::2, ::2, ::2] = grid.is_known
    index = np.argwhere(_nodes_of(_crossed_cells(grid, reach)) & ~is_known)
    spacing = grid.spacing / 2
    values[tuple(index.T)] = field(index * spacing + grid.low)
    is_known[tuple(index.T)] = True
    return FieldGrid(low=grid.low, spacing=spacing, values=values, is_known=is_known)


def _crossed_cells(grid: FieldGrid, reach: float) -> Bool[ndarray, "m m m"]:
    """Cells with corners on both sides, or one within `reach` half diagonals of the surface."""
    corners = _corners(grid.values)
    lowest, highest = np.min(corners, axis=0), np.max(corners, axis=0)
    nearest = np.min(_corners(np.abs(grid.values)), axis=0)
    return ((lowest < 0) & (highest >= 0)) | (nearest <= reach * DIAGONAL / 2 * grid.spacing)


def _corners(nodes: Float[ndarray, "n n n"]) -> list[Float[ndarray, "m m m"]]:
    first, last = slice(None, -1), slice(1, None)
    return [nodes[x, y, z] for x in (first, last) for y in (first, last) for z in (first, last)]


def _nodes_of(cells: Bool[ndarray, "m m m"]) -> Bool[ndarray, "nodes nodes nodes"]:
    """The nodes, at half the spacing, in and on the chosen cells."""
    nodes = np.zeros([2 * side + 1 for side in cells.shape], bool)
    for x, y, z in np.ndindex(3, 3, 3):
        nodes[tuple(slice(step, step + 2 * side, 2) for step, side in zip((x, y, z), cells.shape))] |= cells
    return nodes


def _between_nodes(values: Float[ndarray, "n n n"]) -> Float[ndarray, "nodes nodes nodes"]:
    """Values at half the spacing, interpolated along one axis after the other."""
    for axis in range(3):
        values = np.moveaxis(values, axis, 0)
        finer = np.empty((2 * len(values) - 1, *values.shape[1:]), values.dtype)
        finer[::2], finer[1::2] = values, (values[:-1] + values[1:]) / 2
        values = np.moveaxis(finer, 0, axis)
    return values


def _closed(values: Float[ndarray, "n n n"], spacing: float) -> Float[ndarray, "n n n"]:
    """Outside on the border of the grid, so that the surface is closed."""
    closed = values.copy()
    for axis in range(3):
        border = np.moveaxis(closed, axis, 0)
        border[[0, -1]] = np.maximum(border[[0, -1]], spacing / 2)
    return closed
