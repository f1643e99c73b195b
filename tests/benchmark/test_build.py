"""Building the benchmark: two real cases, and everything that may go wrong on the way."""

import errno
import json
import shutil
import threading
import time
from dataclasses import replace
from multiprocessing import active_children
from pathlib import Path

import cv2
import numpy as np
import pytest

from hsimul3r.benchmark import build as building
from hsimul3r.benchmark import make
from hsimul3r.benchmark.build import BuildConfig, Ledger, build, candidates, make_one, open_ledger, verify
from hsimul3r.benchmark.cases import SHIPPED, all_cases, case_named
from hsimul3r.benchmark.records import RECORD, REFUSED, CaseRecord, file_hashes, record_of, save_record
from hsimul3r.benchmark.truth import load_truth
from hsimul3r.cli import main
from hsimul3r.errors import FolderBusy, NotPosable, NotReproduced, UnknownCase
from hsimul3r.progress import Progress
from stages import ingest_capture

CASES = (SHIPPED[0], next(name for name in SHIPPED if name.startswith("lean_table_hands")))


@pytest.fixture(scope="module", autouse=True)
def _code_stands_still():
    """The code may be edited while these tests run; their cases are made once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(building, "generator_hash", lambda: "the code of these tests")
        yield


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> BuildConfig:
    cfg = BuildConfig(out=tmp_path_factory.mktemp("hsibench"), count=2, only=CASES, workers=2)
    ledger = build(cfg, Progress())
    assert [record.name for record in ledger.cases] == list(CASES), (ledger.refused, ledger.troubles)
    return cfg


@pytest.fixture
def copied(built, tmp_path) -> BuildConfig:
    return replace(built, out=Path(shutil.copytree(built.out, tmp_path / "built")))


@pytest.mark.parametrize("name", CASES)
def test_a_case_is_a_capture_with_its_truth_beside(built, name, tmp_path):
    folder = built.out / name
    assert {path.name for path in folder.iterdir()} == {"truth", *(f"0000{i}.jpg" for i in range(1, 5))}
    capture = ingest_capture.run(folder, cfg=ingest_capture.IngestCaptureConfig(), out=tmp_path, progress=Progress())
    truth = load_truth(folder / "truth")
    np.testing.assert_array_equal(capture.size_px, truth.cameras.size_px)
    assert [item.name for item in truth.objects]
    for view in range(4):
        person = truth.person_mask(view)
        assert 0.01 < person.mean() < 0.5
        depth = truth.depth[view]
        assert depth is not None
        assert 0.8 < np.median(depth[person]) < 5.0


def test_the_label_pictures_fit_the_projected_truth(built):
    truth = load_truth(built.out / CASES[0] / "truth")
    from hsimul3r.geometry.cameras import project

    for view in range(4):
        uv = np.round(project(truth.cameras, view, truth.body.vertices())).astype(int)
        seen = truth.labels[view][uv[:, 1], uv[:, 0]]
        assert (seen > 0).mean() > 0.97, "the body is drawn, or hidden by its object"


def test_manifest_and_record_hold_the_hashes_of_the_files(built):
    manifest = json.loads((built.out / "manifest.json").read_text())
    assert [case["name"] for case in manifest["cases"]] == list(CASES)
    for case in manifest["cases"]:
        assert case["files"] == file_hashes(built.out / case["name"])
        assert case["images"] == 4 and case["split"] in ("easy", "medium", "hard")
        assert set(case["cpu_s"]) == {"staging", "check", "stability", "look", "render", "develop", "write"}
        assert json.loads((built.out / case["name"] / RECORD).read_text()) == case
    assert "| all | 2 | 2 | 0 | 0 | 0 | 0 | 100.0% |" in (built.out / "summary.md").read_text()


def test_the_verdict_is_kept_with_every_figure(built):
    stability = json.loads((built.out / CASES[1] / "truth" / "stability.json").read_text())
    assert stability["is_stable"]
    assert all(criterion["holds"] for criterion in stability["moments"][0]["criteria"])


def test_a_second_build_makes_nothing_again(built):
    before = {path: path.stat().st_mtime_ns for path in built.out.glob("*/*.jpg")}
    start = time.perf_counter()
    build(built, Progress())
    assert time.perf_counter() - start < 5
    assert {path: path.stat().st_mtime_ns for path in built.out.glob("*/*.jpg")} == before


def test_verifying_builds_the_same_bits_again_and_finds_a_flipped_one(copied):
    cfg = replace(copied, only=CASES[:1])
    photo = cfg.out / CASES[0] / "00002.jpg"
    content = bytearray(photo.read_bytes())
    content[len(content) // 2] ^= 1
    photo.write_bytes(content)
    with pytest.raises(NotReproduced, match=rf"^1 file\(s\).*{CASES[0]}/00002.jpg"):
        verify(cfg, 1, Progress())
    assert not list(cfg.out.glob(".verify-*"))


def test_a_case_whose_process_is_killed_is_made_by_another(copied):
    cfg = replace(copied, only=CASES[1:], count=1, workers=1)
    first = file_hashes(cfg.out / CASES[1])
    shutil.rmtree(cfg.out / CASES[1])
    at_work = threading.Thread(target=build, args=(cfg, Progress()))
    at_work.start()
    while not active_children():
        time.sleep(0.05)
    (child,) = active_children()
    while not list(cfg.out.glob("*.tmp")) and at_work.is_alive():
        time.sleep(0.05)
    child.kill()
    at_work.join()
    assert file_hashes(cfg.out / CASES[1]) == first
    assert not list(cfg.out.glob("*.tmp"))


def test_what_a_kill_left_half_written_is_cleared_away(copied):
    half = copied.out / f"{CASES[0]}.tmp"
    half.mkdir()
    (half / "00001.jpg").write_bytes(b"half")
    build(copied, Progress())
    assert not half.exists()


def test_a_refused_case_is_remembered_with_its_reason(copied, monkeypatch):
    def cannot(spec):
        raise NotPosable(spec.name, "the knees do not bend that way")

    monkeypatch.setattr(make, "stage_pose", cannot)
    generator = building.generator_hash()
    answer = json.loads(make_one(CASES[0], out=copied.out, views=10, generator=generator))
    assert answer["record"]["status"] == "not posable"
    assert not (copied.out / CASES[0]).exists(), "what an older build had of it is no longer true"
    ledger = build(replace(copied, only=CASES[:1], views=10), Progress())
    assert ledger.cases == () and ledger.missing == 1
    assert ledger.refused[0].reason == "the knees do not bend that way"
    manifest = json.loads((copied.out / "manifest.json").read_text())
    assert manifest["refused"][0]["name"] == CASES[0]


def test_a_truth_that_is_not_true_is_refused_before_any_picture(tmp_path, monkeypatch):
    monkeypatch.setattr(make, "is_true", lambda figures: False)
    (tmp_path / REFUSED).mkdir()
    record = make.make_case(case_named(CASES[0]), views=4, key="k", out=tmp_path)
    assert record.status == "not true"
    assert "body_object_mm" in record.reason
    assert "render" not in record.cpu_s


def test_a_defect_in_one_case_is_an_answer_not_the_end(tmp_path, monkeypatch):
    def broken(*args, **kwargs):
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr(building, "make_case", broken)
    answer = make_one(CASES[0], out=tmp_path, views=4, generator="g")
    ledger = Ledger(wanted=1, keys=dict.fromkeys(CASES, "k"))
    ledger.note(CASES[0], answer)
    assert ledger.troubles == {CASES[0]: "ZeroDivisionError: a defect"}
    assert ledger.next(()) == CASES[1], "it is not tried again in this build"


def test_a_full_disk_ends_the_build_with_one_clear_error(tmp_path, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(building, "make_case", full)
    answer = make_one(CASES[0], out=tmp_path, views=4, generator="g")
    assert "No space left" in json.loads(answer)["stop"] and "--out" in json.loads(answer)["stop"]
    with pytest.raises(Exception, match="No space left"):
        Ledger(wanted=1, keys=dict.fromkeys(CASES, "k")).note(CASES[0], answer)


def test_two_builds_do_not_share_a_folder(tmp_path):
    from hsimul3r.files import owned_folder

    cfg = BuildConfig(out=tmp_path, only=CASES)
    with owned_folder(tmp_path, option="--out"), pytest.raises(FolderBusy, match="--out"):
        build(cfg, Progress())


def test_an_unknown_case_is_named_with_what_comes_near(tmp_path):
    with pytest.raises(UnknownCase, match=CASES[0]):
        candidates(BuildConfig(out=tmp_path, only=(CASES[0][:-1],)))


def test_shipped_cases_come_first_and_motions_only_when_asked_for(tmp_path):
    poses = candidates(BuildConfig(out=tmp_path))
    assert tuple(spec.name for spec in poses[: len(SHIPPED)]) == SHIPPED
    assert {spec.kind for spec in poses} == {"pose"}
    both = candidates(BuildConfig(out=tmp_path, has_motions=True))
    assert {spec.kind for spec in both[len(SHIPPED) :]} == {"pose", "motion"}
    assert len({spec.name for spec in all_cases()}) == len(all_cases())


def ledger_of(statuses: dict[str, str], wanted: int) -> Ledger:
    ledger = Ledger(wanted=wanted, keys=dict.fromkeys("abcdef", "k"))
    for name, status in statuses.items():
        ledger.records[name] = replace(record_of(case_named(CASES[0]), "k", status), name=name)  # pyright: ignore
    return ledger


def names(records: tuple[CaseRecord, ...]) -> str:
    return "".join(record.name for record in records)


def test_the_benchmark_is_the_first_that_pass_whatever_finished_first():
    ledger = ledger_of({"d": "built", "a": "built", "c": "built", "b": "not stable", "e": "not true"}, wanted=2)
    assert names(ledger.cases) == "ac"
    assert names(ledger.refused) == "b"
    assert ledger.missing == 0 and ledger.next(()) is None


def test_no_more_cases_are_begun_than_are_missing():
    ledger = ledger_of({"a": "built", "b": "not true"}, wanted=3)
    assert ledger.next(()) == "c"
    assert ledger.next(("c",)) == "d"
    assert ledger.next(("c", "d")) is None


def test_a_case_that_kills_its_process_twice_is_left_out():
    ledger = ledger_of({}, wanted=1)
    ledger.note("a", None)
    assert ledger.next(()) == "a"
    ledger.note("a", None)
    assert ledger.next(()) == "b"
    assert "died" in ledger.troubles["a"]


def test_a_record_of_other_code_does_not_count(tmp_path):
    (tmp_path / REFUSED).mkdir()
    save_record(record_of(case_named(CASES[0]), "old key", "not true"), tmp_path / REFUSED / f"{CASES[0]}.json")
    assert open_ledger(BuildConfig(out=tmp_path, only=CASES), building.generator_hash()).records == {}


def test_photos_hold_no_metadata(built):
    for photo in (built.out / CASES[0]).glob("*.jpg"):
        assert b"Exif" not in photo.read_bytes()[:4096]
        assert cv2.imread(str(photo)).shape == (720, 960, 3)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--out", "/sys/hsibench"], "cannot be written"),
        (["--cases", "sit_on_a_cloud"], "no case 'sit_on_a_cloud'"),
        (["--cases", CASES[0], "--verify", "1"], "nothing is built"),
    ],
)
def test_one_clear_error_on_the_command_line(tmp_path, capsys, words, said):
    where = [] if "--out" in words else ["--out", str(tmp_path)]
    assert main(["hsibench", *words, *where]) == 2
    printed = " ".join(capsys.readouterr().err.split())
    assert said in printed and printed.count("error:") == 1
