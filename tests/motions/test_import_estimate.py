"""A motion that another program estimated, through the command line: somebody who sits gets something to sit on."""

import pickle
import shlex
import sys

import numpy as np
import pytest

from hsimul3r.artifacts import AlignedScene
from hsimul3r.body.model import embedded_body
from hsimul3r.cli import main
from hsimul3r.errors import BadForeignFile
from hsimul3r.geometry.rotations import axis_angle_from_matrix, matrix_from_axis_angle
from hsimul3r.importers.clip import R_WORLD_SOURCE
from hsimul3r.motions.estimates import EstimateConfig, read_estimate
from tests.run_fixture import sitter

FRAMES = 40
LOST = (17, 18)


def seated():
    """Pose (frames, 24, 3) and root (frames, 3) of somebody who sits and bows, in a +Y-up world."""
    body = sitter(frames=FRAMES)
    pose = np.concatenate([body.pose[:, :22], np.zeros((FRAMES, 2, 3))], axis=1)
    pose[:, 6, 0] += 0.2 * (1 - np.cos(2 * np.pi * np.arange(FRAMES) / FRAMES))
    R = R_WORLD_SOURCE["+y"].T
    pose[:, 0] = axis_angle_from_matrix(R @ matrix_from_axis_angle(pose[:, 0]))
    root = embedded_body().joints(body.betas, body.pose, body.transl)[:, 0]
    return pose, (root + np.array([3.0, 1.0, 0.5])) @ R.T


def write_wham(path, lost=LOST):
    pose, root = seated()
    kept = np.setdiff1d(np.arange(FRAMES), lost)
    people = {
        name: {"pose_world": pose[rows].reshape(len(rows), 72), "trans_world": root[rows],
               "betas": np.zeros((len(rows), 10)), "frame_ids": rows + 100}
        for name, rows in {"0": np.arange(5), "1": kept}.items()
    }  # fmt: skip
    path.write_bytes(pickle.dumps(people))
    return path


def write_tram(folder):
    pose, root = seated()
    (folder / "results" / "hps").mkdir(parents=True)
    R_world_cam, t = matrix_from_axis_angle(np.array([np.pi, 0.0, 0.0])), np.array([0.0, 1.2, 4.0])
    rotations = matrix_from_axis_angle(pose)
    rotations[:, 0] = R_world_cam.T @ rotations[:, 0]
    camera = {"world_cam_R": np.tile(R_world_cam, (FRAMES, 1, 1)), "world_cam_T": np.tile(t, (FRAMES, 1))}
    track = {"pred_rotmat": rotations, "pred_trans": ((root - t) @ R_world_cam)[:, None], "pred_shape": np.zeros((FRAMES, 10)),
             "frame": np.arange(FRAMES)}  # fmt: skip
    np.save(folder / "results" / "camera.npy", np.array(camera), allow_pickle=True)
    path = folder / "results" / "hps" / "hps_track_0.npy"
    np.save(path, np.array(track), allow_pickle=True)
    return path


def read(path, *, start_s=0.0, cfg=None):
    return read_estimate(
        path, embedded_body(), fps=30.0, start_s=start_s, end_s=None, stature_m=1.7, cfg=cfg or EstimateConfig()
    )


def imported(file, runs, *words):
    assert main(["import-motion", str(file), "--runs", str(runs), "--motion.fps", "15", *words]) == 0
    return AlignedScene.load(runs / file.stem / "60_aligned")


def seats(scene):
    return {contact.target for contact in scene.contacts if contact.part == "buttocks"}


def test_the_longest_of_wham_s_people_sits_on_something_with_terms_in_the_provenance(tmp_path, capsys):
    scene = imported(write_wham(tmp_path / "wham_output.pkl"), tmp_path / "runs", "--stature", "1.75")
    assert "'0' (5 frames), '1' (38 frames); imported: '1'" in " ".join(capsys.readouterr().out.split())
    assert len(seats(scene)) == 1 and seats(scene) <= {asset.name for asset in scene.assets}
    body = scene.bodies[0]
    assert (len(body.pose), body.fps, body.stature_m) == (20, 15.0, 1.75)
    assert scene.report["frames_filled"] == 2 and scene.report["people_in_file"] == 2
    assert scene.provenance.adapter == "wham" and scene.provenance.scale_source == "stature"
    assert any("SMPL: non-commercial" in licence for licence in scene.provenance.licences)
    assert any("estimated by wham" in licence for licence in scene.provenance.licences)


