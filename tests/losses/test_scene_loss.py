import numpy as np
import pytest

from hsimul3r.geometry.rotations import matrix_from_axis_angle
from hsimul3r.losses.scene import local_patch, patch_distance, patch_moments, scene_distance


def test_one_keypoint_and_one_point_is_the_squared_distance():
    assert scene_distance(np.array([[0.0, 0.0, 0.0]]), np.array([[[3.0, 4.0, 0.0]]])) == pytest.approx(25.0)


def test_equation_five_is_the_mean_over_contacts_and_points():
    keypoints = np.array([[0.0, 0, 0], [1.0, 0, 0]])
    surface = np.array([[[1.0, 0, 0], [0, 2.0, 0]], [[1.0, 0, 0], [1.0, 0, 3.0]]])
    assert scene_distance(keypoints, surface) == pytest.approx((1 + 4 + 0 + 9) / 4)


def test_no_contacts_cost_nothing():
    assert scene_distance(np.zeros((5, 0, 3)), np.zeros((5, 0, 8, 3))).tolist() == [0.0] * 5
    assert patch_distance(np.zeros((5, 0, 3)), np.zeros((5, 0, 3)), np.zeros(0)).tolist() == [0.0] * 5


def test_local_form_equals_equation_five_however_the_object_moves():
    rng = np.random.default_rng(0)
    patches, keypoints = rng.normal(size=(3, 32, 3)), rng.normal(size=(7, 3, 3))
    moments = [patch_moments(patch) for patch in patches]
    centres, spread = np.array([c for c, _ in moments]), np.array([s for _, s in moments])
    R, t = matrix_from_axis_angle(rng.normal(size=(7, 3))), rng.normal(size=(7, 3))
    moved = np.einsum("nij,kpj->nkpi", R, patches) + t[:, None, None]
    moved_centres = np.einsum("nij,kj->nki", R, centres) + t[:, None]
    np.testing.assert_allclose(patch_distance(keypoints, moved_centres, spread), scene_distance(keypoints, moved), rtol=1e-12)


def test_smallest_at_the_centre_of_the_patch():
    patch = np.random.default_rng(1).normal(size=(20, 3))
    centre, spread = patch_moments(patch)
    at_centre = scene_distance(centre[None], patch[None])
    assert at_centre == pytest.approx(spread)
    for step in np.concatenate([np.eye(3), -np.eye(3)]) * 0.1:
        assert scene_distance((centre + step)[None], patch[None]) == pytest.approx(spread + 0.01)


def test_local_patch_takes_the_nearest_points():
    line = np.column_stack([np.linspace(0, 1, 11), np.zeros(11), np.zeros(11)])
    assert sorted(local_patch(line, np.array([0.32, 0.0, 0.0]), 3)) == [2, 3, 4]
