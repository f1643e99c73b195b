"""The rows of an experiment on a toy that was observed already: what is shared, what is kept, what a failure leaves."""

import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, replace

import numpy as np
import pytest
from interaction import toys
from PIL import Image

from hsimul3r import experiment
from hsimul3r.artifacts import AlignedScene, Capture, Provenance
from hsimul3r.config import PipelineConfig
from hsimul3r.experiment import Task, attempt_key, observe_case, run_rows, shared_stages
from hsimul3r.experiment_plan import CaseFolder, Row
from hsimul3r.generator.fit import FitConfig
from hsimul3r.progress import Progress
from hsimul3r.run_store import StageRecord, content_hash
from hsimul3r.tracking.static_cem import StaticCemConfig

FIT = FitConfig(
    first_generations=2, coarse_generations=3, survivors=2, adjusted=1, kept_families=1, lm_iterations=1, fine_generations=2
)
QUICK = PipelineConfig()
QUICK = replace(
    QUICK,
    objects=replace(QUICK.objects, fit=FIT),
    tracking=replace(QUICK.tracking, hold_s=0.5, search=StaticCemConfig(samples=8, max_iterations=1, horizon_s=0.2), threads=1),
    verdict=replace(QUICK.verdict, gravity_s=0.2, threads=1),
)  # fmt: skip


def row(name, *, contact_terms=True, scene_term="surface", generator="parametric"):
    cfg = replace(
        QUICK,
        objects=replace(QUICK.objects, generator=generator),
        alignment=replace(QUICK.alignment, contact_terms=contact_terms),
        tracking=replace(QUICK.tracking, scene_term=scene_term),
    )
    return Row(name=name, label=name, tables={}, cfg=cfg, needs="")


ROWS = (
    row("poisson", contact_terms=False, scene_term="none", generator="poisson"),
    row("v1", contact_terms=False, scene_term="none"),
    row("v2", scene_term="none"),
    row("v4"),
)


CAPTURE = Capture(
    provenance=Provenance(adapter="toy"), name="toy", folder="toy", images=("0.png", "1.png", "2.png", "3.png"),
    sources=("a", "b", "c", "d"), size_px=np.tile([8, 6], (4, 1)), original_size_px=np.tile([8, 6], (4, 1)),
    focal_px=np.full(4, np.nan), is_focal_given=False, stature_m=None, objects=(),
)  # fmt: skip


@pytest.fixture
def task(tmp_path, monkeypatch):
    """A case whose photos were observed: a sitter, and a chair without any mask or scene point."""
    folder = tmp_path / "case"
    (folder / "truth").mkdir(parents=True)
    Image.new("RGB", (8, 6)).save(folder / "1.png")
    task = Task(case=CaseFolder(name="toy", folder=folder, difficulty="easy"), views=1, out=tmp_path / "out", seed=1)
    human = toys.body(toys.SIT)
    motion, views, _ = toys.inputs([human], [toys.chair(toys.lowest_of(human, "buttocks"))])
    views = replace(views, objects=tuple(replace(view, category="chair", name="chair") for view in views.objects))
    for name, artifact in (("00_capture", CAPTURE), ("40_humans", motion), ("45_object_views", views)):
        place = task.observed / name
        place.mkdir(parents=True)
        for image in CAPTURE.images if artifact is CAPTURE else ():
            Image.new("RGB", (8, 6)).save(place / image)
        artifact.save(place)
        record = StageRecord(stage="toy", key="", content=content_hash(place), seconds=1.0, peak_rss_mb=1.0)
        (place / "stage.json").write_text(json.dumps(asdict(record)))
    monkeypatch.setattr(experiment, "evaluate_run", lambda run, truth: {"runs": f"{run.name} {truth.parent.name}"})
    return task


def stages(folder):
    return {path.name: path.is_symlink() for path in folder.iterdir() if path.is_dir()}


def test_rows_share_what_they_make_alike_and_keep_what_is_finished(task):
    outcomes = run_rows(task, ROWS, "")
    assert [outcome.row for outcome in outcomes] == ["poisson", "v1", "v2", "v4"]
    failed, v4 = outcomes[0], outcomes[-1]
    assert failed.error.startswith("TooFewPoints: Only 0 scene points were found") and failed.figures == {}
    assert v4.error == "" and v4.figures == {"runs": "toy-1-seed1 case"}
    made = {outcome.row: set(outcome.costs) for outcome in outcomes}
    assert made["v1"] == {"50_objects", "60_aligned", "70_sim", "80_rollout_static", "85_verdict_static"}
    assert made["v2"] == made["v1"] - {"50_objects"}
    assert made["v4"] == {"80_rollout_static", "85_verdict_static"}
    assert stages(task.run_folder(ROWS[3]))["60_aligned"], "taken over from v2"
    moved, as_was = (AlignedScene.load(task.run_folder(one) / "60_aligned") for one in (ROWS[2], ROWS[1]))
    assert as_was.report["eq3_m_after"] == as_was.report["eq3_m_before"] and moved.provenance.seed == 1
    before = {path: path.stat().st_mtime_ns for path in task.out.rglob("*.json")}
    assert run_rows(task, ROWS, "") == outcomes
    assert {path: path.stat().st_mtime_ns for path in task.out.rglob("*.json")} == before, "nothing is done twice"


