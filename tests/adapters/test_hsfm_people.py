"""HSfM's people become ours: the same places, poses and identities, and with its cameras the same scene."""

from dataclasses import replace

import numpy as np
import pytest

from hsimul3r.artifacts import Capture, Provenance
from hsimul3r.config import PipelineConfig, require_licences
from hsimul3r.conventions import KEYPOINTS
from hsimul3r.errors import BadForeignFile, LicenceRefused, NoPerson
from hsimul3r.geometry.alignment import align_points
from hsimul3r.geometry.cameras import project
from hsimul3r.geometry.skeletons import HIPS
from hsimul3r.progress import Progress
from stages import calibrate_cameras, perceive_people
from stages.adapters.hsfm_people import people_of_steps
from stages.perceive_people import PerceivePeopleConfig
from tests.importers.hsfm_folder import truth, write_steps
from tests.stages.test_calibrate_cameras import blank
from tests.stages.test_known_cameras import write_pickle

TRUTH = truth()


def capture_of(count=4):
    size = TRUTH.cameras.size_px[:count]
    return Capture(
        provenance=Provenance(adapter="test"), name="test", folder="test", images=tuple(f"{v}.png" for v in range(count)),
        sources=tuple(f"{v + 1:05d}.jpg" for v in range(count)), size_px=size, original_size_px=2 * size,
        focal_px=np.full(count, np.nan), is_focal_given=False, stature_m=None, objects=(),
    )  # fmt: skip


def test_places_poses_and_masks_are_in_working_pixels(tmp_path):
    people = people_of_steps(write_steps(tmp_path / "run", TRUTH), capture_of())
    assert people.person_count == 2 and [one.person for one in people.views] == [0, 1] * 4
    for one in people.views:
        uv = project(TRUTH.cameras, one.view, TRUTH.keypoints[one.person])
        np.testing.assert_allclose(one.keypoints_px, uv, atol=1e-3)
        np.testing.assert_allclose(one.confidence, [0.8] * 17 + [0.6] * 4, atol=1e-6)
        world = TRUTH.keypoints[one.person] - TRUTH.keypoints[one.person, HIPS].mean(0)
        expected = world @ TRUTH.seen_straight(one.person, one.view).T
        np.testing.assert_allclose(one.skeleton_m, expected, atol=2e-5)
        x, y = np.round(uv).astype(int).T
        high, wide = people.masks[one.view].shape
        inside = (x > 0) & (y > 0) & (x < wide - 1) & (y < high - 1)
        assert people.masks[one.view][y[inside], x[inside]].mean() > 0.9 and not people.masks[one.view].all()
    assert [mask.shape[::-1] for mask in people.masks] == [tuple(size) for size in TRUTH.cameras.size_px]


def test_seventeen_keypoints_leave_the_feet_unseen(tmp_path):
    people = people_of_steps(write_steps(tmp_path / "run", TRUTH, whole_body=False), capture_of())
    one, heel, ankle = people.views[0], KEYPOINTS.index("left_heel"), KEYPOINTS.index("left_ankle")
    assert not one.confidence[17:].any() and np.array_equal(one.keypoints_px[heel], one.keypoints_px[ankle])


def test_who_is_seen_once_is_linked_to_nobody(tmp_path):
    folder = write_steps(tmp_path / "run", TRUTH, absent=((0, 3), (1, 3), (2, 3)))
    people = people_of_steps(folder, capture_of())
    assert people.person_count == 1 and [one.person for one in people.views] == [0, 0, 0, -1, 0]
    alone = people_of_steps(folder, capture_of(1))
    assert alone.person_count == 1 and [one.person for one in alone.views] == [0]


def test_masks_of_other_photos_are_refused(tmp_path):
    folder, capture = write_steps(tmp_path / "run", TRUTH), capture_of()
    with pytest.raises(BadForeignFile, match=r"mask of '00001\.jpg' is 2560 x 1440 px, the photo, upright, 1280 x 720"):
        people_of_steps(folder, replace(capture, original_size_px=capture.size_px))
    with pytest.raises(BadForeignFile, match="no such folder"):
        people_of_steps(tmp_path / "elsewhere", capture)


def perceived(folder, capture, tmp_path):
    cfg = PerceivePeopleConfig(results=str(folder))
    images = blank(TRUTH.cameras)[: len(capture.images)]
    return perceive_people.run(capture, images, cfg=cfg, out=tmp_path, progress=Progress())


def test_the_chain_gives_people_and_cameras_of_one_scene(tmp_path):
    """Only HSfM's files, no photo that shows anything: the scene comes out in people's metres."""
    folder, capture = write_steps(tmp_path / "run", TRUTH), capture_of()
    people = perceived(folder, capture, tmp_path)
    assert (tmp_path / "keypoints_0.png").exists()
    sources = replace(capture, sources=tuple(f"{v}.jpg" for v in range(4)))
    cfg = calibrate_cameras.CalibrateCamerasConfig(use_features=False, known=str(write_pickle(tmp_path, TRUTH.cameras)))
    rig = calibrate_cameras.run(sources, blank(TRUTH.cameras), people, cfg=cfg, out=tmp_path, progress=Progress())
    assert rig.persons == (0, 1)
    found, real = rig.skeletons.reshape(-1, 3), TRUTH.keypoints.reshape(-1, 3)
    moved = align_points(found, real, with_scale=True)
    assert np.linalg.norm(moved.apply(found) - real, axis=1).mean() < 0.005
    assert 0.9 < moved.scale < 1.1, "as tall as people are"


def test_nobody_is_an_error_as_in_the_photos(tmp_path):
    gone = tuple((v, one) for v in range(4) for one in TRUTH.identities)
    with pytest.raises(NoPerson, match="any of the 4 photos"):
        perceived(write_steps(tmp_path / "none", TRUTH, absent=gone), capture_of(), tmp_path)
    once = tuple((v, one) for v in range(4) for one in TRUTH.identities if (v, one) not in ((0, 3), (1, 8)))
    with pytest.raises(NoPerson, match="recognised in two"):
        perceived(write_steps(tmp_path / "once", TRUTH, absent=once), capture_of(), tmp_path)


def test_its_bodies_are_hmr2_s_and_refused_like_it(tmp_path):
    safe = replace(PipelineConfig(), licences="commercial-safe")
    with pytest.raises(LicenceRefused, match="hmr2"):
        require_licences(replace(safe, people=replace(safe.people, results=str(tmp_path))))
