import numpy as np
import pytest

from hsimul3r.conventions import KEYPOINTS
from hsimul3r.perception.keypoints import MIRRORED, SIGMAS, fuse_estimates, keypoint_similarity, rows, visible_area

POINTS = np.random.default_rng(0).uniform(0, 300, (17, 2))
ALL = np.ones(17, bool)


def test_similarity_of_a_pose_with_itself_is_one():
    assert keypoint_similarity(POINTS, POINTS, area=1e4, is_visible=ALL) == 1.0


def test_similarity_at_two_sigma_of_every_keypoint_is_exp_of_minus_a_half():
    area = 2e4
    shifted = POINTS + np.stack([2 * SIGMAS * np.sqrt(area), np.zeros(17)], axis=1)
    assert keypoint_similarity(shifted, POINTS, area=area, is_visible=ALL) == pytest.approx(np.exp(-0.5))


def test_similarity_ignores_hidden_keypoints():
    moved = POINTS.copy()
    moved[5:] += 1000
    visible = np.arange(17) < 5
    assert keypoint_similarity(moved, POINTS, area=1e4, is_visible=visible) == 1.0
    assert keypoint_similarity(moved, POINTS, area=1e4, is_visible=ALL) == pytest.approx(5 / 17)


def test_similarity_counts_all_where_fewer_than_four_are_visible():
    moved = POINTS.copy()
    moved[3:] += 1000
    assert keypoint_similarity(moved, POINTS, area=1e4, is_visible=np.arange(17) < 3) == pytest.approx(3 / 17)


def test_area_is_that_of_the_visible_points_box():
    square = np.array([[0, 0], [10, 0], [0, 20], [10, 20], [500, 500]], float)
    assert visible_area(square, np.array([True] * 4 + [False])) == 200


def test_mirroring_swaps_left_and_right_and_is_its_own_inverse():
    assert [KEYPOINTS[i] for i in MIRRORED[:3]] == ["nose", "right_eye", "left_eye"]
    assert MIRRORED[MIRRORED].tolist() == list(range(len(KEYPOINTS)))
    assert rows("left_toe", "right_toe") == [19, 20]


def fuse(coco_px, body_px, coco_confidence=0.8, visibility=0.6, agreement=1.0):
    return fuse_estimates(
        coco_px=coco_px,
        coco_confidence=np.full(17, coco_confidence),
        body_px=body_px,
        body_visibility=np.full(21, visibility),
        agreement=agreement,
        area=1e4,
    )


BODY = np.concatenate([POINTS, POINTS[-4:] + 5])


def test_agreeing_estimates_give_the_point_and_the_greater_confidence():
    points, confidence = fuse(POINTS, BODY)
    np.testing.assert_allclose(points, BODY)
    np.testing.assert_allclose(confidence, [0.8] * 17 + [0.6] * 4)


def test_a_slight_difference_is_averaged_by_confidence():
    points, _ = fuse(POINTS + np.array([1.4, 0]), BODY)
    hip = rows("left_hip")[0]
    assert points[hip, 0] - POINTS[hip, 0] == pytest.approx(1.4 * 0.8 / (0.8 + 0.6), rel=2e-3)


def test_a_disputed_point_follows_coco_with_little_confidence():
    body = BODY.copy()
    body[9] += 400
    points, confidence = fuse(POINTS, body)
    np.testing.assert_allclose(points[9], POINTS[9])
    assert confidence[9] == pytest.approx(0.35 * 0.8)


def test_feet_are_believed_as_far_as_the_whole_agrees():
    _, confidence = fuse(POINTS, BODY, agreement=0.5)
    np.testing.assert_allclose(confidence[17:], 0.3)


def test_what_coco_does_not_see_is_taken_as_a_disputed_guess():
    _, confidence = fuse(POINTS + 400, BODY, coco_confidence=0.1)
    np.testing.assert_allclose(confidence[:17], 0.0, atol=1e-9)
