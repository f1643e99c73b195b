import multiprocessing
import os
import signal
import subprocess
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from hsimul3r.artifacts import ObjectViews, Provenance
from hsimul3r.errors import DamagedArtifact, FolderBusy, FolderUnusable, NoRun
from hsimul3r.run_store import RunStore, last_run, remember_run


@dataclass(frozen=True, kw_only=True)
class Config:
    seed: int = 0


calls: list[str] = []


def first(folder, *, cfg, out, progress):
    calls.append("first")
    (out / "picture.txt").write_text("for people")
    return ObjectViews(provenance=Provenance(adapter=f"first {cfg.seed}", licences=("MIT",)), objects=())


def second(artifact, *, cfg, out, progress):
    calls.append("second")
    return ObjectViews(provenance=Provenance(adapter="second of " + artifact.provenance.adapter), objects=())


def failing(artifact, *, cfg, out, progress):
    raise RuntimeError("stage broke")


@pytest.fixture(autouse=True)
def _forget_calls():
    calls.clear()


@pytest.fixture
def scene(tmp_path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(b"1")
    return folder


def run_both(folder: Path, scene: Path, seed: int = 0):
    with RunStore(folder) as store:
        a = store.stage("00_first", ObjectViews, first, scene, cfg=Config(seed=seed))
        return store.stage("10_second", ObjectViews, second, a, cfg=Config())


def test_a_finished_stage_is_not_run_again(tmp_path, scene):
    made = run_both(tmp_path / "run", scene)
    again = run_both(tmp_path / "run", scene)
    assert calls == ["first", "second"]
    assert again == made


def test_a_changed_config_runs_the_stage_and_what_depends_on_it(tmp_path, scene):
    run_both(tmp_path / "run", scene)
    run_both(tmp_path / "run", scene, seed=1)
    assert calls == ["first", "second"] * 2


def test_a_changed_photo_runs_everything_that_changes(tmp_path, scene):
    run_both(tmp_path / "run", scene)
    (scene / "a.jpg").write_bytes(b"2")
    run_both(tmp_path / "run", scene)
    assert calls == ["first", "second", "first"], "the second stage's input did not change"


@dataclass(frozen=True, kw_only=True)
class Choice:
    kind: Literal["none", "folder"] = "none"
    weights: str = ""
    policy: str = ""
    policy_sha256: str = ""
    place: Path | None = None

    def files(self) -> tuple[Path, ...]:
        return (self.place,) if self.place else ()


@dataclass(frozen=True, kw_only=True)
class Choosing:
    seed: int = 0
    choice: Choice = field(default_factory=Choice)


def run_chosen(tmp_path: Path, scene: Path, **choice):
    with RunStore(tmp_path / "run") as store:
        store.stage("00_first", ObjectViews, first, scene, cfg=Choosing(choice=Choice(**choice)))


def rewrite(path: Path, content: bytes) -> None:
    """Another file in its place, later by the clock."""
    path.write_bytes(content)
    os.utime(path, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns + 1_000_000))


@pytest.mark.parametrize("is_folder", [False, True])
def test_a_stage_is_made_anew_where_a_file_that_its_config_names_was_replaced(tmp_path, scene, is_folder):
    named = tmp_path / "weights"
    inside = named / "deep" / "model.safetensors" if is_folder else named
    inside.parent.mkdir(exist_ok=True, parents=True)
    inside.write_bytes(b"old")
    for _ in range(2):
        run_chosen(tmp_path, scene, weights=str(named))
    assert calls == ["first"]
    rewrite(inside, b"new")
    run_chosen(tmp_path, scene, weights=str(named))
    assert calls == ["first"] * 2, "same size, other file"
    if is_folder:
        (named / "more.json").write_text("{}")
        run_chosen(tmp_path, scene, weights=str(named))
        assert calls == ["first"] * 3


def test_a_model_s_default_place_counts_where_its_config_says_so(tmp_path, scene):
    place = tmp_path / "default.pth"
    run_chosen(tmp_path, scene, place=place)
    for content in (b"first", b"second"):
        rewrite(place, content)
        for _ in range(2):
            run_chosen(tmp_path, scene, place=place)
    assert calls == ["first"] * 3


def test_a_file_that_is_known_by_its_hash_may_be_copied(tmp_path, scene):
    policy = tmp_path / "policy.npz"
    for _ in range(2):
        rewrite(policy, b"policy")
        run_chosen(tmp_path, scene, policy=str(policy), policy_sha256="ab")
    assert calls == ["first"]


