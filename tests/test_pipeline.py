"""Photos to verdict on a shipped sample: unbroken, and killed in every stage."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hsimul3r.artifacts import AlignedScene, CameraRig, Rollout, StabilityVerdict
from hsimul3r.cli import main

STAGES = (
    "00_capture", "10_people", "20_cameras", "30_scene", "40_humans", "45_object_views", "50_objects", "60_aligned",
    "70_sim", "80_rollout_pd", "85_verdict_pd", "80_rollout_static", "85_verdict_static",
)  # fmt: skip

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


def start(runs: Path, *words: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "hsimul3r", *words, "--runs", str(runs)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)


def finish(process: subprocess.Popen) -> str:
    output, _ = process.communicate(timeout=1200)
    assert process.returncode == 0, output
    return output


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory) -> Path:
    runs = tmp_path_factory.mktemp("unbroken")
    finish(start(runs, "demo", "sit_chair"))
    return runs / "sit_chair"


def test_every_stage_leaves_an_artifact_and_the_run_its_report(unbroken):
    manifest = json.loads((unbroken / "manifest.json").read_text())
    assert {stage["folder"] for stage in manifest["stages"].values()} == set(STAGES)
    assert (unbroken / "report.html").stat().st_size > 100_000
    assert (unbroken / "simulation.mp4").stat().st_size > 10_000
    assert (unbroken / "config.yaml").is_file()


def test_the_scene_is_metric_and_all_cameras_are_found(unbroken):
    rig = CameraRig.load(unbroken / "20_cameras")
    aligned = AlignedScene.load(unbroken / "60_aligned")
    assert rig.cameras.is_registered.all()
    assert aligned.provenance.scale_source == "stature"
    assert 1.5 < aligned.bodies[0].stature_m < 1.95
    assert any(contact.target != "floor" for contact in aligned.contacts)


def test_sampling_control_keeps_the_interaction(tmp_path):
    """On the demo's default sample; on `sit_chair` the fitted chair gets arms that pinch the sitter."""
    finish(start(tmp_path, "demo"))
    run = tmp_path / "foot_stool"
    verdict = StabilityVerdict.load(run / "85_verdict_static")
    rollout = Rollout.load(run / "80_rollout_static")
    assert verdict.is_stable, verdict.reason
    assert rollout.contact_force_n.sum(axis=1)[-30:].mean() > 20


def test_running_again_finds_everything_done(unbroken):
    before = {path: path.stat().st_mtime_ns for path in unbroken.glob("*/artifact.json")}
    output = finish(start(unbroken.parent, "demo", "sit_chair"))
    assert output.count("done before") == len(STAGES)
    assert {path: path.stat().st_mtime_ns for path in unbroken.glob("*/artifact.json")} == before


def test_a_damaged_artifact_of_an_earlier_stage_is_named_and_kept(unbroken, tmp_path, capsys):
    shutil.copytree(unbroken, tmp_path / "sit_chair")
    file = tmp_path / "sit_chair/60_aligned/arrays.npz"
    file.write_bytes(file.read_bytes()[:-20])
    before = {path: path.read_bytes() for path in (tmp_path / "sit_chair").glob("*/ar*")}
    assert main(["simulate", "sit_chair", "--runs", str(tmp_path)]) == 2
    printed = " ".join(capsys.readouterr().err.split())
    assert "60_aligned' is damaged" in printed
    assert "Delete that folder" in printed
    assert "Traceback" not in printed
    assert {path: path.read_bytes() for path in before} == before


def kill_in(stage: str, process: subprocess.Popen, run: Path) -> bool:
    """SIGKILL the process as soon as it works on `stage`; False where it ended before."""
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline:
        if (run / f"{stage}.tmp").exists():
            process.send_signal(signal.SIGKILL)
            process.communicate()
            return True
        if process.poll() is not None:
            return False
        time.sleep(0.002)
    raise TimeoutError(stage)


def test_a_run_killed_in_every_stage_completes_to_the_same_result(unbroken, tmp_path):
    run = tmp_path / "sit_chair"
    killed = [stage for stage in STAGES if kill_in(stage, start(tmp_path, "demo", "sit_chair"), run)]
    assert set(killed) >= set(STAGES) - {"70_sim", "85_verdict_pd", "85_verdict_static"}, "a stage was too quick to be hit"
    finish(start(tmp_path, "demo", "sit_chair"))
    for stage in STAGES:
        whole, broken = (json.loads((folder / stage / "stage.json").read_text())["content"] for folder in (unbroken, run))
        assert whole == broken, f"{stage} differs after a kill"
