"""Which models there are, where their weights are looked for, and which of them commercial work may use."""

import hashlib
import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from hsimul3r.config import PipelineConfig, require_licences
from hsimul3r.errors import LicenceRefused, WeightsNotGiven, WrongWeights
from hsimul3r.weights_table import show_weights
from stages.adapters import catalogue
from stages.adapters.choices import (
    DetectorChoice,
    PhotoChoice,
    PoseChoice,
    SegmenterChoice,
    open_pose_estimator,
    open_segmenter,
)
from stages.generate_objects import GenerateObjectsConfig


@pytest.fixture(autouse=True)
def folder(monkeypatch, tmp_path):
    monkeypatch.setenv("HSIMUL3R_WEIGHTS", str(tmp_path))
    return tmp_path


def test_a_model_without_weights_says_where_they_belong_and_which_option_takes_another_path(folder):
    with pytest.raises(WeightsNotGiven, match=r"--object-views\.segmenter\.weights") as error:
        open_segmenter(SegmenterChoice(kind="sam"))
    assert str(folder / catalogue.card("sam").file) in str(error.value)
    with pytest.raises(WeightsNotGiven, match=r"--people\.pose\.weights"):
        open_pose_estimator(PoseChoice(kind="vitpose"))


def test_weights_are_found_in_their_folder_and_a_given_path_wins(folder):
    place = folder / catalogue.card("sam").file
    place.touch()
    assert catalogue.weights_path("sam", "") == place
    assert str(catalogue.weights_path("sam", "other.pth")) == "other.pth"


@pytest.mark.parametrize("one", catalogue.CATALOGUE, ids=lambda one: one.name)
def test_commercial_work_refuses_every_non_commercial_model_by_name(one):
    catalogue.require_licence(one.name, "any")
    if one.terms == "permissive":
        catalogue.require_licence(one.name, "commercial-safe")
    else:
        with pytest.raises(LicenceRefused, match=one.name):
            catalogue.require_licence(one.name, "commercial-safe")


def test_a_file_is_checked_against_its_published_sum(monkeypatch, folder):
    (folder / "file").write_bytes(b"weights")
    with pytest.raises(WrongWeights, match="01ec64"):
        catalogue.check_published("sam", folder / "file")
    start = hashlib.sha256(b"weights").hexdigest()[:6]
    known = tuple(replace(one, sha256_start=start) if one.name == "sam" else one for one in catalogue.CATALOGUE)
    monkeypatch.setattr(catalogue, "CATALOGUE", known)
    assert catalogue.check_published("sam", folder / "file")
    assert not catalogue.check_published("dust3r", folder / "file")


def test_a_configuration_that_wants_commercial_safe_models_names_the_one_that_is_not():
    safe = replace(PipelineConfig(), licences="commercial-safe")
    require_licences(safe)
    require_licences(replace(safe, people=replace(safe.people, pose=PoseChoice(kind="vitpose"))))
    chosen = replace(safe, cameras=replace(safe.cameras, dust3r=replace(safe.cameras.dust3r, weights="dust3r.pth")))
    with pytest.raises(LicenceRefused, match="dust3r"):
        require_licences(chosen)


def test_results_of_a_program_whose_weights_are_not_commercial_are_refused_too():
    safe = replace(PipelineConfig(), licences="commercial-safe")
    chosen = replace(safe, cameras=replace(safe.cameras, gen3r=replace(safe.cameras.gen3r, results="results/2view/1")))
    with pytest.raises(LicenceRefused, match="gen3r"):
        require_licences(chosen)


def test_choices_name_the_files_that_they_would_load(folder):
    assert SegmenterChoice().files() == () == PhotoChoice().files() == DetectorChoice().files()
    assert SegmenterChoice(kind="sam").files() == (folder / catalogue.card("sam").file,)
    given = PhotoChoice(kind="ma_hmr", weights="/there/ma.pth")
    assert given.files() == (Path("/there/ma.pth"), folder / "SMPL_NEUTRAL.npz")
    assert GenerateObjectsConfig(generator="midi3d").files() == (folder / "midi3d",) and GenerateObjectsConfig().files() == ()


def test_the_table_names_every_model_and_whether_it_is_here(folder):
    (folder / catalogue.card("vitpose").file).mkdir()
    console = Console(width=200, record=True, file=io.StringIO())
    show_weights(console, checks=True)
    text = console.export_text()
    assert all(one.name in text for one in catalogue.CATALOGUE) and text.count("yes") == 1
