import numpy as np
import pytest

from hsimul3r.generator.objective import crop
from hsimul3r.generator.synthetic import CLEAN, synthetic_observation
from hsimul3r.geometry.convex_sets import ConvexSet
from hsimul3r.geometry.frusta import frustum_parts, silhouette_energies
from hsimul3r.geometry.mesh import convex_part

BOX = convex_part(np.array([[x, y, z] for x in (-1, 1) for y in (-0.5, 0.5) for z in (0.3, 0.5)], float))
ABOVE = convex_part(BOX.vertices * [0.2, 1, 1] + [0, 0, 1.0])
PAIR = ConvexSet.of([BOX, ABOVE], knee=0.9)


def test_a_box_has_twelve_edges_and_six_faces():
    assert PAIR.edge_ends.tolist() == [12, 24]
    assert PAIR.plane_ends.tolist() == [6, 12]
    lengths = np.linalg.norm(np.diff(PAIR.vertices[PAIR.edges], axis=1)[:12, 0], axis=1)
    assert sorted(np.round(lengths, 6)) == [0.2] * 4 + [1.0] * 4 + [2.0] * 4


def test_a_plumb_line_meets_the_storey_that_is_asked_for():
    points = np.array([[0.1, 0.2]] * 2 + [[0.9, 0.2], [1.2, 0.0]])
    assert PAIR.tops(points, np.array([0.6, 1.4, 1.4, 0.5])).tolist() == pytest.approx([0.5, 1.5, 0.5, np.inf])


def test_distances_are_those_of_the_stretched_solid():
    size = np.array([2.0, 1.0, 3.0, 3.0])
    points = np.array([[2.5, 0.0, 1.2], [0.0, 0.0, 1.0], [0.0, 0.7, 1.2]])
    assert PAIR.distances(points, size).tolist() == pytest.approx([0.5, 0.1, 0.2])


def test_stretching_bends_at_the_knee_and_goes_back():
    size = np.array([2.0, 0.5, 2.0, 1.0])
    points = np.array([[1.0, 1.0, 0.5], [1.0, 1.0, 1.5]])
    there = PAIR.stretched(points, size)
    assert there.tolist() == [[2.0, 0.5, 1.0], [2.0, 0.5, pytest.approx(2 * 0.9 + 0.6)]]
    assert np.allclose(PAIR.unstretched(there[None], size[None])[0], points)


def test_silhouettes_are_those_of_the_same_frusta():
    observation, truth = synthetic_observation(3, CLEAN)
    crops = crop(observation, object_px=60, size=112)
    block = np.array([0.0, 0.0, 0.2, 0.3, 0.2, 0.0, 0.0, 0.8, 0.25, 0.1, -1.0, 0.0])
    poses, shifts = np.array([[0.1, -0.1, 0.7], truth.pose]), np.zeros((2, 4, 2))
    solid = ConvexSet.of(frustum_parts(block[None]), knee=0.4)
    sizes = np.array([[1.0, 1.0, 1.0, 1.0], [1.3, 0.8, 1.1, 1.1]])
    stretched = block * [1.3, 0.8, 1.1, 1.3, 0.8, 1.3, 0.8, 1.1, 1.3, 0.8, 1, 1]
    rows = np.stack([block[None], stretched[None]])
    wanted = silhouette_energies(rows, poses, shifts, crops.cameras, crops.counts)
    found = solid.silhouette_energies(sizes, poses, shifts, crops.cameras, crops.counts)
    assert found == pytest.approx(wanted, abs=2e-3)
    assert (found < 0.95).all()
