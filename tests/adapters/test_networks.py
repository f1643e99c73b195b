import hashlib

import cv2
import numpy as np
import pytest

from hsimul3r.assets import weights_path
from hsimul3r.conventions import KEYPOINTS
from stages.adapters.blazepose import SIZE, Region, estimate_body
from stages.adapters.movenet import estimate_poses
from stages.adapters.nanodet import COCO_NAMES, detect_objects
from stages.adapters.onnx_session import load_network

BLANK = np.full((300, 400, 3), 128, np.uint8)


@pytest.fixture(scope="module")
def photo(shared_data):
    """A real photo of three people, 1280 px wide; the one who stands is fully visible."""
    image = cv2.imread(str(shared_data / "captures" / "lego4" / "00001.jpg"))
    return np.ascontiguousarray(cv2.resize(image, (1280, 720), interpolation=cv2.INTER_AREA)[:, :, ::-1])


@pytest.mark.parametrize("name", ["movenet_multipose", "blazepose_heavy", "nanodet"])
def test_every_network_is_shipped_with_its_notice(name):
    notice = " ".join(weights_path(name).with_name(f"{name}.NOTICE.txt").read_text().split())
    assert "Apache License, Version 2.0" in notice and "Changes:" in notice
    assert len(load_network(name).get_inputs()) == 1


def test_nothing_is_seen_in_a_blank_picture():
    assert detect_objects(BLANK, threshold=0.35) == ()
    assert estimate_poses(BLANK, size=256, threshold=0.2) == ()


def test_a_region_maps_its_crop_to_the_picture():
    region = Region.around(np.array([200.0, 150.0]), np.array([280.0, 150.0]))
    assert region.side_px == pytest.approx(2 * 1.25 * 80)
    to_picture = region.picture_from_crop()
    middle, top = np.array([(SIZE - 1) / 2, (SIZE - 1) / 2, 1]), np.array([(SIZE - 1) / 2, (SIZE - 1) / 2 - SIZE / 2.5, 1])
    np.testing.assert_allclose(to_picture @ middle, [200, 150])
    np.testing.assert_allclose(to_picture @ top, [280, 150])


def test_objects_have_coco_names_and_boxes_inside_the_picture(photo):
    found = detect_objects(photo, threshold=0.35)
    assert {"person", "tv"} <= {detection.name for detection in found} <= set(COCO_NAMES)
    boxes = np.stack([detection.box_px for detection in found])
    assert (boxes[:, :2] >= 0).all() and (boxes[:, 2:] <= [1279, 719]).all() and (boxes[:, 2:] > boxes[:, :2]).all()
    assert [d.score for d in found] == sorted((d.score for d in found), reverse=True)


def test_poses_move_with_the_picture_and_its_scale(photo):
    standing = max(estimate_poses(photo[:, 560:], size=320, threshold=0.2), key=lambda pose: pose.score)
    whole = max(estimate_poses(photo, size=512, threshold=0.2), key=lambda pose: pose.keypoints_px[:, 0].mean())
    sure = np.minimum(standing.confidence, whole.confidence) > 0.5
    assert sure.sum() >= 8
    assert np.abs(standing.keypoints_px + np.array([560, 0]) - whole.keypoints_px)[sure].mean() < 6


def test_body_estimate_agrees_with_a_mirrored_and_a_turned_picture(photo):
    region = Region(centre_px=np.array([845.0, 330.0]), side_px=900.0, angle=0.0)
    body = estimate_body(photo, region)
    assert body.presence > 0.9 and body.mask.max() > 0.9
    turned_region = Region(centre_px=np.array([845.0, 330.0]), side_px=900.0, angle=0.2)
    turned = estimate_body(photo, turned_region)
    sure = np.minimum(body.visibility, turned.visibility) > 0.8
    assert np.linalg.norm(body.keypoints_px - turned.keypoints_px, axis=1)[sure].mean() < 12
    assert np.linalg.norm(body.skeleton_m - turned.skeleton_m, axis=1)[sure].mean() < 0.08
    head, feet = (
        body.skeleton_m[[KEYPOINTS.index(name) for name in names], 1].mean()
        for names in (("nose",), ("left_ankle", "right_ankle"))
    )
    assert feet - head > 1.0, "y points down"


def test_networks_give_the_same_numbers_twice(photo):
    first, second = (estimate_poses(photo, size=512, threshold=0.2) for _ in range(2))
    digest = [hashlib.sha256(b"".join(p.keypoints_px.tobytes() for p in poses)).hexdigest() for poses in (first, second)]
    assert digest[0] == digest[1]
