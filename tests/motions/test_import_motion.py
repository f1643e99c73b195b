"""A captured motion through the command line: a run without photos that simulates, and that report and viewer can show."""

from dataclasses import replace

import numpy as np
import pytest

from hsimul3r.artifacts import AlignedScene, SimScene
from hsimul3r.body.anatomy import anatomy
from hsimul3r.body.model import embedded_body
from hsimul3r.cli import main
from hsimul3r.errors import BadMotion
from hsimul3r.export.amass import AmassMotion, write_amass
from hsimul3r.motions.amass import read_amass_motion
from hsimul3r.motions.asfamc import R_WORLD_FILE
from hsimul3r.progress import Progress
from hsimul3r.report import write_report
from hsimul3r.run_record import read_run
from hsimul3r.viewer.serve import open_viewer
from stages import build_sim_scene
from tests.motions.acclaim import body_rest, turns_of_pose, write_amc, write_asf
from tests.run_fixture import sitter

FRAMES = 45
BOX_M = 0.25


def write_box_stander(folder):
    """Somebody who bows on a box: both feet stay, the trunk moves."""
    betas = embedded_body().betas_of_stature(1.75)
    bow = 25 * (1 - np.cos(2 * np.pi * np.arange(FRAMES) / FRAMES))
    dofs = np.zeros((FRAMES, anatomy().count))
    dofs[:, anatomy().dof("spine2", "x")] = np.radians(bow / 2)
    for side, sign in (("left", -1), ("right", 1)):
        dofs[:, anatomy().dof(f"{side}_shoulder", "z")] = sign * np.radians(70)
    rest = body_rest(betas)
    soles = embedded_body().vertices(betas, np.zeros((55, 3)), np.zeros(3))[:, 1].min()
    root = np.tile([2.0, 1.0, rest[0, 1] - soles + BOX_M], (FRAMES, 1))
    write_asf(folder / "07.asf", betas)
    write_amc(folder / "07_01.amc", turns_of_pose(dofs, np.tile(R_WORLD_FILE, (FRAMES, 1, 1))), root)
    return folder / "07_01.amc"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The run folder of an imported motion."""
    folder = tmp_path_factory.mktemp("motion")
    motion = write_box_stander(folder)
    assert main(["import-motion", str(motion), "--runs", str(folder / "runs"), "--motion.amc-fps", "30"]) == 0
    return folder / "runs" / "07_01"


def test_the_feet_are_on_a_block_below_the_first_pelvis(run):
    scene = AlignedScene.load(run / "60_aligned")
    assert {(contact.part, contact.target) for contact in scene.contacts} == {
        ("left_foot", "support0"), ("right_foot", "support0"),
    }  # fmt: skip
    assert scene.assets[0].vertices[:, 2].max() == pytest.approx(BOX_M, abs=0.015)
    pelvis = embedded_body().joints(scene.bodies[0].betas, scene.bodies[0].pose[0], scene.bodies[0].transl[0])[0]
    np.testing.assert_allclose(pelvis[:2], 0, atol=1e-9)
    assert scene.provenance.scale_source == "given"
    assert max(value for name, value in scene.report.items() if name.startswith("fit_")) < 0.01


def test_a_second_import_finds_the_first(run, capsys):
    motion = run.parents[1] / "07_01.amc"
    assert main(["import-motion", str(motion), "--runs", str(run.parent), "--motion.amc-fps", "30"]) == 0
    assert "done before" in capsys.readouterr().out


def test_the_scene_goes_into_the_engine(run, tmp_path):
    scene = build_sim_scene.run(
        AlignedScene.load(run / "60_aligned"), cfg=build_sim_scene.BuildSimSceneConfig(), out=tmp_path, progress=Progress()
    )
    assert isinstance(scene, SimScene)
    assert scene.report["deepest_initial_contact_m"] < 0.02


def test_report_and_viewer_show_a_run_without_photos(run):
    record = read_run(run)
    assert record.capture is None
    assert record.missing == ("70_sim", "80_rollout_pd", "85_verdict_pd", "80_rollout_window", "85_verdict_window")
    page = write_report(run).read_text()
    assert "make simulate SCENE=07_01" in page
    assert "Photos" not in page
    viewer = open_viewer(run, 0, "127.0.0.1")
    viewer.server.stop()
    assert viewer.people and viewer.objects and not viewer.cameras


@pytest.mark.parametrize(
    ("words", "said"),
    [(["gone.amc"], "there is no such file"), (["alone.amc"], "skeleton"), (["motion.txt"], "no file that ends in"),
     (["broken.npz"], "cannot be read"), (["alone.amc", "--asf", "broken.npz"], "cannot be read")],
)  # fmt: skip
def test_what_cannot_be_imported_is_one_clear_error(tmp_path, capsys, monkeypatch, words, said):
    monkeypatch.chdir(tmp_path)
    for name in ("alone.amc", "motion.txt"):
        (tmp_path / name).write_text("1\nroot 0 0 0 0 0 0\n")
    (tmp_path / "broken.npz").write_bytes(b"\xff\x00not a zip")
    assert main(["import-motion", *words, "--runs", str(tmp_path / "runs")]) == 2
    assert said in " ".join(capsys.readouterr().err.split())


def test_our_own_export_comes_back_exactly(tmp_path):
    body = sitter(frames=6)
    body = replace(body, pose=body.pose + 0.01 * np.arange(6)[:, None, None])
    none = np.zeros((6, 0))
    motion = AmassMotion(
        body_model=embedded_body().name, body=body, contact_part=(), contact_target=(), contact_force_n=none,
        contact_point_m=np.zeros((6, 0, 3)), object_name=(), object_pos_m=np.zeros((6, 0, 3)),
        object_quat_wxyz=np.zeros((6, 0, 4)),
    )  # fmt: skip
    write_amass(motion, tmp_path / "m.npz")
    back = read_amass_motion(tmp_path / "m.npz", embedded_body(), fps=15, stature_m=1.7)
    assert back.fps == 15
    np.testing.assert_array_equal(back.pose, body.pose[::2])
    np.testing.assert_array_equal(back.transl, body.transl[::2])
    np.testing.assert_array_equal(back.betas, body.betas)


def test_a_foreign_npz_keeps_its_turns_on_a_body_of_the_stature_given(tmp_path):
    body = sitter(frames=8)
    poses = np.concatenate([body.pose[:, :22], body.pose[:, 25:]], axis=1).reshape(8, 156)
    np.savez(tmp_path / "a.npz", poses=poses, trans=body.transl, betas=np.ones(16), gender="male", mocap_framerate=120.0)
    back = read_amass_motion(tmp_path / "a.npz", embedded_body(), fps=60, stature_m=1.6)
    assert (back.fps, back.stature_m, len(back.pose)) == (60.0, 1.6, 4)
    np.testing.assert_allclose(back.pose, body.pose[::2], atol=1e-9)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"poses": np.zeros((4, 156))}, "not poses and trans"),
        ({"poses": np.zeros((4, 156)), "trans": np.zeros((4, 3))}, "no frame rate"),
        ({"poses": np.zeros((4, 72)), "trans": np.zeros((4, 3)), "mocap_framerate": 30.0}, r"shape \(4, 72\)"),
        ({"poses": np.zeros((4, 156)), "trans": np.zeros((5, 3)), "mocap_framerate": 30.0}, "its poses 4 frames"),
    ],
)
def test_a_foreign_npz_that_lacks_something_is_one_clear_error(tmp_path, table, said):
    np.savez(tmp_path / "a.npz", **table)
    with pytest.raises(BadMotion, match=said):
        read_amass_motion(tmp_path / "a.npz", embedded_body(), fps=30, stature_m=1.7)
