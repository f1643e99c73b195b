"""Human3R's folders, and its fork's, become the people and cameras that were written into them."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from hsimul3r.body.model import embedded_body
from hsimul3r.conventions import SMPLX_JOINTS
from hsimul3r.errors import BadForeignFile
from hsimul3r.geometry.rotations import axis_angle_from_matrix, matrix_from_axis_angle
from hsimul3r.importers import clip_file
from hsimul3r.importers.clip import bodies_in_world
from hsimul3r.importers.human3r import FORK_POSE, read_cameras, read_people
from hsimul3r.importers.tools import read_clip
from hsimul3r.motions.estimates import EstimateConfig, read_estimate
from hsimul3r.motions.files import copy_motion, estimate_in, motion_files

FRAMES, STATURE_M = 4, 1.75
SIZE = (64, 48)
K = np.array([[70.0, 0, 32], [0, 70.0, 24], [0, 0, 1]])
UPRIGHT_IN_CAMERA = np.array([np.pi, 0, 0])


@pytest.fixture(scope="module")
def walk():
    """Two people in the first camera's frame: poses (2, frames, 55, 3), pelvises and heads (2, frames, 3)."""
    rng = np.random.default_rng(3)
    poses = np.zeros((2, FRAMES, 55, 3))
    poses[:, :, 1:22] = np.cumsum(rng.normal(0, 0.05, (2, FRAMES, 21, 3)), axis=1)
    poses[:, :, 22] = [0.1, 0, 0]
    poses[:, :, 25:] = rng.normal(0, 0.05, (2, FRAMES, 30, 3))
    poses[:, :, 0] = UPRIGHT_IN_CAMERA
    pelvis = np.array([[0.0, 0.2, 3.0], [1.0, 0.2, 3.5]])[:, None] + np.arange(FRAMES)[:, None] * np.array([0.1, 0.0, 0.05])
    body = embedded_body()
    betas = body.betas_of_stature(STATURE_M)
    joints = np.stack([body.joints(betas, pose, np.zeros((FRAMES, 3))) for pose in poses])
    joints += (pelvis - joints[:, :, 0])[:, :, None]
    return poses, pelvis, joints[:, :, SMPLX_JOINTS.index("head")]


@pytest.fixture(scope="module")
def cameras():
    """T_world_cam of a camera that turns and moves; the first frame is the world."""
    T = np.tile(np.eye(4), (FRAMES, 1, 1))
    T[:, :3, :3] = matrix_from_axis_angle(np.outer(np.arange(FRAMES), [0.02, 0.1, 0.0]))
    T[:, :3, 3] = np.outer(np.arange(FRAMES), [0.2, 0.0, 0.1])
    return T


def in_camera(T, pose, place):
    turned = pose.copy()
    turned[:, 0] = axis_angle_from_matrix(T[:3, :3].T @ matrix_from_axis_angle(pose[:, 0]))
    return turned, (place - T[:3, 3]) @ T[:3, :3]


def write_demo(folder: Path, walk, cameras, *, depth=False, lost=()) -> Path:
    """As demo.py --save_smpl writes it, None for what it has not. `lost`: (frame, person)."""
    poses, _, heads = walk
    order = [SMPLX_JOINTS.index(name) for name in (*SMPLX_JOINTS[:22], *SMPLX_JOINTS[25:], "jaw")]
    (folder / "smpl").mkdir(parents=True)
    for f in range(FRAMES):
        there = [p for p in range(2) if (f, p) not in lost][::-1]
        turned, places = in_camera(cameras[f], poses[there, f], heads[there, f])
        np.savez(
            folder / "smpl" / f"{f:06d}.npz", shape=np.zeros((len(there), 10), np.float32),
            rotvec=turned[:, order].astype(np.float32), transl=places.astype(np.float32), expression=np.array(None),
            smpl_id=np.array([7 + p for p in there], np.int64), scores=np.zeros(SIZE[::-1], np.float32), mask=np.array(None),
            cam2world=cameras[f].astype(np.float32), intrinsics=K.astype(np.float32),
        )  # fmt: skip
        if depth:
            for kind in ("depth", "conf", "camera"):
                (folder / kind).mkdir(exist_ok=True)
            np.save(folder / "depth" / f"{f:06d}.npy", np.full(SIZE[::-1], 2.0 + f, np.float32))
            np.save(folder / "conf" / f"{f:06d}.npy", np.full(SIZE[::-1], 1.0 + f, np.float32))
            np.savez(folder / "camera" / f"{f:06d}.npz", pose=cameras[f].astype(np.float32), intrinsics=K.astype(np.float32))
    return folder


