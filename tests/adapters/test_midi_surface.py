import numpy as np
import pytest
import trimesh

from stages.adapters.networks.midi_surface import SurfaceSettings, find_surface

FINE = SurfaceSettings(coarse_cells=12, refinements=3, smoothing_cells=0.0)
DENSE = SurfaceSettings(coarse_cells=96, refinements=0, smoothing_cells=0.0)


def ball(points):
    return np.linalg.norm(points - 0.1, axis=1) - 0.6


def plate(points):
    """1.4 x 1 x 0.012: thinner than a tenth of the coarse grid's cells."""
    beyond = np.abs(points - [0.013, 0.02, 0.031]) - [0.7, 0.5, 0.006]
    return np.linalg.norm(np.maximum(beyond, 0), axis=1) + np.minimum(beyond.max(axis=1), 0)


@pytest.mark.parametrize("field", [ball, plate])
def test_coarse_to_fine_is_the_dense_surface_at_a_fraction_of_the_cost(field):
    fine, dense = find_surface(field, FINE), find_surface(field, DENSE)
    assert np.array_equal(fine.vertices, dense.vertices)
    assert np.array_equal(fine.faces, dense.faces)
    assert dense.asked == 97**3
    assert fine.asked < dense.asked / 5


def test_a_ball_is_closed_and_has_its_volume():
    found = find_surface(ball, FINE)
    mesh = trimesh.Trimesh(found.vertices, found.faces, process=False)
    assert mesh.is_watertight
    assert mesh.volume == pytest.approx(4 / 3 * np.pi * 0.6**3, rel=0.005)


def test_what_reaches_out_of_the_box_is_closed_at_it():
    found = find_surface(lambda points: points[:, 0] - 0.2, FINE)
    mesh = trimesh.Trimesh(found.vertices, found.faces, process=False)
    assert mesh.is_watertight
    assert mesh.bounds[1, 0] == pytest.approx(0.2)


def test_an_empty_field_has_no_surface():
    assert len(find_surface(lambda points: np.ones(len(points)), FINE).faces) == 0


def test_smoothing_takes_off_corners_only():
    found = find_surface(ball, SurfaceSettings(coarse_cells=12, refinements=3, smoothing_cells=1.0))
    assert np.abs(np.linalg.norm(found.vertices - 0.1, axis=1) - 0.6).max() < 2e-3
