import numpy as np
import pytest

from hsimul3r.geometry.isosurface import CORNERS, TETRAHEDRA, isosurface
from hsimul3r.geometry.mesh import is_watertight, solid


def grid(count: int, half: float):
    axis = np.linspace(-half, half, count)
    return np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1), axis[1] - axis[0]


def test_tetrahedra_fill_the_cube():
    volumes = [np.linalg.det(CORNERS[list(t)][1:] - CORNERS[t[0]]) / 6 for t in TETRAHEDRA]
    assert min(volumes) > 0
    assert sum(volumes) == pytest.approx(1.0)


def test_a_sphere_has_its_place_volume_and_radius():
    points, spacing = grid(41, 1.3)
    vertices, faces = isosurface(np.linalg.norm(points, axis=-1) - 1.0, low=np.array([1.7, -1.3, -1.3]), spacing_m=spacing)
    made = solid(vertices, faces)
    assert is_watertight(faces)
    assert made.volume_m3 == pytest.approx(4 / 3 * np.pi, rel=0.005)
    np.testing.assert_allclose(made.centroid, (3, 0, 0), atol=1e-3)
    np.testing.assert_allclose(np.linalg.norm(vertices - (3, 0, 0), axis=1), 1.0, atol=0.002)


def test_a_plane_is_met_exactly():
    points, spacing = grid(11, 1.0)
    slab = np.maximum(np.abs(points[..., 2] - 0.03) - 0.33, np.abs(points).max(axis=-1) - 0.79)
    vertices, _ = isosurface(slab, low=np.full(3, -1.0), spacing_m=spacing)
    np.testing.assert_allclose([vertices[:, 2].min(), vertices[:, 2].max()], (-0.30, 0.36), atol=1e-6)


def test_any_field_gives_a_closed_surface():
    field = np.random.default_rng(0).normal(size=(14, 15, 16))
    for axis in range(3):
        np.moveaxis(field, axis, 0)[[0, -1]] = 1.0
    field[5, 5, 5] = 0.0
    vertices, faces = isosurface(field, low=np.zeros(3), spacing_m=1.0)
    assert is_watertight(faces)
    assert solid(vertices, faces).volume_m3 > 0


def test_no_inside_no_surface():
    vertices, faces = isosurface(np.ones((4, 4, 4)), low=np.zeros(3), spacing_m=1.0)
    assert (len(vertices), len(faces)) == (0, 0)