def write_fork(folder: Path, walk, cameras) -> Path:
    poses, pelvis, _ = walk
    folder.mkdir()
    inverse = np.linalg.inv(cameras)
    np.savez(
        folder / "cameras.npz", frame_idx=np.arange(FRAMES, dtype=np.int32), R_world2cam=inverse[:, :3, :3],
        t_world2cam=inverse[:, :3, 3], K=np.tile(K * [[10], [10], [1]], (FRAMES, 1, 1)),
    )  # fmt: skip
    for p in range(2):
        (folder / f"{7 + p:02d}" / "smplx_params").mkdir(parents=True)
        for f in range(FRAMES):
            turned, places = in_camera(cameras[f], poses[p : p + 1, f], pelvis[p : p + 1, f])
            groups = dict(zip(FORK_POSE, np.split(turned[0], [1, 22, 23, 24, 25, 40])))
            note = {name: np.squeeze(value).tolist() for name, value in groups.items()}
            note |= {"betas": [0.0] * 10, "trans": places[0].tolist(), "trans_raw": [0.0, 0.0, 0.0]}
            (folder / f"{7 + p:02d}" / "smplx_params" / f"{f:05d}.json").write_text(json.dumps(note))
    return folder


@pytest.mark.parametrize("write", [write_demo, write_fork])
def test_people_come_out_as_they_went_in(walk, cameras, tmp_path, write):
    folder = write(tmp_path / "out", walk, cameras)
    clip = read_clip(folder)
    assert clip.tool == "human3r" and clip.body == "smplx" and [person.name for person in clip.people] == ["7", "8"]
    model = embedded_body()
    bodies = bodies_in_world(clip, model, stature_m=STATURE_M, fps=30.0, path=folder)
    poses, pelvis, _ = walk
    R = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
    places = [model.joints(body.betas, body.pose, body.transl)[:, 0] for body in bodies]
    for p, body in enumerate(bodies):
        expected = poses[p].copy()
        expected[:, 23:25] = 0
        np.testing.assert_allclose(matrix_from_axis_angle(body.pose[:, 1:]), matrix_from_axis_angle(expected[:, 1:]), atol=1e-5)
        root = R @ matrix_from_axis_angle(poses[p, :, 0])
        np.testing.assert_allclose(matrix_from_axis_angle(body.pose[:, 0]), root, atol=1e-5)
        np.testing.assert_allclose(places[p] - places[0][0], (pelvis[p] - pelvis[0, 0]) @ R.T, atol=1e-4)
    assert clip.people[0].frames.tolist() == list(range(FRAMES))


def test_a_place_is_that_of_the_head(walk, cameras, tmp_path):
    clip = read_people(write_demo(tmp_path / "out", walk, cameras))
    assert [person.joint for person in clip.people] == ["head", "head"]
    np.testing.assert_allclose(clip.people[1].root, walk[2][1], atol=1e-5)


def test_who_is_lost_in_a_frame_is_not_there(walk, cameras, tmp_path):
    clip = read_people(write_demo(tmp_path / "out", walk, cameras, lost=((1, 0), (2, 0), (2, 1))))
    assert [person.frames.tolist() for person in clip.people] == [[0, 3], [0, 1, 3]]


def test_cameras_and_points_come_out_as_they_went_in(walk, cameras, tmp_path):
    alone = read_cameras(write_demo(tmp_path / "alone", walk, cameras))
    dense = read_cameras(write_demo(tmp_path / "dense", walk, cameras, depth=True))
    fork = read_cameras(write_fork(tmp_path / "fork", walk, cameras))
    for f in range(FRAMES):
        for found in (alone[f], dense[f], fork[f]):
            np.testing.assert_allclose(np.linalg.inv(found.T_cam_world), cameras[f], atol=1e-6)
        assert alone[f].size_px == SIZE == dense[f].size_px and fork[f].size_px == (640, 480)
        assert alone[f].focal_px == (70.0, 70.0) and fork[f].focal_px == (700.0, 700.0) and alone[f].seen is None
        seen = dense[f].seen
        assert seen is not None and seen.is_sure.all() == (f > 0) and not (f == 0 and seen.is_sure.any())
        x, y = 40, 10
        in_cam = (2.0 + f) * np.array([(x - 32) / 70, (y - 24) / 70, 1])
        np.testing.assert_allclose(seen.points[y, x], cameras[f, :3, :3] @ in_cam + cameras[f, :3, 3], atol=1e-5)


