import numpy as np
import pytest

from hsimul3r.geometry.floor import FloorModel, fit_floor, up_direction, world_from_floor
from hsimul3r.geometry.rotations import matrix_from_axis_angle

from . import rig

UP = np.array([0.0, 0.0, 1.0])
MODEL = FloorModel()
NO_FEET = np.zeros((0, 3)), np.zeros(0)


def tilt_deg(normal, up=UP):
    return np.degrees(np.arccos(np.clip(normal @ up, -1, 1)))


def room(rng, floor=60, wall=150, table=40, noise=0.005):
    """A floor at z = 0.1 with a larger wall and a table top above it."""
    points = np.concatenate(
        [
            rng.uniform([-2, -2, 0.1], [2, 2, 0.1], (floor, 3)),
            rng.uniform([2, -2, 0.1], [2, 2, 2.0], (wall, 3)),
            rng.uniform([0, 0, 0.8], [1, 0.6, 0.8], (table, 3)),
        ]
    )
    return points + noise * rng.normal(size=points.shape)


def test_the_floor_is_found_beside_a_larger_wall_and_a_table():
    plane = fit_floor(room(np.random.default_rng(0)), *NO_FEET, UP, model=MODEL)
    assert tilt_deg(plane.normal) < 0.5
    assert plane.height(np.array([0.0, 0.0, 0.1])) == pytest.approx(0, abs=0.005)


def test_points_override_a_prior_some_degrees_off():
    up = matrix_from_axis_angle(np.radians([6.0, 0, 0])) @ UP
    plane = fit_floor(room(np.random.default_rng(1), floor=200), *NO_FEET, up, model=MODEL)
    assert tilt_deg(plane.normal) < 1.0


def test_feet_choose_between_two_level_surfaces():
    """A large table top has more points than the floor; the feet stand on the floor."""
    points = room(np.random.default_rng(2), floor=25, wall=0, table=60)
    feet = np.array([[0.5, -0.5, 0.11], [0.7, -0.5, 0.09], [0.5, -0.6, 0.1], [0.7, -0.6, 0.1]])
    plane = fit_floor(points, feet, np.full(4, 0.9), UP, model=MODEL)
    assert plane.height(feet).mean() == pytest.approx(0, abs=0.015)


def test_feet_alone_make_a_level_floor():
    feet = np.array([[0.0, 0.0, 0.31], [0.2, 0.0, 0.29], [0.0, 0.2, 0.3]])
    plane = fit_floor(np.zeros((0, 3)), feet, np.ones(3), UP, model=MODEL)
    assert tilt_deg(plane.normal) < 4
    assert plane.height(np.array([0.1, 0.1, 0.3])) == pytest.approx(0, abs=0.02)


def test_a_foot_on_a_stool_does_not_lift_the_floor():
    feet = np.array(
        [[0.0, 0.0, 0.0], [0.02, 0.2, 0.01], [0.0, 0.1, -0.01], [0.3, 0.0, 0.45], [0.3, 0.2, 0.45], [0.3, 0.1, 0.46]]
    )
    plane = fit_floor(np.zeros((0, 3)), feet, np.ones(6), UP, model=MODEL)
    assert np.abs(plane.height(feet[:3])).max() < 0.03


def test_nothing_to_stand_on_is_refused():
    with pytest.raises(ValueError, match="neither"):
        fit_floor(np.zeros((0, 3)), *NO_FEET, UP, model=MODEL)


def test_up_follows_from_cameras_held_level_though_all_look_down():
    cameras = rig.ring()
    R = cameras.T_cam_world[:, :3, :3]
    assert tilt_deg(-R[:, 1].mean(0)) > 0.5
    assert tilt_deg(up_direction(cameras, np.zeros((0, 21, 3)), MODEL)) < 1


def test_a_standing_person_corrects_cameras_that_roll():
    cameras = rig.ring()
    roll = matrix_from_axis_angle(np.radians([0, 0, 5.0]))
    T = cameras.T_cam_world.copy()
    T[:, :3] = roll @ T[:, :3]
    rolled = rig.ring()
    rolled.T_cam_world[:] = T
    alone = tilt_deg(up_direction(rolled, np.zeros((0, 21, 3)), MODEL))
    with_person = tilt_deg(up_direction(rolled, rig.people(3), MODEL))
    assert with_person < alone


def test_world_has_the_floor_at_zero_and_the_origin_below_the_pelvis():
    turn = matrix_from_axis_angle(np.array([0.4, -1.0, 0.3]))
    points = room(np.random.default_rng(3)) @ turn.T
    plane = fit_floor(points, *NO_FEET, turn @ UP, model=MODEL)
    pelvis, ahead = turn @ [0.3, 0.2, 1.0], turn @ [0.1, 1.0, -0.3]
    world = world_from_floor(plane, pelvis, ahead)
    np.testing.assert_allclose(world.apply(pelvis), [0, 0, 0.9], atol=0.01)
    assert np.abs(world.apply(points[:60])[:, 2]).max() < 0.04
    forward = world.R @ ahead
    assert forward[0] == pytest.approx(0, abs=1e-12) and forward[1] > 0
    assert np.linalg.det(world.R) == pytest.approx(1)
