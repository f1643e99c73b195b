"""Any file of a robot's motion becomes any other, a person's becomes AMASS, and neither becomes the other."""

import itertools

import numpy as np
import pytest
from export.robot_clips import G1, moving_clip
from export.test_robot_formats import assert_same
from motions.acclaim import turns_of_pose, write_amc, write_asf

from hsimul3r.body.anatomy import anatomy
from hsimul3r.body.model import embedded_body
from hsimul3r.cli import main
from hsimul3r.errors import BadMotion, NotConvertible, UnknownFormat
from hsimul3r.export.amass import read_amass
from hsimul3r.export.convert import ROBOT_FORMATS, ConvertOptions, convert, format_of
from hsimul3r.motions.asfamc import R_WORLD_FILE
from hsimul3r.progress import Progress
from hsimul3r.retarget.robot import robot_named


def options(**given):
    return ConvertOptions(robot=robot_named(G1), **given)


@pytest.fixture(scope="module")
def clip():
    """At 50 frames a second, so that no format resamples it but the CSV."""
    return moving_clip(seconds=0.4, fps=50.0)


@pytest.fixture(scope="module")
def files(clip, tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    for name, known in ROBOT_FORMATS.items():
        known.write(clip, folder / f"{name}{known.suffix}")
    return {name: folder / f"{name}{known.suffix}" for name, known in ROBOT_FORMATS.items()}


@pytest.mark.parametrize("name", ROBOT_FORMATS)
def test_a_format_is_told_from_the_content(files, name):
    assert format_of(files[name], robot_named(G1)) == name


@pytest.mark.parametrize(("source", "target"), itertools.permutations(ROBOT_FORMATS, 2))
def test_every_robot_format_becomes_every_other(files, clip, tmp_path, source, target):
    known = ROBOT_FORMATS[target]
    out = tmp_path / f"out{known.suffix}"
    done = convert(files[source], out, options(target_format=target, source_fps=50.0, fps=50.0), Progress(None))
    assert (done.source_format, done.target_format, done.frames) == (source, target, len(clip))
    found = known.read(out, clip.robot, 50.0)
    kept = {"mjlab": ("chair", "box"), "isaaclab": ("chair", "box"), "holosoma": ("box",)}
    both = [name for name in kept.get(source, ()) if name in kept.get(target, ())]
    assert_same(found, clip, atol=2e-6, objects=both)


def test_a_rate_that_the_target_expects_is_kept_to(files, tmp_path):
    done = convert(files["mjlab"], tmp_path / "g1.csv", options(), Progress(None))
    assert (done.target_format, done.fps, done.frames) == ("unitree-csv", 30.0, 13)


def test_an_ending_that_leaves_a_choice_is_asked_about(files, tmp_path):
    with pytest.raises(UnknownFormat, match="--to"):
        convert(files["unitree-csv"], tmp_path / "g1.npz", options(), Progress(None))


def test_what_is_no_motion_is_refused(tmp_path):
    np.savez(tmp_path / "other.npz", weights=np.zeros(3))
    with pytest.raises(UnknownFormat, match="weights"):
        convert(tmp_path / "other.npz", tmp_path / "out.csv", options(), Progress(None))
    with pytest.raises(UnknownFormat, match="no file"):
        convert(tmp_path / "missing.csv", tmp_path / "out.csv", options(), Progress(None))


def test_a_failed_conversion_leaves_the_target_as_it_was(files, tmp_path):
    (tmp_path / "out.csv").write_text("before")
    np.savez(tmp_path / "bad.npz", root_rot=np.zeros((3, 4)), dof_pos=np.zeros((3, 29)), root_pos=np.zeros((3, 3)), fps=30)
    assert main(["convert", str(tmp_path / "bad.npz"), str(tmp_path / "out.csv")]) == 2
    assert (tmp_path / "out.csv").read_text() == "before"
    assert {path.name for path in tmp_path.iterdir()} == {"out.csv", "bad.npz"}


def test_a_person_is_no_robot(files, tmp_path):
    with pytest.raises(NotConvertible, match="export-g1"):
        convert(files["gmr"], tmp_path / "out.npz", options(target_format="amass"), Progress(None))


def test_convert_from_the_command_line(files, clip, tmp_path, capsys):
    out = tmp_path / "new" / "g1.npz"
    assert main(["convert", str(files["gmr"]), str(out), "--to", "isaaclab"]) == 0
    printed = capsys.readouterr().out
    assert "gmr to isaaclab: 21 frames, 50 a second" in printed
    assert_same(ROBOT_FORMATS["isaaclab"].read(out, clip.robot, None), clip, atol=1e-6)
    assert main(["convert", str(files["gmr"]), str(out)]) == 2
    assert "--to" in capsys.readouterr().err


def test_a_person_from_another_program_becomes_our_amass(tmp_path):
    """SMPL-H's layout, 60 frames a second; turns are kept, the lowest sole comes to the floor."""
    rng = np.random.default_rng(0)
    poses = np.cumsum(0.01 * rng.standard_normal((30, 156)), axis=0)
    poses[:, 0] += np.pi / 2
    np.savez(tmp_path / "walk.npz", poses=poses, trans=np.tile([3.0, 2.0, 5.0], (30, 1)), mocap_framerate=60.0)
    done = convert(tmp_path / "walk.npz", tmp_path / "out.npz", options(fps=60.0), Progress(None))
    assert (done.source_format, done.target_format, done.frames, done.fps) == ("amass", "amass", 30, 60.0)
    body = read_amass(tmp_path / "out.npz").body
    np.testing.assert_allclose(body.pose[:, 1:22].reshape(30, -1), poses[:, 3:66], atol=1e-9)
    model = embedded_body()
    soles = model.vertices(np.tile(body.betas, (30, 1)), body.pose, body.transl)[..., 2].min()
    assert abs(soles) < 0.05


def test_captured_motion_becomes_amass_with_its_skeleton_beside_it(tmp_path):
    frames = 4
    dofs = np.zeros((frames, anatomy().count))
    write_asf(tmp_path / "07.asf", embedded_body().betas_of_stature(1.75))
    turns = turns_of_pose(dofs, np.tile(R_WORLD_FILE, (frames, 1, 1)))
    write_amc(tmp_path / "07_01.amc", turns, np.tile([0.0, 0.0, 1.0], (frames, 1)))
    done = convert(tmp_path / "07_01.amc", tmp_path / "out.npz", options(source_fps=30.0), Progress(None))
    assert (done.source_format, done.frames, done.fps) == ("captured", frames, 30.0)
    (tmp_path / "07.asf").unlink()
    with pytest.raises(BadMotion, match="skeleton"):
        convert(tmp_path / "07_01.amc", tmp_path / "out.npz", options(), Progress(None))
