import numpy as np
import pytest

from hsimul3r.conventions import GRAVITY
from hsimul3r.geometry.rotations import quaternion_from_axis_angle
from hsimul3r.tracking import costs


def test_nothing_costs_at_the_reference():
    joints, quats = np.random.default_rng(0).normal(size=(22, 3)), np.tile([1.0, 0, 0, 0], (22, 1))
    assert costs.position_error(joints[None], joints) == 0
    assert costs.rotation_error(quats[None], quats) == 0
    assert costs.object_tilt(quats[:1], quats[0]) == 0


def test_position_error_is_the_mean_squared_distance():
    moved = np.zeros((1, 4, 3))
    moved[0, 0] = [0.3, 0.0, 0.4]
    assert costs.position_error(moved, np.zeros((4, 3)))[0] == pytest.approx(0.25 / 4)


def test_rotation_error_is_the_squared_angle_whatever_the_sign_of_the_quaternion():
    turn = quaternion_from_axis_angle(np.array([[0.0, 0.6, 0.0]]))
    still = np.array([[1.0, 0, 0, 0]])
    assert costs.rotation_error(turn[None], still)[0] == pytest.approx(0.36)
    assert costs.rotation_error(-turn[None], still)[0] == pytest.approx(0.36)


def test_turning_about_the_vertical_is_no_tilt():
    still = np.array([1.0, 0, 0, 0])
    assert costs.object_tilt(quaternion_from_axis_angle(np.array([[0, 0, 1.0]])), still)[0] == pytest.approx(0)
    assert costs.object_tilt(quaternion_from_axis_angle(np.array([[0, 0.5, 0.0]])), still)[0] == pytest.approx(1 - np.cos(0.5))


def test_missing_contact_fades_with_force():
    weight = 70 * GRAVITY
    force = np.array([[0.0], [0.025 * weight], [0.05 * weight], [weight]])
    held = np.array([[True]])
    np.testing.assert_allclose(costs.missing_contact(force, held, 70.0), [1.0, 0.5, 0.0, 0.0])
    assert costs.missing_contact(np.zeros((3, 0)), np.zeros((1, 0), bool), 70.0).tolist() == [0, 0, 0]


def test_only_contacts_of_the_time_can_be_missed():
    held = np.array([[True, True], [True, False], [False, False]])
    np.testing.assert_allclose(costs.missing_contact(np.zeros((3, 2)), held, 70.0), [1.0, 1.0, 0.0])
    half = np.tile([0.0, 700.0], (3, 1))
    np.testing.assert_allclose(costs.missing_contact(half, held, 70.0), [0.5, 1.0, 0.0])


def test_effort_is_one_where_every_change_is_as_expected():
    scale = np.array([0.1, 0.02])
    np.testing.assert_allclose(costs.effort(np.stack([0 * scale, scale, -2 * scale]), scale), [0, 1, 4])


def test_squeeze_grows_with_the_square_of_all_forces():
    weight = 70 * GRAVITY
    force = np.array([[0.0, 0.0], [2.5 * weight, 2.5 * weight], [0.0, 10 * weight]])
    np.testing.assert_allclose(costs.squeeze(force, 70.0), [0.0, 1.0, 4.0])


def test_penetration_counts_beyond_what_is_allowed():
    np.testing.assert_allclose(costs.penetration(np.array([0.0, 0.02, 0.03, 1.0])), [0, 0, 0.5, 1.0])


def test_points_follow_their_frames():
    quat = quaternion_from_axis_angle(np.array([[[0.0, 0.0, np.pi / 2]]]))
    world = costs.points_of(np.array([[[1.0, 0, 0]]]), quat, np.array([[1.0, 0, 0]]))
    np.testing.assert_allclose(world, [[[1.0, 1.0, 0.0]]], atol=1e-12)


def test_who_comes_back_fast_enough_does_not_tip():
    """A pendulum that is away by x comes to rest upright when it moves back at x sqrt(g / h)."""
    away = np.array([[0.1, 0.0], [0.1, 0.0], [0.0, 0.2]])
    velocity = np.array([[-0.1 * np.sqrt(GRAVITY / 0.9), 0.0], [0.0, 0.0], [0.0, 0.0]])
    np.testing.assert_allclose(costs.tipping(away, velocity), [0.0, 0.01, 0.04], atol=1e-12)