def test_words_and_files_that_are_not_there_leave_the_key_alone(tmp_path, scene, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "none").mkdir()
    run_chosen(tmp_path, scene, weights="missing.pth")
    (tmp_path / "none" / "file").touch()
    run_chosen(tmp_path, scene, weights="missing.pth")
    assert calls == ["first"], "a choice of words is no path, whatever lies in the working folder"


def test_licences_are_inherited(tmp_path, scene):
    assert run_both(tmp_path / "run", scene).provenance.licences == ("MIT",)


def test_a_failed_stage_keeps_what_was_there(tmp_path, scene):
    run_both(tmp_path / "run", scene)
    before = (tmp_path / "run/10_second/artifact.json").read_bytes()
    with RunStore(tmp_path / "run") as store, pytest.raises(RuntimeError):
        a = store.stage("00_first", ObjectViews, first, scene, cfg=Config())
        store.stage("10_second", ObjectViews, failing, a, cfg=Config(seed=9))
    assert (tmp_path / "run/10_second/artifact.json").read_bytes() == before
    assert not list((tmp_path / "run").glob("*.tmp"))


def test_a_damaged_artifact_is_named_and_nothing_else_is_lost(tmp_path, scene):
    run_both(tmp_path / "run", scene)
    file = tmp_path / "run/00_first/arrays.npz"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(DamagedArtifact, match="00_first"):
        run_both(tmp_path / "run", scene)
    assert (tmp_path / "run/10_second/artifact.json").is_file()


def test_loading_a_stage_that_was_never_made_says_what_to_run(tmp_path):
    with RunStore(tmp_path / "run") as store, pytest.raises(NoRun, match="make reconstruct"):
        store.load("00_first", ObjectViews)


def test_two_processes_cannot_share_a_run(tmp_path):
    with RunStore(tmp_path / "run"), pytest.raises(FolderBusy), RunStore(tmp_path / "run"):
        pass


def killed_between_renames(folder: Path, scene: Path) -> None:
    rename = Path.rename

    def rename_then_die(self: Path, target: Path) -> Path:
        result = rename(self, target)
        if str(target).endswith(".old"):
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    Path.rename = rename_then_die
    run_both(folder, scene, seed=5)


def test_a_kill_between_the_two_renames_loses_nothing(tmp_path, scene):
    run_both(tmp_path / "run", scene)
    process = multiprocessing.get_context("fork").Process(target=killed_between_renames, args=(tmp_path / "run", scene))
    process.start()
    process.join(30)
    assert process.exitcode == -signal.SIGKILL
    assert not (tmp_path / "run/00_first").exists()
    run_both(tmp_path / "run", scene)
    assert calls == ["first", "second"], "the old artifact was put back"


def test_a_run_folder_that_cannot_be_made_is_one_clear_error(scene):
    with pytest.raises(FolderUnusable, match="--runs"):
        run_both(Path("/sys/hsimul3r"), scene)


@pytest.fixture
def small_disk(tmp_path):
    place = tmp_path / "disk"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(place)], capture_output=True).returncode:
        pytest.skip("this machine does not allow mounting a small disk")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def big(artifact, *, cfg, out, progress):
    hint = ObjectViews(provenance=Provenance(adapter="big"), objects=())
    return replace(hint, provenance=replace(hint.provenance, adapter=np.random.default_rng(0).bytes(400_000).hex()))


def test_a_full_disk_is_one_clear_error_and_keeps_what_was_good(small_disk, scene):
    run_both(small_disk / "run", scene)
    with RunStore(small_disk / "run") as store:
        a = store.stage("00_first", ObjectViews, first, scene, cfg=Config())
        with pytest.raises(FolderUnusable, match="No space left"):
            store.stage("10_second", ObjectViews, big, a, cfg=Config())
    assert run_both(small_disk / "run", scene).provenance.adapter == "second of first 0"
    assert calls == ["first", "second"]


def test_a_disk_that_became_read_only_is_one_clear_error(small_disk, scene):
    run_both(small_disk / "run", scene)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(FolderUnusable):
        run_both(small_disk / "run", scene)


def test_the_last_run_is_remembered(tmp_path):
    with pytest.raises(NoRun):
        last_run(tmp_path)
    (tmp_path / "chair").mkdir()
    remember_run(tmp_path, "chair")
    assert last_run(tmp_path) == tmp_path / "chair"


def test_a_file_is_written_once(tmp_path, scene):
    written = []
    with RunStore(tmp_path / "run") as store:
        a = store.stage("00_first", ObjectViews, first, scene, cfg=Config())
        for _ in range(2):
            path = store.file("note.txt", lambda p: (written.append(time.time()), p.write_text("hello")), a)
    assert path.read_text() == "hello"
    assert len(written) == 1