def test_a_stopped_row_goes_on_where_it_was(task, monkeypatch):
    whole = experiment.hold

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(experiment, "hold", stop)
    with pytest.raises(KeyboardInterrupt):
        run_rows(task, ROWS[3:], "")
    folder = task.run_folder(ROWS[3])
    assert not (folder / "outcome.json").exists()
    finished = (folder / "50_objects" / "stage.json").stat().st_mtime_ns
    monkeypatch.setattr(experiment, "hold", whole)
    (outcome,) = run_rows(task, ROWS[3:], "")
    assert outcome.error == "" and (folder / "50_objects" / "stage.json").stat().st_mtime_ns == finished


def test_other_settings_make_a_row_anew_and_leave_the_others(task):
    run_rows(task, ROWS[2:], "")
    content = {name: (task.run_folder(ROWS[2]) / name / "stage.json").read_text() for name in ("50_objects", "60_aligned")}
    other = replace(ROWS[3], cfg=replace(ROWS[3].cfg, alignment=replace(QUICK.alignment, contact_terms=False)))
    (outcome,) = run_rows(task, [other], "")
    assert outcome.error == "" and "60_aligned" in outcome.costs
    assert not stages(task.run_folder(other))["60_aligned"]
    assert {name: (task.run_folder(ROWS[2]) / name / "stage.json").read_text() for name in content} == content


def test_an_attempt_follows_from_the_files_that_its_settings_name(task, tmp_path):
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(b"before")
    cfg = replace(QUICK, objects=replace(QUICK.objects, flow=replace(QUICK.objects.flow, weights=str(weights))))
    key = attempt_key(task, [cfg])
    assert attempt_key(task, [cfg]) == key
    weights.write_bytes(b"after tuning")
    assert attempt_key(task, [cfg]) != key


def test_a_bug_is_an_outcome_with_its_place_kept(task, monkeypatch):
    monkeypatch.setattr(experiment, "place_objects", lambda *_: 1 / 0)
    (outcome,) = run_rows(task, ROWS[3:], "")
    assert outcome.error == "internal error, ZeroDivisionError: division by zero"
    assert "1 / 0" in (task.run_folder(ROWS[3]) / "error.txt").read_text()


def test_a_case_that_cannot_be_observed_fails_in_every_row_and_is_not_tried_again(task, monkeypatch):
    unseen = replace(task, case=replace(task.case, name="unseen"))
    error = observe_case(unseen, QUICK)
    assert error.startswith("BadCapture: ") and "one photo" in error
    monkeypatch.setattr(experiment, "observe", lambda *_: pytest.fail("tried again"))
    assert observe_case(unseen, QUICK) == error
    assert [outcome.error for outcome in run_rows(unseen, ROWS, error)] == [error] * len(ROWS)


def test_stages_are_shared_up_to_the_first_difference():
    assert list(shared_stages(ROWS[2].cfg, ROWS[3].cfg)) == ["50_objects", "60_aligned", "70_sim"]
    assert list(shared_stages(ROWS[1].cfg, ROWS[2].cfg)) == ["50_objects"]
    assert list(shared_stages(ROWS[0].cfg, ROWS[1].cfg)) == []


def test_processes_report_cases_that_fail(task, tmp_path):
    outcomes, costs = experiment.run_experiment(
        ROWS[2:], [replace(task.case, name="unseen")], views=(1,), seeds=(0, 1), out=tmp_path / "bench", workers=1,
        progress=Progress(None),
    )  # fmt: skip
    assert [(o.row, o.seed, o.error[:10]) for o in outcomes] == [
        ("v2", 0, "BadCapture"), ("v4", 0, "BadCapture"), ("v2", 1, "BadCapture"), ("v4", 1, "BadCapture")
    ]  # fmt: skip
    assert costs == {"unseen-1": {}}
    assert "OMP_NUM_THREADS" not in os.environ or os.environ["OMP_NUM_THREADS"] == "1"


def test_a_worker_ends_with_the_process_that_started_it():
    code = "import os, sys, time; from hsimul3r.processes import end_with; end_with(int(sys.argv[1])); time.sleep(60)"
    starter = (
        "import subprocess, sys, os, time; child = subprocess.Popen([sys.executable, '-c', sys.argv[1], str(os.getpid())]); "
        "print(child.pid, flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", starter, code], stdout=subprocess.PIPE, text=True)
    child = int(process.stdout.readline())
    process.kill()
    process.wait()
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            os.kill(child, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    pytest.fail("the worker outlived its starter")