def test_a_person_by_name_and_the_rate_of_the_video(tmp_path):
    file = write_wham(tmp_path / "w.pkl")
    body = imported(file, tmp_path / "runs", "--person", "0", "--fps", "15").bodies[0]
    assert (len(body.pose), body.fps) == (5, 15.0)


def test_tram_s_camera_comes_along_and_gives_the_same_person(tmp_path):
    tram = imported(write_tram(tmp_path), tmp_path / "runs")
    wham = read_estimate(write_wham(tmp_path / "w.pkl", lost=()), embedded_body(), fps=15.0, start_s=0.0, end_s=None,
                         stature_m=1.7, cfg=EstimateConfig())  # fmt: skip
    assert (tmp_path / "runs" / "hps_track_0" / "motion" / "camera.npy").is_file()
    moved = tram.bodies[0].transl - wham.body.transl
    np.testing.assert_allclose(moved, np.tile(moved[0], (20, 1)), atol=1e-6)
    np.testing.assert_allclose(matrix_from_axis_angle(tram.bodies[0].pose), matrix_from_axis_angle(wham.body.pose), atol=1e-6)
    assert tram.provenance.adapter == "tram" and len(seats(tram)) == 1


class _Hostile:
    def __reduce__(self):
        return (print, ("hostile",))


@pytest.mark.parametrize(
    ("content", "settings", "said"),
    [({"0": {"pose_world": 1, "trans_world": 1}}, {}, "no result of wham"), ({}, {}, "no motion"),
     ({"x": 1}, {}, "none of gvhmr"), (None, {"person": "9"}, "no person '9', but '0' .5 frames., '1' .38 frames."),
     (None, {"video_fps": 0.0}, "no rate"), (None, {"fill_s": 0.04}, "lost for 2 frames after frame 116"),
     (None, {"tool": "gvhmr"}, "no result of gvhmr")],
)  # fmt: skip
def test_what_cannot_be_imported_is_one_clear_error(tmp_path, content, settings, said):
    path = tmp_path / "wham_output.pkl"
    write_wham(path) if content is None else path.write_bytes(pickle.dumps(content))
    with pytest.raises(BadForeignFile, match=said):
        read(path, cfg=EstimateConfig(**settings))


def test_a_part_without_the_person_is_one_clear_error(tmp_path):
    with pytest.raises(BadForeignFile, match="38 frames of person '1', 0 in this part"):
        read(write_wham(tmp_path / "w.pkl"), start_s=9.0)


def test_a_hostile_file_is_refused_on_the_command_line(tmp_path, capsys):
    (tmp_path / "w.pkl").write_bytes(pickle.dumps(_Hostile()))
    assert main(["import-motion", str(tmp_path / "w.pkl"), "--runs", str(tmp_path / "runs")]) == 2
    captured = capsys.readouterr()
    assert "would call 'builtins.print'" in " ".join(captured.err.split()) and "hostile" not in captured.out


def test_tram_without_its_camera_is_one_clear_error(tmp_path, capsys):
    path = write_tram(tmp_path)
    (tmp_path / "results" / "camera.npy").unlink()
    assert main(["import-motion", str(path), "--runs", str(tmp_path / "runs")]) == 2
    assert "camera.npy' is not there" in " ".join(capsys.readouterr().err.split())


def test_a_program_of_the_user_s_is_run_on_the_video_and_its_result_imported(tmp_path, capsys):
    video, left = tmp_path / "clip.mp4", write_wham(tmp_path / "left.pkl")
    video.write_bytes(b"a video")
    code = (
        f"import shutil, sys; assert open(sys.argv[1]).read() == 'a video'; shutil.copy({str(left)!r}, sys.argv[2] + '/w.pkl')"
    )
    command = f"{sys.executable} -c {shlex.quote(code)} {{input}} {{output}}"
    scene = imported(video, tmp_path / "runs", "--command", command, "--result", "*.pkl", "--person", "0")
    assert scene.provenance.adapter == "wham" and len(scene.bodies[0].pose) == 3
    assert (tmp_path / "runs" / "clip" / "external" / "log.txt").is_file()


@pytest.mark.parametrize(
    ("file", "words", "said"),
    [("gone.mp4", ["--command", "true"], "there is no such file"),
     ("clip.mp4", ["--command", "sleep 9", "--timeout-s", "0.2"], "did not end within 0.2 s")],
)  # fmt: skip
def test_a_program_that_fails_is_one_clear_error(tmp_path, capsys, file, words, said):
    (tmp_path / "clip.mp4").write_bytes(b"a video")
    assert main(["import-motion", str(tmp_path / file), "--runs", str(tmp_path / "runs"), *words]) == 2
    assert said in " ".join(capsys.readouterr().err.split())
