"""Every program's file becomes the same person: one body walks through all formats and must come out as it went in."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from hsimul3r.body.model import embedded_body
from hsimul3r.errors import BadForeignFile, NotFinite
from hsimul3r.geometry.rotations import axis_angle_from_matrix, matrix_from_axis_angle
from hsimul3r.importers.cameras import HSFM_CAMERAS
from hsimul3r.importers.clip import R_WORLD_SOURCE, bodies_in_world
from hsimul3r.importers.tools import HSFM_PEOPLE, read_clip

HERE = Path(__file__).parent
FRAMES = 4
STATURE_M = 1.75


@pytest.fixture(scope="module")
def walk():
    """The truth in our world: a body that turns, bends its knees and moves; pose (frames, 22, 3) and root (frames, 3)."""
    rng = np.random.default_rng(3)
    pose = np.cumsum(rng.normal(0, 0.05, (FRAMES, 22, 3)), axis=0)
    upright = matrix_from_axis_angle(np.array([np.pi / 2, 0, 0]))
    pose[:, 0] = axis_angle_from_matrix(matrix_from_axis_angle(np.outer(np.arange(FRAMES), [0, 0, 0.2])) @ upright)
    root = np.array([[0.0, 0.0, 1.0], [0.1, -0.05, 1.0], [0.2, -0.1, 0.98], [0.3, -0.2, 0.96]])
    return pose, root


def turned(walk, up):
    """The truth in a source's world."""
    pose, root = walk
    R = R_WORLD_SOURCE[up].T
    moved = pose.copy()
    moved[:, 0] = axis_angle_from_matrix(R @ matrix_from_axis_angle(pose[:, 0]))
    return moved, root @ R.T


def smpl_matrices(pose):
    return matrix_from_axis_angle(np.concatenate([pose, np.zeros((len(pose), 2, 3))], axis=1))


def gvhmr(walk, folder):
    pose, root = turned(walk, "+y")
    found = {
        "global_orient": pose[:, 0],
        "body_pose": pose[:, 1:].reshape(FRAMES, 63),
        "transl": root,
        "betas": np.zeros((FRAMES, 10)),
    }
    torch.save({"smpl_params_global": {k: torch.tensor(v) for k, v in found.items()}}, folder / "hmr4d_results.pt")
    return folder / "hmr4d_results.pt"


def wham(walk, folder):
    pose, root = turned(walk, "+y")
    whole = np.concatenate([pose, np.zeros((FRAMES, 2, 3))], axis=1).reshape(FRAMES, 72)
    found = {0: {"pose_world": whole, "trans_world": root, "betas": np.zeros((FRAMES, 10)), "frame_ids": np.arange(FRAMES)}}
    (folder / "wham_output.pkl").write_bytes(pickle.dumps(found))
    return folder / "wham_output.pkl"


def tram(walk, folder):
    pose, root = turned(walk, "+y")
    R_world_cam = matrix_from_axis_angle(np.outer(np.arange(FRAMES), [0.0, 0.1, 0]) + np.array([np.pi, 0, 0]))
    t_world_cam = np.array([[0.0, 1.2, 4.0]] * FRAMES) + np.outer(np.arange(FRAMES), [0.2, 0, 0])
    rotations = smpl_matrices(pose)
    rotations[:, 0] = np.swapaxes(R_world_cam, 1, 2) @ rotations[:, 0]
    in_camera = np.einsum("fji,fj->fi", R_world_cam, root - t_world_cam)
    (folder / "hps").mkdir()
    camera = {"world_cam_R": torch.tensor(R_world_cam), "world_cam_T": torch.tensor(t_world_cam), "img_focal": 600.0}
    np.save(folder / "camera.npy", camera, allow_pickle=True)
    track = {"pred_rotmat": torch.tensor(rotations), "pred_trans": torch.tensor(in_camera[:, None]),
             "pred_shape": torch.zeros(FRAMES, 10), "frame": torch.arange(FRAMES)}  # fmt: skip
    np.save(folder / "hps" / "hps_track_0.npy", track, allow_pickle=True)
    return folder / "hps" / "hps_track_0.npy"


def phalp(walk, folder):
    pose, root = turned(walk, "-y")
    rotations = smpl_matrices(pose)
    frames = {
        f"{i:05d}.jpg": {
            "tid": [4], "camera": [root[i]],
            "smpl": [{"global_orient": rotations[i, :1], "body_pose": rotations[i, 1:], "betas": np.zeros(10)}],
        }
        for i in range(FRAMES)
    }  # fmt: skip
    (folder / "video.pkl").write_bytes(pickle.dumps(frames))
    return folder / "video.pkl"


