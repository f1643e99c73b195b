import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest

from hsimul3r.benchmark.records import (
    RECORD,
    REFUSED,
    CaseRecord,
    case_key,
    file_hashes,
    find_record,
    save_record,
    summary,
    write_manifest,
)
from hsimul3r.benchmark.scene import CaseSpec, Subject

SPEC = CaseSpec(
    name="sit_1", interaction="sit", kind="pose", objects=("chair",), subject=Subject(betas=np.zeros(10), sex="female"),
    difficulty="easy", seed=3,
)  # fmt: skip


def record(name: str, **changes) -> CaseRecord:
    start = CaseRecord(
        name=name, key="k", kind="pose", interaction="sit", split="easy", objects=("chair",), sex="female", stature_m=1.6,
        seed=1, status="built", figures={"gap_mm": 1.0, "off_balance_mm": -np.inf}, ring=(4, 6), images=2,
        cpu_s={"staging": 2.0, "render": 1.0, "write": 0.2}, files={"00001.jpg": "0" * 64},
    )  # fmt: skip
    return replace(start, **changes)


@pytest.mark.parametrize(
    "change", [{"seed": 4}, {"objects": ("chair", "table")}, {"subject": Subject(betas=np.ones(10), sex="male")}]
)
def test_the_key_follows_from_everything_that_is_specified(change):
    assert case_key(replace(SPEC, **change), 4, "g") != case_key(SPEC, 4, "g")


def test_the_key_follows_from_generator_and_views():
    keys = {case_key(SPEC, 4, "g"), case_key(SPEC, 16, "g"), case_key(SPEC, 4, "h"), case_key(SPEC, 4, "g")}
    assert len(keys) == 3


def test_the_number_of_photos_does_not_matter_to_a_film():
    film = replace(SPEC, kind="motion")
    assert case_key(film, 4, "g") == case_key(film, 16, "g")


def test_a_record_is_found_by_its_key_only(tmp_path):
    (tmp_path / "a" / "truth").mkdir(parents=True)
    save_record(record("a"), tmp_path / "a" / RECORD)
    found = find_record(tmp_path, "a", "k")
    assert found == record("a", figures={"gap_mm": 1.0, "off_balance_mm": None})
    assert find_record(tmp_path, "a", "another") is None
    assert find_record(tmp_path, "b", "k") is None


def test_a_refusal_is_found_with_its_reason(tmp_path):
    (tmp_path / REFUSED).mkdir()
    save_record(record("a", status="not true", reason="inside the chair"), tmp_path / REFUSED / "a.json")
    found = find_record(tmp_path, "a", "k")
    assert found is not None and found.reason == "inside the chair" and not found.is_built


def test_a_record_that_is_cut_off_counts_as_none(tmp_path):
    (tmp_path / REFUSED).mkdir()
    (tmp_path / REFUSED / "a.json").write_text('{"name": "a", "key": "k"')
    assert find_record(tmp_path, "a", "k") is None


def test_hashes_are_those_of_the_contents_and_leave_out_the_record(tmp_path):
    (tmp_path / "truth" / "labels").mkdir(parents=True)
    (tmp_path / "truth" / "labels" / "00000.png").write_bytes(b"b")
    (tmp_path / "00001.jpg").write_bytes(b"a")
    (tmp_path / RECORD).write_text("{}")
    hashes = file_hashes(tmp_path)
    assert hashes == {
        "00001.jpg": hashlib.sha256(b"a").hexdigest(),
        "truth/labels/00000.png": hashlib.sha256(b"b").hexdigest(),
    }


def test_the_summary_counts_every_status_by_split_and_interaction():
    tried = (
        record("a"), record("b", split="hard", interaction="lean", status="not stable"), record("c", status="not posable"),
        record("d", cpu_s={"staging": 4.0, "render": 3.0, "write": 0.2}),
    )  # fmt: skip
    lines = summary(tried).splitlines()
    assert "| easy | 3 | 2 | 1 | 0 | 0 | 0 | 100.0% |" in lines
    assert "| hard | 1 | 0 | 0 | 0 | 1 | 0 | 0.0% |" in lines
    assert "| all | 4 | 2 | 1 | 0 | 1 | 0 | 66.7% |" in lines
    assert "| gap_mm | 1 | 1 |" in lines
    (times,) = [line for line in lines if line.startswith("| pose |")]
    assert times.split(" | ")[1:3] == ["2", "3.00"]
    assert times.endswith("| 5.20 | 1.10 |")


def test_the_manifest_is_plain_json_with_every_case_and_refusal(tmp_path):
    write_manifest(tmp_path, [record("a")], [record("b", status="not posable", reason="no room")], "generator")
    manifest = json.loads((tmp_path / "manifest.json").read_text(), parse_constant=pytest.fail)
    assert [case["name"] for case in manifest["cases"]] == ["a"]
    assert manifest["cases"][0]["files"] == {"00001.jpg": "0" * 64}
    assert manifest["refused"][0]["reason"] == "no room"
    assert manifest["counts"] == {"built": 1, "not posable": 1, "not true": 0, "not stable": 0, "not in view": 0}
    assert (tmp_path / "summary.md").read_text().startswith("# HSIBench")
