import numpy as np
import pytest

from hsimul3r.geometry.alignment import Similarity, align_points, robust_align_points
from hsimul3r.geometry.rotations import matrix_from_axis_angle


@pytest.fixture
def truth():
    return Similarity(scale=1.7, R=matrix_from_axis_angle(np.array([0.5, -1.2, 2.0])), t=np.array([1.0, -2.0, 0.3]))


@pytest.fixture
def points():
    return np.random.default_rng(1).normal(size=(30, 3))


def test_recovers_a_similarity(truth, points):
    fit = align_points(points, truth.apply(points), with_scale=True)
    assert fit.scale == pytest.approx(1.7)
    np.testing.assert_allclose(fit.R, truth.R, atol=1e-12)
    np.testing.assert_allclose(fit.t, truth.t, atol=1e-12)


def test_never_returns_a_reflection(points):
    mirrored = points * [1, 1, -1]
    assert np.linalg.det(align_points(points, mirrored).R) == pytest.approx(1.0)


def test_planar_points_determine_the_rotation(truth, points):
    flat = points * [1, 1, 0]
    np.testing.assert_allclose(align_points(flat, truth.apply(flat), with_scale=True).R, truth.R, atol=1e-12)


def test_points_without_weight_do_not_count(truth, points):
    target = truth.apply(points)
    target[:10] += 5.0
    weights = np.ones(30)
    weights[:10] = 0
    np.testing.assert_allclose(align_points(points, target, weights=weights, with_scale=True).t, truth.t, atol=1e-12)


def test_scale_stays_one_unless_asked(truth, points):
    assert align_points(points, truth.apply(points)).scale == 1.0


def test_robust_alignment_ignores_wrong_pairs(truth, points):
    target = truth.apply(points)
    target[:8] += np.random.default_rng(2).normal(size=(8, 3)) * 3
    fit = robust_align_points(points, target, with_scale=True, sigma=0.05, rounds=30)
    np.testing.assert_allclose(fit.R, truth.R, atol=2e-3)


def test_inverse_and_matrix_undo_the_map(truth, points):
    np.testing.assert_allclose(truth.inverse().apply(truth.apply(points)), points, atol=1e-12)
    np.testing.assert_allclose(truth.matrix() @ truth.inverse().matrix(), np.eye(4), atol=1e-12)


def test_too_few_points_are_refused(points):
    with pytest.raises(ValueError, match="three weighted points, found 2"):
        align_points(points[:2], points[:2])
    with pytest.raises(ValueError, match="differ"):
        align_points(np.ones((5, 3)), points[:5])