@pytest.mark.parametrize("write", [gvhmr, wham, tram, phalp])
def test_every_program_s_motion_comes_out_as_it_went_in(walk, tmp_path, write):
    path = write(walk, tmp_path)
    clip = read_clip(path)
    assert clip.tool == write.__name__ and len(clip.people) == 1
    body = bodies_in_world(clip, embedded_body(), stature_m=STATURE_M, fps=30.0, path=path)[0]
    pose, root = walk
    np.testing.assert_allclose(matrix_from_axis_angle(body.pose[:, :22]), matrix_from_axis_angle(pose), atol=1e-6)
    model = embedded_body()
    found = model.joints(body.betas, body.pose, body.transl)[:, 0]
    np.testing.assert_allclose(found - found[0], root - root[0], atol=1e-6)
    assert abs(model.soles(body.betas, body.pose, body.transl)[..., 2].min()) < 1e-9
    np.testing.assert_allclose(found[0, :2], 0, atol=1e-9)


def hsfm(walk, folder, is_smplx, shape=(1, -1)):
    pose, root = turned(walk, "-y")
    rotations = smpl_matrices(pose)
    people = {
        str(i + 1): {
            "global_orient": pose[i, :1] if is_smplx else rotations[i, :1].reshape(shape),
            "body_pose": pose[i, 1:].reshape(1, 63) if is_smplx else rotations[i, 1:].reshape(shape),
            "betas": np.zeros((1, 10)), "root_transl": root[i].reshape(1, 1, 3),
            **({f"{side}_hand_pose": np.full((1, 45), 0.1) for side in ("left", "right")} if is_smplx else {}),
        }
        for i in range(2)
    }  # fmt: skip
    cameras = {
        f"0000{i}": {"intrinsic": np.eye(3), "cam2world": np.eye(4), "pts3d": np.zeros((2, 3, 3)), "conf": np.ones((2, 3))}
        for i in range(2)
    }
    path = folder / "hsfm_output.pkl"
    path.write_bytes(pickle.dumps({HSFM_PEOPLE: people, HSFM_CAMERAS: cameras}))
    return path


@pytest.mark.parametrize(("is_smplx", "shape"), [(True, ()), (False, (1, -1)), (False, (-1, 3, 3))])
def test_hsfm_s_people_and_cameras_are_of_one_moment(walk, tmp_path, is_smplx, shape):
    """Its last step writes SMPL's matrices row by row; earlier ones as they are."""
    path = hsfm(walk, tmp_path, is_smplx, shape)
    clip = read_clip(path)
    assert clip.body == ("smplx" if is_smplx else "smpl") and [camera.name for camera in clip.cameras] == ["00000", "00001"]
    assert clip.cameras[0].points is not None and clip.cameras[0].points.shape == (2, 3, 3)
    first, second = bodies_in_world(clip, embedded_body(), stature_m=STATURE_M, fps=1.0, path=path)
    pose, root = walk
    np.testing.assert_allclose(matrix_from_axis_angle(first.pose[0, :22]), matrix_from_axis_angle(pose[0]), atol=1e-6)
    np.testing.assert_allclose(second.transl - first.transl, (root[1] - root[0])[None], atol=1e-6)
    assert (np.abs(first.pose[0, 25:]).max() > 0) == is_smplx


def test_joblib_s_file_of_wham_is_read():
    clip = read_clip(HERE / "wham_output.pkl")
    assert clip.tool == "wham" and clip.people[0].name == "7" and clip.people[0].frames.tolist() == [3, 4]


def test_what_is_no_motion_or_of_another_program_says_so(walk, tmp_path):
    path = gvhmr(walk, tmp_path)
    with pytest.raises(BadForeignFile, match="no result of wham"):
        read_clip(path, tool="wham")
    (tmp_path / "other.pkl").write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(BadForeignFile, match="none of gvhmr"):
        read_clip(tmp_path / "other.pkl")
    (tmp_path / "empty.pkl").write_bytes(pickle.dumps([]))
    with pytest.raises(BadForeignFile, match="no motion"):
        read_clip(tmp_path / "empty.pkl")


def test_a_motion_with_nan_is_refused(walk, tmp_path):
    pose, root = walk
    broken = root.copy()
    broken[2, 1] = np.nan
    path = gvhmr((pose, broken), tmp_path)
    with pytest.raises(NotFinite):
        bodies_in_world(read_clip(path), embedded_body(), stature_m=STATURE_M, fps=30.0, path=path)
