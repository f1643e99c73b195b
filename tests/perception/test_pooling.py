import numpy as np
import pytest

from hsimul3r.perception.pooling import pool_poses

RNG = np.random.default_rng(1)
ONE = RNG.uniform([100, 100], [200, 400], (17, 2))
OTHER = ONE + np.array([600, 0])
WHOLE = np.array([[0.0, 0.0, 1000.0, 500.0]])


def test_noisy_sightings_of_two_people_become_two_means():
    points = np.concatenate([ONE + RNG.normal(0, 1, (30, 17, 2)), OTHER + RNG.normal(0, 1, (30, 17, 2))])
    poses = pool_poses(points, np.full((60, 17), 0.6), searched=np.repeat(WHOLE, 30, axis=0), pooled=30)
    assert len(poses) == 2
    for truth, pose in zip(sorted((ONE, OTHER), key=lambda p: p[0, 0]), sorted(poses, key=lambda p: p.keypoints_px[0, 0])):
        assert np.abs(pose.keypoints_px - truth).max() < 1.0
        assert pose.support == 1.0


def test_support_is_the_share_of_searches_that_cover_the_person():
    elsewhere = np.array([[500.0, 0.0, 1000.0, 500.0]])
    searched = np.concatenate([np.repeat(WHOLE, 8, axis=0), np.repeat(elsewhere, 10, axis=0)])
    (pose,) = pool_poses(np.repeat(ONE[None], 2, axis=0), np.full((2, 17), 0.6), searched=searched)
    assert pose.support == pytest.approx(2 / 8)


def test_a_contorted_sighting_of_the_same_person_is_not_averaged_in():
    contorted = ONE.copy()
    contorted[7:11] += 300
    points = np.stack([ONE, ONE, contorted])
    confidence = np.full((3, 17), 0.6)
    confidence[2] = 0.3
    poses = pool_poses(points, confidence, searched=WHOLE, same_pose=0.9)
    assert len(poses) == 1
    np.testing.assert_allclose(poses[0].keypoints_px, ONE)


def test_a_point_counts_by_its_confidence():
    confidence = np.full((2, 17), 0.8)
    confidence[1] = 0.7
    (pose,) = pool_poses(np.stack([ONE, ONE + np.array([5, 0])]), confidence, searched=WHOLE)
    np.testing.assert_allclose(pose.keypoints_px[:, 0] - ONE[:, 0], 5 * 0.49 / 1.13, rtol=1e-4)
