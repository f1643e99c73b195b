"""A closed surface through oriented points: Poisson reconstruction (Kazhdan, Bolitho, Hoppe 2006) on a regular grid.

The gradient of the solid's smoothed indicator is the smoothed field of inward normals V, so that laplace(chi) = div(V). Here V
is a sum of Gaussians as wide as the points lie apart, each weighted by the area its point stands for, the equation is solved
by FFT, and the surface is where chi has the mean of its values at the points. Where no points are it would bulge, so that it is
cut off at their slightly grown convex hull. No screening and no octree: one object has some thousands of points at most.
"""

from dataclasses import dataclass

import manifold3d
import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.spatial import KDTree

from hsimul3r.errors import BadMesh
from hsimul3r.geometry.isosurface import isosurface
from hsimul3r.geometry.mesh import Surface, manifold_of, surface_of


@dataclass(frozen=True, kw_only=True)
class PoissonConfig:
    """Settings of `poisson_surface`."""

    cells: int = 28
    """Of the grid along the points' longest extent."""
    margin: float = 0.35
    """Empty space around the points, relative to that extent."""
    spread: float = 1.5
    """Width of a point's Gaussian in units of the median distance to the third neighbour; at least one cell."""
    bound_cells: float = 1.5
    """How far the solid may reach beyond the points' convex hull, along their longest extent."""
    tolerance_cells: float = 0.2
    """How far the surface may be moved to save triangles."""
    neighbours: int = 8
    """Points that say how the surface lies at one of them."""


def oriented_normals(
    points: Float[ndarray, "points 3"], viewpoints: Float[ndarray, "points 3"], *, neighbours: int
) -> Float[ndarray, "points 3"]:
    """Normal of the plane through each point's neighbours, turned towards the place from which the point was seen."""
    count = min(neighbours, len(points))
    _, near = KDTree(points).query(points, k=count)
    offsets = points[near] - points[near].mean(axis=1, keepdims=True)
    _, axes = np.linalg.eigh(np.einsum("pni,pnj->pij", offsets, offsets))
    normals = axes[:, :, 0]
    away = np.einsum("pi,pi->p", normals, viewpoints - points) < 0
    return np.where(away[:, None], -normals, normals)


def poisson_surface(
    points: Float[ndarray, "points 3"], normals: Float[ndarray, "points 3"], *, cfg: PoissonConfig, name: str = "object"
) -> Surface:
    """Watertight surface of the largest solid that the points bound; `normals` point out of it.

    Raises `BadMesh` where they bound none.
    """
    extent = float(np.ptp(points, axis=0).max())
    if len(points) < 4 or extent <= 0:
        raise BadMesh(name, f"cannot be made of {len(points)} points in one place")
    cell = extent / cfg.cells
    origin = points.min(axis=0) - cfg.margin * extent
    shape = np.ceil((np.ptp(points, axis=0) + 2 * cfg.margin * extent) / cell).astype(int) + 1
    spacing = np.sort(KDTree(points).query(points, k=min(4, len(points)))[0], axis=1)[:, -1]
    width = max(cfg.spread * float(np.median(spacing)) / cell, 1.0)
    places = (points - origin) / cell
    chi = _indicator(places, normals * (spacing**2)[:, None], shape, width)
    level = float(map_coordinates(chi, places.T, order=1).mean())
    outside = np.ones(chi.shape, bool)
    outside[1:-1, 1:-1, 1:-1] = False
    field = np.where(outside, np.abs(level - chi), level - chi) / np.abs(chi).max()
    vertices, faces = isosurface(field, low=origin, spacing_m=cell)
    if not len(faces):
        raise BadMesh(name, "has no inside: its points bound no solid")
    bound = _hull(points, 1.0 + 2.0 * cfg.bound_cells * cell / extent)
    return _largest(manifold_of(vertices, faces, name) ^ bound, name, tolerance_m=cfg.tolerance_cells * cell)


def _indicator(
    places: Float[ndarray, "points 3"], weighted: Float[ndarray, "points 3"], shape: Int[ndarray, "3"], width: float
) -> Float[ndarray, "nx ny nz"]:
    """chi (positive inside, up to scale and an offset) from points in cells and normals times area, periodic."""
    field = np.stack([gaussian_filter(_splat(places, weighted[:, k], shape), width, mode="constant") for k in range(3)])
    waves = np.meshgrid(*(2 * np.pi * np.fft.fftfreq(n) for n in shape), indexing="ij")
    divergence = sum(1j * wave * np.fft.fftn(component) for wave, component in zip(waves, field))
    square = np.sum([wave**2 for wave in waves], axis=0)
    square[0, 0, 0] = 1.0
    return np.fft.ifftn(divergence / square).real


def _splat(
    places: Float[ndarray, "points 3"], values: Float[ndarray, "points"], shape: Int[ndarray, "3"]
) -> Float[ndarray, "nx ny nz"]:
    """Values shared among the eight cells around each place."""
    grid, low = np.zeros(shape), np.floor(places).astype(int)
    for corner in np.ndindex(2, 2, 2):
        share = np.prod(np.where(corner, places - low, 1 - places + low), axis=1)
        np.add.at(grid, tuple((low + corner).T), share * values)
    return grid


def _hull(points: Float[ndarray, "points 3"], scale: float) -> manifold3d.Manifold:
    """Convex hull of the points, grown about the middle of their box."""
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    return manifold3d.Manifold.hull_points((middle + scale * (points - middle)).tolist())


def _largest(made: manifold3d.Manifold, name: str, *, tolerance_m: float) -> Surface:
    """The connected solid of the largest volume, with as few triangles as the tolerance allows."""
    pieces = [piece for piece in made.decompose() if piece.volume() > 0]
    if not pieces:
        raise BadMesh(name, "has no inside: its points bound no solid")
    return surface_of(max(pieces, key=lambda piece: piece.volume()).simplify(tolerance_m), name)


def is_typical(points: Float[ndarray, "points 3"], *, neighbours: int, deviations: float) -> Bool[ndarray, "points"]:
    """Points whose mean distance to their neighbours is not above the mean over all points by so many standard deviations."""
    distance, _ = KDTree(points).query(points, k=min(neighbours + 1, len(points)))
    mean = distance[:, 1:].mean(axis=1)
    return mean <= mean.mean() + deviations * mean.std()
