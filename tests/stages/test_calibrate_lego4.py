"""The real capture: three people, four wide-angle views far apart, nothing known of the cameras."""

import dataclasses

import numpy as np
import pytest

from hsimul3r.geometry.rotations import angle_between
from hsimul3r.images import load_images
from hsimul3r.progress import Progress
from stages import calibrate_cameras, ingest_capture, perceive_people, reconstruct_scene
from stages.adapters.aliked_lightglue import FeatureConfig

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def lego4(shared_data, tmp_path_factory):
    """Capture, images, people and the rigs with features and without."""
    folder, quiet = tmp_path_factory.mktemp("lego4"), Progress()
    photos = shared_data / "captures" / "lego4"
    capture = ingest_capture.run(photos, cfg=ingest_capture.IngestCaptureConfig(), out=folder, progress=quiet)
    images = load_images(folder, capture)
    people = perceive_people.run(capture, images, cfg=perceive_people.PerceivePeopleConfig(), out=folder, progress=quiet)
    cfg = calibrate_cameras.CalibrateCamerasConfig(features=FeatureConfig(max_keypoints=1536))
    rigs = [
        calibrate_cameras.run(
            capture, images, people, cfg=dataclasses.replace(cfg, use_features=use), out=folder, progress=quiet
        )
        for use in (True, False)
    ]
    return capture, images, people, rigs


def test_all_four_cameras_are_found_at_a_pixel(lego4):
    with_features = lego4[3][0]
    assert with_features.cameras.is_registered.all()
    assert with_features.report["tracks_px_mean"] <= 1.2
    assert with_features.report["scene_points"] > 100


def test_people_alone_agree_with_the_features(lego4):
    with_features, people_only = lego4[3]
    assert people_only.report["keypoints_px_median"] < 5
    a, b = (r.cameras.T_cam_world[:, :3, :3] for r in (with_features, people_only))
    turns = [angle_between(a[i] @ a[j].T, b[i] @ b[j].T) for i in range(4) for j in range(i)]
    assert np.degrees(max(turns)) < 9


def test_the_floor_is_below_the_feet_of_the_standing_person(lego4, tmp_path):
    capture, images, people, (rig, _) = lego4
    cfg = reconstruct_scene.ReconstructSceneConfig()
    scene = reconstruct_scene.run(capture, images, people, rig, cfg=cfg, out=tmp_path, progress=Progress())
    tall = int(np.argmax(scene.skeletons[:, 0, 2]))
    assert abs(scene.report[f"feet_cm_median_of_person_{scene.persons[tall]}"]) < 8
    assert 1.45 < scene.skeletons[tall, 0, 2] < 1.85
