import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from hsimul3r.benchmark.camera.rig import VIEW_SETS
from hsimul3r.config import PipelineConfig
from hsimul3r.errors import BadCapture, BadConfig, NoCases
from hsimul3r.experiment_plan import CaseFolder, find_cases, load_experiment, selected, with_views

SHIPPED = Path(__file__).parents[2] / "configs" / "hsibench.yaml"


@pytest.fixture(scope="module")
def shipped():
    return load_experiment(SHIPPED, PipelineConfig())


def case_folder(parent: Path, name: str, photos: int, record: dict) -> Path:
    folder = parent / name
    for kind in ("labels", "depth"):
        (folder / "truth" / kind).mkdir(parents=True)
    for view in range(photos):
        Image.new("RGB", (8, 6), (view, 0, 0)).save(folder / f"{view + 1:05d}.jpg")
        Image.new("L", (8, 6), view).save(folder / "truth" / "labels" / f"{view:05d}.png")
    (folder / "truth" / "cameras.json").write_text(json.dumps({"views": [{"number": v} for v in range(photos)]}))
    (folder / "truth" / "body.npz").write_bytes(b"body")
    (folder / "truth" / "case.json").write_text(json.dumps(record))
    return folder


def test_rows_switch_what_their_names_say(shipped):
    cfg = {row.name: row.cfg for row in shipped.rows}
    terms = {name: (c.objects.generator, c.alignment.contact_terms, c.tracking.scene_term) for name, c in cfg.items()}
    assert terms == {
        "hsfm_like": ("poisson", False, "none"),
        "v1": ("parametric", False, "none"),
        "v2": ("parametric", True, "none"),
        "v3": ("parametric", True, "center"),
        "v4": ("parametric", True, "surface"),
        "learned": ("part_flow", True, "surface"),
        "ours": ("part_flow", True, "surface"),
    }


def test_what_does_not_exist_is_said_and_nothing_else_differs_between_rows(shipped):
    assert [row.name for row in shipped.rows if row.needs] == ["ours"]
    first, *others = (row.cfg for row in shipped.rows)
    for name in ("capture", "people", "cameras", "scene", "humans", "object_views", "sim_scene", "verdict"):
        assert all(getattr(cfg, name) == getattr(first, name) for cfg in others), name


def test_a_row_is_run_as_soon_as_what_it_needs_is_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = write(tmp_path, {"rows": [{"name": "a", "tables": {}, "needs": {"tuned/weights": "make them"}}]})
    assert load_experiment(path, PipelineConfig()).rows[0].needs == "tuned/weights: make them"
    (tmp_path / "tuned").mkdir()
    (tmp_path / "tuned" / "weights").write_bytes(b"")
    assert load_experiment(path, PipelineConfig()).rows[0].needs == ""


def write(tmp_path, table):
    path = tmp_path / "experiment.yaml"
    path.write_text(yaml.safe_dump({"seeds": [0], "views": [4]} | table))
    return path


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({}, "is no experiment"),
        ({"rows": [{"name": "a", "tables": {}, "overrides": {"tracking": {"scene_tern": "none"}}}]}, "scene_tern"),
        ({"rows": [{"name": "a", "tables": {}, "overrides": {"people": {"box_size": 300}}}]}, "may only override"),
        ({"rows": [{"name": "a", "tables": {}, "nedds": "x"}]}, "nedds"),
        ({"rows": [{"name": "a", "tables": {}}], "sedes": [1]}, "sedes"),
        ({"rows": [{"name": "a", "tables": {}}], "expected": [{"row": "b", "figure": "x", "cases": 1, "views": 4}]}, "'b'"),
    ],
)
def test_wrong_experiments_are_refused_by_what_is_wrong(tmp_path, table, message):
    with pytest.raises(BadConfig, match=message):
        load_experiment(write(tmp_path, table), PipelineConfig())


def test_rows_views_and_seeds_are_selected(shipped):
    some = selected(shipped, rows=("v4", "v1"), views=(10,), seeds=(5, 6))
    assert [row.name for row in some.rows] == ["v1", "v4"] and (some.views, some.seeds) == ((10,), (5, 6))
    assert selected(shipped) == shipped
    with pytest.raises(BadConfig, match="v9"):
        selected(shipped, rows=("v9",))


def test_cases_are_found_by_split_and_name_and_videos_are_left_out(tmp_path, shipped):
    case_folder(tmp_path, "b_easy", 4, {"split": "easy"})
    case_folder(tmp_path, "a_hard", 4, {"split": "hard"})
    case_folder(tmp_path, "c_film", 0, {"split": "easy"})
    (tmp_path / "d_being_written.tmp" / "truth").mkdir(parents=True)
    (tmp_path / "refused").mkdir()
    assert [case.name for case in find_cases(tmp_path, shipped)] == ["a_hard", "b_easy"]
    assert [case.name for case in find_cases(tmp_path, shipped, split="easy")] == ["b_easy"]
    with pytest.raises(NoCases, match="nobody"):
        find_cases(tmp_path, shipped, names=("nobody",))
    with pytest.raises(NoCases, match="split 'medium'"):
        find_cases(tmp_path, shipped, split="medium")


def test_samples_have_their_split_from_the_experiment(samples, shipped):
    cases = find_cases(samples, shipped)
    assert {case.name: case.difficulty for case in cases} == shipped.difficulty
    assert all(len(case.photos) == 4 for case in cases)


@pytest.mark.parametrize(("photos", "record"), [(16, {}), (16, {"ring": [*range(16)]}), (10, {"ring": [*VIEW_SETS[10]]})])
def test_fewer_views_are_the_ring_s_own_with_their_truth(tmp_path, photos, record):
    case = CaseFolder(name="a", folder=case_folder(tmp_path / "built", "a", photos, record), difficulty="easy")
    some = with_views(case, 4, tmp_path / "captures")
    ring = record.get("ring", range(16))
    expected = [[*ring].index(place) for place in VIEW_SETS[4]]
    assert [path.name for path in some.photos] == [f"{i + 1:05d}.jpg" for i in expected]
    assert [view["number"] for view in json.loads((some.truth / "cameras.json").read_text())["views"]] == expected
    shown = [int(np.asarray(Image.open(some.truth / "labels" / f"{new:05d}.png"))[0, 0]) for new in range(4)]
    assert shown == expected
    assert (some.truth / "body.npz").read_bytes() == b"body"
    assert with_views(case, 4, tmp_path / "captures") == some, "a second time finds it made"


def test_all_views_are_the_case_itself_and_more_are_refused(tmp_path):
    case = CaseFolder(name="a", folder=case_folder(tmp_path, "a", 4, {"ring": [*VIEW_SETS[4]]}), difficulty="easy")
    assert with_views(case, 4, tmp_path / "captures") is case
    with pytest.raises(BadCapture, match="10 views are not to be had of its 4 photos"):
        with_views(case, 10, tmp_path / "captures")
