"""What HSfM's steps leave of each photo is read as it was written; broken and hostile files are one clear error each."""

import json
import os
import pickle

import numpy as np
import pytest

from hsimul3r.errors import BadForeignFile, UnsafeFile
from hsimul3r.geometry.cameras import project
from hsimul3r.geometry.rotations import matrix_from_axis_angle
from hsimul3r.importers.hsfm_steps import number_of, read_photo_steps
from tests.importers.hsfm_folder import truth, write_steps

TRUTH = truth()


@pytest.mark.parametrize("hands", [True, False])
def test_people_masks_and_poses_come_out_as_they_went_in(tmp_path, hands):
    folder = write_steps(tmp_path / "run", TRUTH, hands=hands)
    steps = read_photo_steps(folder, "frame_00002.jpg")
    assert [person.identity for person in steps.people] == [3, 8]
    assert steps.identities.shape == tuple((2 * TRUTH.cameras.size_px[1])[::-1]) and set(np.unique(steps.identities)) == {
        0,
        3,
        8,
    }
    for p, person in enumerate(steps.people):
        uv = 2 * (project(TRUTH.cameras, 1, TRUTH.keypoints[p]) + 0.5) - 0.5
        np.testing.assert_allclose(person.keypoints[:17, :2], uv[:17], atol=1e-3)
        assert person.keypoints.shape == (133, 3) and np.allclose(person.keypoints[:17, 2], 0.8)
        R = matrix_from_axis_angle(person.pose)
        np.testing.assert_allclose(R[1:22], matrix_from_axis_angle(TRUTH.poses[p, 1:22]), atol=1e-5)
        root = TRUTH.seen_straight(p, 1) @ matrix_from_axis_angle(TRUTH.poses[p, 0])
        np.testing.assert_allclose(R[0], root, atol=1e-5)
        assert not person.pose[25:40].any() and (np.abs(person.pose[40:]).max() > 0) == hands
    np.testing.assert_array_equal(steps.people[0].box_px[:2] >= 0, True)


def test_who_is_lost_in_a_photo_is_not_there(tmp_path):
    folder = write_steps(tmp_path / "run", TRUTH, absent=((1, 8), (2, 3), (2, 8)))
    assert [person.identity for person in read_photo_steps(folder, "00002.jpg").people] == [3]
    assert read_photo_steps(folder, "00003.jpg").people == ()


def test_numbers_stand_at_the_end_of_names(tmp_path):
    assert number_of("00012.jpg", tmp_path) == 12 == number_of("frame_12.png", tmp_path)
    for name in ("left.jpg", "12_left.jpg", "x_.png", "a_½.jpg"):
        with pytest.raises(BadForeignFile, match="number at the end"):
            number_of(name, tmp_path)


def spoil(folder, name, content):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("sam2_json_data/mask_00001.json", b"{", "cannot be read as JSON"),
        ("sam2_json_data/mask_00001.json", {"labels": {"1": {"instance_id": 1}}}, "no labelled boxes"),
        ("sam2_json_data/mask_00001.json", [], "no labelled boxes"),
        ("pose_00001.json", {"3": {"keypoints": [[1, 2, 3]]}}, "17 or 133"),
        ("pose_00001.json", {"a": {}}, "no keypoints"),
        ("pose_00001.json", b"[" * 100_000, "cannot be read as JSON"),
        ("smplx_params_00001.pkl", pickle.dumps({3: {"betas": 1}}), "no bodies"),
        ("smplx_params_00001.pkl", pickle.dumps({3: [1]}), "no bodies"),
        ("smplx_params_00001.pkl", b"no pickle", "damaged"),
        ("sam2_mask_data/mask_00001.npy", b"\x93NUMPY", "damaged"),
    ],
)
def test_broken_files_say_which_they_are(tmp_path, name, content, message):
    folder = write_steps(tmp_path / "run", TRUTH)
    spoil(folder, name, content)
    with pytest.raises(BadForeignFile, match=message) as error:
        read_photo_steps(folder, "00001.jpg")
    assert name.split("/")[-1] in str(error.value)


def test_a_step_that_was_not_made_is_named(tmp_path):
    folder = write_steps(tmp_path / "run", TRUTH, hands=False)
    (folder / "smpl_params_00001.pkl").unlink()
    with pytest.raises(BadForeignFile, match=r"neither smplx_params_00001\.pkl nor smpl_params_00001\.pkl"):
        read_photo_steps(folder, "00001.jpg")
    (folder / "pose_00002.json").unlink()
    with pytest.raises(BadForeignFile, match="pose_00002"):
        read_photo_steps(folder, "00002.jpg")


def test_pictures_of_nan_and_of_colours_are_refused(tmp_path):
    folder = write_steps(tmp_path / "run", TRUTH)
    np.save(folder / "sam2_mask_data" / "mask_00001.npy", np.zeros((4, 4)))
    with pytest.raises(BadForeignFile, match="picture of identities"):
        read_photo_steps(folder, "00001.jpg")
    broken = {3: {"global_orient": np.full((1, 3), np.nan), "body_pose": np.zeros((21, 3)), "betas": np.zeros(10)}}
    (folder / "smplx_params_00002.pkl").write_bytes(pickle.dumps(broken))
    with pytest.raises(BadForeignFile, match="NaN"):
        read_photo_steps(folder, "00002.jpg")


class Hostile:
    def __reduce__(self):
        return os.system, ("true",)


def test_a_hostile_body_is_refused_unread(tmp_path):
    folder = write_steps(tmp_path / "run", TRUTH)
    (folder / "smplx_params_00001.pkl").write_bytes(pickle.dumps({3: Hostile()}))
    with pytest.raises(UnsafeFile, match="system"):
        read_photo_steps(folder, "00001.jpg")