def test_a_run_keeps_one_file_of_it(walk, cameras, tmp_path):
    folder = write_demo(tmp_path / "out", walk, cameras)
    kept = estimate_in(copy_motion(motion_files(folder, None), tmp_path / "motion"))
    assert kept is not None and [path.name for path in (tmp_path / "motion").iterdir()] == [f"motion{clip_file.SUFFIX}"]
    first, again = read_clip(folder / "smpl"), read_clip(kept)
    assert (again.tool, again.body, again.up) == (first.tool, first.body, first.up)
    for a, b in zip(first.people, again.people, strict=True):
        assert (a.name, a.joint) == (b.name, b.joint)
        for name in ("pose", "root", "betas", "frames"):
            np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
    read = read_estimate(
        kept, embedded_body(), fps=30.0, start_s=0.0, end_s=None, stature_m=STATURE_M, cfg=EstimateConfig(person="8")
    )
    assert read.tool == "human3r" and read.people_count == 2 and any("SMPL-X" in licence for licence in read.licences)
    assert len(read.body.pose) == FRAMES


def replaced(folder, name, **arrays):
    path = folder / name
    with np.load(path, allow_pickle=True) as file:
        content = {key: file[key] for key in file.files}
    np.savez(path, **{**content, **arrays})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rotvec": np.zeros((2, 55, 3))}, r"rotvec is \(2, 55, 3\), not \(2, 53, 3\)"),
        ({"transl": np.zeros((1, 3))}, "transl"),
        ({"cam2world": np.full((4, 4), np.nan)}, "NaN"),
        ({"cam2world": np.eye(3)}, "cam2world"),
        ({"smpl_id": np.array([None, 1], object)}, "no result of Human3R"),
    ],
)
def test_a_broken_frame_is_one_clear_error_with_its_name(walk, cameras, tmp_path, changes, message):
    folder = write_demo(tmp_path / "out", walk, cameras)
    replaced(folder, "smpl/000002.npz", **changes)
    with pytest.raises(BadForeignFile, match=message) as error:
        read_people(folder)
    assert "000002.npz" in str(error.value)


def test_cut_empty_and_foreign_folders_say_so(walk, cameras, tmp_path):
    folder = write_demo(tmp_path / "out", walk, cameras, depth=True)
    (folder / "smpl" / "000001.npz").write_bytes((folder / "smpl" / "000001.npz").read_bytes()[:200])
    with pytest.raises(BadForeignFile, match="no result of Human3R"):
        read_people(folder)
    np.save(folder / "conf" / "000003.npy", np.zeros((2, 2)))
    with pytest.raises(BadForeignFile, match=r"conf is \(2, 2\)"):
        read_cameras(folder)
    (folder / "depth" / "000000.npy").write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(BadForeignFile, match="no result of Human3R"):
        read_cameras(folder)
    (tmp_path / "empty" / "smpl").mkdir(parents=True)
    with pytest.raises(BadForeignFile, match="called by its frame's number"):
        read_clip(tmp_path / "empty")
    (tmp_path / "other").mkdir()
    with pytest.raises(BadForeignFile, match="comes from none of human3r, sat_hmr"):
        read_clip(tmp_path / "other")
    nobody = write_demo(tmp_path / "nobody", walk, cameras, lost=[(f, p) for f in range(FRAMES) for p in range(2)])
    with pytest.raises(BadForeignFile, match="holds nobody"):
        read_clip(nobody)


def test_a_broken_fork_is_one_clear_error(walk, cameras, tmp_path):
    folder = write_fork(tmp_path / "out", walk, cameras)
    (folder / "07" / "smplx_params" / "00009.json").write_text((folder / "07" / "smplx_params" / "00001.json").read_text())
    with pytest.raises(BadForeignFile, match=r"00009\.json"):
        read_people(folder)
    (folder / "07" / "smplx_params" / "00009.json").write_text("[")
    with pytest.raises(BadForeignFile, match=r"00009\.json"):
        read_people(folder)
    (tmp_path / "cut.clip").write_bytes(b"PK\x03\x04")
    with pytest.raises(BadForeignFile, match="no clip"):
        read_clip(tmp_path / "cut.clip")
