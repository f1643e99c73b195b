"""The surface of a scene from dense views: signed distances along the views' rays, averaged on a grid (Curless, Levoy 1996)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from hsimul3r.artifacts import Cameras, DenseView
from hsimul3r.geometry.cameras import depth, project
from hsimul3r.geometry.isosurface import isosurface

EDGE = 1.1
"""Neighbouring pixels whose depths differ by more than this factor lie on different surfaces."""


@dataclass(frozen=True, kw_only=True)
class FusionConfig:
    """Settings of `fuse_views`."""

    cell_m: float = 0.04
    truncation_m: float = 0.12
    """A view says nothing of what lies further than this behind its surface."""
    outliers_percent: float = 2.0
    """Share of the points, at either end of each axis, for which the grid is not made larger."""
    max_nodes: float = 4e6
    """Cells grow where the grid would have more nodes."""


def fuse_views(
    views: Sequence[DenseView], cameras: Cameras, *, cfg: FusionConfig
) -> tuple[Float[ndarray, "vertices 3"], Int[ndarray, "faces 3"]]:
    """An open surface, only where views saw it; normals towards the cameras. Empty where no pixel is static."""
    points = np.concatenate([view.points[view.is_static] for view in views]).astype(float)
    if not len(points):
        return np.zeros((0, 3)), np.zeros((0, 3), np.int32)
    low, high = np.percentile(points, [cfg.outliers_percent, 100 - cfg.outliers_percent], axis=0)
    low, high = low - 2 * cfg.truncation_m, high + 2 * cfg.truncation_m
    cell = max(cfg.cell_m, float((np.prod(high - low) / cfg.max_nodes) ** (1 / 3)))
    shape = np.ceil((high - low) / cell).astype(int) + 1
    nodes = low + cell * np.stack(np.meshgrid(*(np.arange(n) for n in shape), indexing="ij"), axis=-1).reshape(-1, 3)
    total, count = np.zeros(len(nodes)), np.zeros(len(nodes))
    for view in views:
        ahead, is_known = _ahead(view, cameras, nodes)
        is_known &= ahead > -cfg.truncation_m
        total[is_known] += np.minimum(ahead[is_known], cfg.truncation_m)
        count[is_known] += 1
    is_seen = (count > 0).reshape(shape)
    is_seen &= _is_inner(shape)
    field = np.where(is_seen, (total / np.maximum(count, 1)).reshape(shape), cfg.truncation_m)
    vertices, faces = isosurface(field, low=low, spacing_m=cell)
    return _only_seen(vertices, faces, is_seen, low, cell)


def _ahead(
    view: DenseView, cameras: Cameras, nodes: Float[ndarray, "nodes 3"]
) -> tuple[Float[ndarray, "nodes"], Bool[ndarray, "nodes"]]:
    """How far nodes lie in front of what the view shows there [m], and whether it shows something of the scene there."""
    height, width = view.is_static.shape
    with np.errstate(invalid="ignore"):
        x, y = ((project(cameras, view.view, nodes) - view.offset_px) / view.scale).T
        is_inside = (x >= 0) & (y >= 0) & (x < width - 1) & (y < height - 1)
    x, y = np.where(is_inside, x, 0.0), np.where(is_inside, y, 0.0)
    is_known = is_inside & view.is_static[np.round(y).astype(int), np.round(x).astype(int)]
    return _shown_depth(depth(cameras, view.view, view.points), x, y) - depth(cameras, view.view, nodes), is_known


def _shown_depth(
    z: Float[ndarray, "height width"], x: Float[ndarray, "nodes"], y: Float[ndarray, "nodes"]
) -> Float[ndarray, "nodes"]:
    """Depth between pixels: of the plane through the four around, unless an edge runs between them, else of the nearest."""
    column, row = x.astype(int), y.astype(int)
    right, down = x - column, y - row
    corners = np.array([z[row + j, column + i] for j in (0, 1) for i in (0, 1)])
    shares = np.array([(1 - right) * (1 - down), right * (1 - down), (1 - right) * down, right * down])
    smooth = 1 / (shares / corners).sum(axis=0)  # a plane's inverse depth is linear in the picture
    is_edge = corners.max(axis=0) > EDGE * corners.min(axis=0)
    return np.where(is_edge, z[np.round(y).astype(int), np.round(x).astype(int)], smooth)


def _is_inner(shape: Int[ndarray, "3"]) -> Bool[ndarray, "nx ny nz"]:
    inner = np.zeros(shape, bool)
    inner[1:-1, 1:-1, 1:-1] = True
    return inner


def _only_seen(
    vertices: Float[ndarray, "vertices 3"], faces: Int[ndarray, "faces 3"], is_seen: Bool[ndarray, "nx ny nz"],
    low: Float[ndarray, "3"], cell: float,
) -> tuple[Float[ndarray, "kept 3"], Int[ndarray, "few 3"]]:  # fmt: skip
    """Faces in cells all of whose nodes were seen: the others close the field off behind the surfaces."""
    corner = np.clip(((vertices - low) / cell).astype(int), 0, np.array(is_seen.shape) - 2)
    whole = np.ones(len(vertices), bool)
    for step in np.ndindex(2, 2, 2):
        whole &= is_seen[tuple((corner + step).T)]
    kept = faces[whole[faces].all(axis=1)]
    used, renumbered = np.unique(kept, return_inverse=True)
    return vertices[used], renumbered.reshape(-1, 3).astype(np.int32)
