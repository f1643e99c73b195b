import numpy as np
import pytest

from hsimul3r.body.anatomy import anatomy, left_jacobian
from hsimul3r.body.derivatives import PointTable, pose_points
from hsimul3r.body.model import embedded_body
from hsimul3r.conventions import BODY_JOINTS
from hsimul3r.geometry.rotations import axis_angle_from_matrix, matrix_from_axis_angle, skew

RNG = np.random.default_rng(0)
BODY = embedded_body()
OWN = 6 + anatomy().count + 10


def table():
    return PointTable.of(BODY.keypoint_points).joined(PointTable.of(BODY.skin).subset(np.arange(0, 1229, 50)))


def test_points_equal_the_body_model():
    own, root = 0.3 * RNG.standard_normal(OWN), matrix_from_axis_angle(RNG.standard_normal(3))
    points, _ = pose_points(BODY, table(), own, root, with_jacobian=False)
    rotations = anatomy().rotations(own[6:-10])
    rotations[0] = matrix_from_axis_angle(own[:3]) @ root
    pose = np.zeros((55, 3))
    pose[: len(BODY_JOINTS)] = axis_angle_from_matrix(rotations)
    assert np.allclose(points[:21], BODY.keypoints(own[-10:], pose, own[3:6]))
    assert np.allclose(points[21:], BODY.vertices(own[-10:], pose, own[3:6])[::50])


@pytest.mark.parametrize("size", [0.0, 0.5])
def test_derivatives_equal_finite_differences(size):
    own, root = size * RNG.standard_normal(OWN), matrix_from_axis_angle(RNG.standard_normal(3))
    _, by = pose_points(BODY, table(), own, root, with_jacobian=True)
    for i in range(OWN):
        step = np.zeros(OWN)
        step[i] = 1e-6
        above, below = (pose_points(BODY, table(), own + sign * step, root, with_jacobian=False)[0] for sign in (1, -1))
        assert np.allclose(by[..., i], (above - below) / 2e-6, atol=1e-7), i


def test_left_jacobian_turns_a_rotation_from_the_left():
    a, step = RNG.standard_normal(3), 1e-6 * RNG.standard_normal(3)
    change = matrix_from_axis_angle(a + step) @ matrix_from_axis_angle(a).T - np.eye(3)
    assert np.allclose(change, skew(left_jacobian(a) @ step), atol=1e-11)
