"""Distances of a robot's capsules to boxes, to the floor and to each other, in closed form."""

import numpy as np
import pytest

from hsimul3r.retarget.distance import Floor, Solid, _segment_hits, along, nearest, samples_of
from hsimul3r.retarget.robot import Capsule, robot_named
from tests.retarget.people import box


def test_balls_near_a_box():
    solid = Solid.of(box("b", [-0.5, -0.5, 0], [0.5, 0.5, 1]), np.eye(4)[None])
    places = np.array([[[0.0, 0, 1.1], [0.7, 0, 0.5], [0, 0, 3.0]]])
    hits = solid.near(places, np.array([0.15, 0.1, 0.1]), 0.2)
    assert hits.sample.tolist() == [0, 1]
    assert hits.distance == pytest.approx([-0.05, 0.1])
    assert hits.normal == pytest.approx(np.array([[0, 0, 1.0], [1, 0, 0]]))


def test_a_moved_and_turned_box():
    poses = np.tile(np.eye(4), (2, 1, 1))
    poses[1, :3, :3] = [[0, -1, 0], [1, 0, 0], [0, 0, 1]]
    poses[1, :3, 3] = [5, 0, 0]
    solid = Solid.of(box("b", [-0.5, -0.1, 0], [0.5, 0.1, 1]), poses)
    hits = solid.near(np.array([[[0.0, 0.3, 0.5]], [[5.3, 0, 0.5]]]), np.zeros(1), 1.0)
    assert hits.distance == pytest.approx([0.2, 0.2])
    assert hits.normal == pytest.approx(np.array([[0, 1.0, 0], [1, 0, 0]]))


def test_the_nearest_of_each_frame():
    hits = Floor().near(
        np.array([[[0, 0, 0.3], [0, 0, 0.2]], [[0, 0, 5.0], [0, 0, 6.0]], [[0, 0, -0.1], [0, 0, 0]]]), np.zeros(2), 1.0
    )
    chosen = nearest(hits)
    assert hits.frame[chosen].tolist() == [0, 2]
    assert hits.sample[chosen].tolist() == [1, 0]


def test_points_along_a_capsule():
    capsule = Capsule(name="c", body="b", start=np.zeros(3), end=np.array([0, 0, 0.1]), radius_m=0.05)
    assert along(capsule, 0.03)[:, 2] == pytest.approx(np.linspace(0, 0.1, 5))
    assert len(along(Capsule(name="s", body="b", start=np.ones(3), end=np.ones(3), radius_m=0.05), 0.03)) == 1


@pytest.mark.parametrize(
    ("first", "second", "distance"),
    [
        ([[0, 0, 0], [1, 0, 0]], [[0.5, 0.4, -1], [0.5, 0.4, 1]], 0.4),
        ([[0, 0, 0], [1, 0, 0]], [[2, 0, 0], [3, 0, 0]], 1.0),
        ([[0, 0, 0], [1, 0, 0]], [[0.2, 0.3, 0], [0.9, 0.3, 0]], 0.3),
        ([[0, 0, 0], [0, 0, 0]], [[0, 1, -1], [0, 1, 1]], 1.0),
        ([[0, 0, 0], [1, 0, 0]], [[4, 4, 0], [4, 4, 0]], 5.0),
    ],
)
def test_nearest_places_of_two_lines(first, second, distance):
    ends = np.array([[[first, second]]], float)
    _, _, found, places = _segment_hits(ends, np.array([0.1]), 10.0)
    assert found[0] == pytest.approx(distance - 0.1)
    assert np.linalg.norm(places[0, 0] - places[0, 1]) == pytest.approx(distance)


def test_every_part_of_the_g1_that_touches_is_sampled():
    robot = robot_named("unitree_g1_29dof")
    samples = samples_of(robot)
    for surface in robot.surfaces:
        assert len(samples.of(surface.capsules)) > 0
    assert (samples.radius == 0).sum() == 8
