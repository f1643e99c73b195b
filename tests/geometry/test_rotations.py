import numpy as np
import pytest

from hsimul3r.geometry import rotations as rot


@pytest.fixture
def vectors():
    return np.random.default_rng(0).normal(size=(4, 5, 3))


def test_quarter_turn_about_z_sends_x_to_y():
    R = rot.matrix_from_axis_angle(np.array([0.0, 0.0, np.pi / 2]))
    np.testing.assert_allclose(R @ [1, 0, 0], [0, 1, 0], atol=1e-15)
    np.testing.assert_allclose(rot.quaternion_from_matrix(R), [np.sqrt(0.5), 0, 0, np.sqrt(0.5)], atol=1e-15)
    np.testing.assert_allclose(rot.rotation_about_z(np.pi / 2), R)


def test_all_forms_agree_in_any_batch(vectors):
    R = rot.matrix_from_axis_angle(vectors)
    quat = rot.quaternion_from_axis_angle(vectors)
    assert R.shape == (4, 5, 3, 3) and quat.shape == (4, 5, 4)
    np.testing.assert_allclose(rot.matrix_from_quaternion(quat), R, atol=1e-14)
    np.testing.assert_allclose(rot.quaternion_from_matrix(R), quat, atol=1e-14)
    np.testing.assert_allclose(rot.matrix_from_axis_angle(rot.axis_angle_from_matrix(R)), R, atol=1e-14)
    np.testing.assert_allclose(rot.matrix_from_axis_angle(rot.axis_angle_from_quaternion(-quat)), R, atol=1e-14)


def test_skew_is_the_cross_product(vectors):
    np.testing.assert_allclose((rot.skew(vectors[0]) @ vectors[1][..., None])[..., 0], np.cross(vectors[0], vectors[1]))


def test_angle_between_is_the_angle_of_the_relative_turn():
    a = rot.matrix_from_axis_angle(np.array([0.3, -1.0, 2.0]))
    b = a @ rot.matrix_from_axis_angle(np.array([0.0, 0.25, 0.0]))
    assert rot.angle_between(a, b) == pytest.approx(0.25)


@pytest.mark.parametrize("target", [[0, 0, 1], [0, 0, -2], [0.3, -0.2, 0.9], [1, 0, 0], [1e-9, 0, -1]])
def test_shortest_rotation_turns_source_to_target(target):
    source, target = np.array([0.0, 0.0, 3.0]), np.array(target, dtype=float)
    R = rot.shortest_rotation(source, target)
    np.testing.assert_allclose(R @ [0, 0, 1], target / np.linalg.norm(target), atol=1e-8)
    angle = np.arccos(target[2] / np.linalg.norm(target))
    assert rot.angle_between(np.eye(3), R) == pytest.approx(angle, abs=1e-7)
