"""Bad input through the command line: one clear error, exit code 2, no traceback, nothing lost."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from hsimul3r.cli import main


@pytest.fixture
def hsimul3r(tmp_path, capsys):
    """Runs a command with a run folder of its own; returns (exit code, everything printed)."""

    def call(*words: str) -> tuple[int, str]:
        code = main([words[0], *words[1:], "--runs", str(tmp_path / "runs")])
        printed = capsys.readouterr()
        return code, " ".join((printed.out + printed.err).split())

    return call


def photos(folder: Path, sources: list[Path]) -> Path:
    folder.mkdir()
    for i, source in enumerate(sources):
        shutil.copy(source, folder / f"{i}{source.suffix}")
    return folder


def textured(folder: Path, count: int) -> Path:
    folder.mkdir()
    for seed in range(count):
        pixels = np.random.default_rng(seed).integers(0, 255, (60, 80, 3), np.uint8)
        Image.fromarray(pixels).resize((640, 480), Image.Resampling.BICUBIC).save(folder / f"{seed}.jpg")
    return folder


@pytest.fixture
def sit_chair(samples) -> list[Path]:
    return sorted((samples / "sit_chair").glob("*.jpg"))


def assert_one_clear_error(result: tuple[int, str], *words: str):
    code, printed = result
    assert code == 2, printed
    assert "Traceback" not in printed
    assert printed.count("error:") == 1
    for word in words:
        assert word in printed, printed


def test_an_unknown_scene_lists_the_samples(hsimul3r):
    assert_one_clear_error(hsimul3r("reconstruct", "no_such_scene"), "SCENE 'no_such_scene'", "sit_chair", "foot_stool")


def test_simulating_without_any_run_says_what_to_run(hsimul3r):
    assert_one_clear_error(hsimul3r("simulate"), "make reconstruct")


@pytest.mark.parametrize("command", ["simulate", "export", "report", "view", "evaluate"])
def test_a_scene_that_was_not_reconstructed_is_named(hsimul3r, command):
    assert_one_clear_error(hsimul3r(command, "sit_chair"), "'sit_chair' was not reconstructed", "make reconstruct")


def test_an_empty_folder(hsimul3r, tmp_path):
    (tmp_path / "empty").mkdir()
    assert_one_clear_error(hsimul3r("reconstruct", str(tmp_path / "empty")), "no photo")


def test_no_person_in_any_view(hsimul3r, tmp_path):
    result = hsimul3r("reconstruct", str(textured(tmp_path / "noise", 2)))
    assert_one_clear_error(result, "person")


def test_a_person_in_one_view_only(hsimul3r, tmp_path, sit_chair):
    folder = textured(tmp_path / "one", 1)
    shutil.copy(sit_chair[0], folder / "a.jpg")
    assert_one_clear_error(hsimul3r("reconstruct", str(folder)), "person")


def test_photos_of_different_rooms_do_not_overlap(hsimul3r, tmp_path, samples, sit_chair):
    other = sorted((samples / "lean_table").glob("*.jpg"))
    result = hsimul3r("reconstruct", str(photos(tmp_path / "mixed", [sit_chair[0], other[2]])))
    assert_one_clear_error(result, "Cameras cannot be related")


def test_a_stature_of_zero(hsimul3r, sit_chair, tmp_path):
    folder = photos(tmp_path / "zero", sit_chair[:2])
    (folder / "capture.yaml").write_text(yaml.safe_dump({"stature_m": 0}))
    assert_one_clear_error(hsimul3r("reconstruct", str(folder)), "stature of 0")


def test_an_object_box_outside_the_picture(hsimul3r, sit_chair, tmp_path):
    folder = photos(tmp_path / "box", sit_chair[:2])
    chair = {"name": "chair", "boxes": {"0.jpg": [0, 0, 1e5, 10]}}
    (folder / "capture.yaml").write_text(yaml.safe_dump({"objects": [chair]}))
    assert_one_clear_error(hsimul3r("reconstruct", str(folder)), "does not lie inside the picture")


def test_a_config_with_an_unknown_entry_lists_what_exists(hsimul3r, tmp_path):
    path = tmp_path / "wrong.yaml"
    path.write_text("peple: {}")
    assert_one_clear_error(hsimul3r("reconstruct", "sit_chair", "--config", str(path)), "unknown entry 'peple'", "people")


def test_a_run_folder_that_cannot_be_written(capsys):
    assert main(["reconstruct", "sit_chair", "--runs", "/sys/hsimul3r"]) == 2
    printed = " ".join(capsys.readouterr().err.split())
    assert "cannot be written" in printed
    assert "--runs" in printed


def test_a_full_disk(tmp_path, capsys):
    place = tmp_path / "disk"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(place)], capture_output=True).returncode:
        pytest.skip("this machine does not allow mounting a small disk")
    try:
        code = main(["reconstruct", "sit_chair", "--runs", str(place / "runs")])
        left = [path.name for path in (place / "runs/sit_chair").iterdir() if path.is_dir()]
    finally:
        subprocess.run(["umount", str(place)], check=True)
    printed = capsys.readouterr()
    assert_one_clear_error((code, " ".join((printed.out + printed.err).split())), "No space left on device", "--runs")
    assert left == [], "nothing half-written stays"


def test_debug_shows_the_traceback(hsimul3r):
    code, printed = hsimul3r("reconstruct", "no_such_scene", "--debug")
    assert code == 2
    assert "Traceback" in printed


def test_a_folder_of_the_same_name_gets_a_run_of_its_own(tmp_path):
    from hsimul3r.cli import new_run

    for parent in ("a", "b"):
        (tmp_path / parent / "scene").mkdir(parents=True)
    first = new_run(tmp_path / "runs", tmp_path / "a/scene")
    first.mkdir(parents=True)
    (first / "source").write_text(str((tmp_path / "a/scene").resolve()))
    assert new_run(tmp_path / "runs", tmp_path / "a/scene") == first
    assert new_run(tmp_path / "runs", tmp_path / "b/scene") != first
