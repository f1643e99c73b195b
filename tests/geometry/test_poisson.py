import numpy as np
import pytest

from hsimul3r.errors import BadMesh
from hsimul3r.geometry.mesh import is_watertight, solid
from hsimul3r.geometry.poisson import PoissonConfig, is_typical, oriented_normals, poisson_surface

CENTRE, RADIUS = np.array([0.3, -1.0, 0.5]), 0.4


def sphere(count=300):
    normals = np.random.default_rng(0).normal(size=(count, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    return CENTRE + RADIUS * normals, normals


def test_points_of_a_sphere_give_the_sphere():
    vertices, faces = poisson_surface(*sphere(), cfg=PoissonConfig())
    assert is_watertight(faces)
    assert solid(vertices, faces).volume_m3 == pytest.approx(4 / 3 * np.pi * RADIUS**3, rel=0.02)
    assert np.abs(np.linalg.norm(vertices - CENTRE, axis=1) - RADIUS).max() < 0.02


def test_the_unseen_half_is_closed():
    points, normals = sphere(600)
    seen = normals[:, 1] < 0.2
    vertices, faces = poisson_surface(points[seen], normals[seen], cfg=PoissonConfig())
    assert is_watertight(faces)
    front = vertices[(vertices - CENTRE)[:, 1] < -0.1]
    assert np.abs(np.linalg.norm(front - CENTRE, axis=1) - RADIUS).max() < 0.03


def test_the_same_points_give_the_same_bits():
    first, second = (poisson_surface(*sphere(100), cfg=PoissonConfig()) for _ in range(2))
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(first[1], second[1])


def test_normals_look_at_the_viewpoint():
    points, normals = sphere()
    found = oriented_normals(points, CENTRE + 3 * normals, neighbours=8)
    assert (found * normals).sum(axis=1).min() > 0.9
    flipped = oriented_normals(points, np.tile(CENTRE, (len(points), 1)), neighbours=8)
    np.testing.assert_allclose(flipped, -found)


def test_points_in_one_place_are_refused():
    with pytest.raises(BadMesh, match="one place"):
        poisson_surface(np.zeros((5, 3)), np.tile([0, 0, 1.0], (5, 1)), cfg=PoissonConfig())


def test_a_flat_patch_does_not_bulge_beyond_its_points():
    points = np.random.default_rng(0).uniform([-0.5, -0.5, 0.0], [0.5, 0.5, 0.02], (400, 3))
    vertices, _ = poisson_surface(points, np.tile([0, 0, 1.0], (400, 1)), cfg=PoissonConfig())
    assert np.ptp(vertices[:, 2]) < 0.03 and np.ptp(vertices[:, 0]) < 1.2


def test_a_stray_point_is_no_typical_one():
    points, _ = sphere()
    kept = is_typical(np.concatenate([points, [[3.0, 0, 0]]]), neighbours=8, deviations=2.0)
    assert not kept[-1] and kept[:-1].mean() > 0.95
