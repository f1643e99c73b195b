import dataclasses
import json

import numpy as np
import pytest

from hsimul3r.artifacts import (
    AlignedScene,
    Capture,
    Contact,
    ConvexPart,
    ObjectAsset,
    ObjectHint,
    ObjectSet,
    PointHints,
    Provenance,
)
from hsimul3r.benchmark.interactions import sit_on_chair


def make_capture() -> Capture:
    hint = ObjectHint(
        name="seat", category="chair", boxes_px=np.full((2, 4), np.nan), masks=(None, np.eye(3, dtype=bool)),
        clicks=(None, PointHints(points_px=np.array([[1.0, 2.0]]), is_inside=np.array([True]))),
    )  # fmt: skip
    return Capture(
        provenance=Provenance(adapter="test", licences=("CC0",)), name="scene", folder="f", images=("a.png", "b.png"),
        sources=("a.jpg", "b.jpg"), size_px=np.array([[4, 3], [4, 3]]), original_size_px=np.array([[8, 6], [8, 6]]),
        focal_px=np.array([np.nan, 5.0]), is_focal_given=False, stature_m=None, objects=(hint,),
    )  # fmt: skip


def assert_same(a, b):
    assert type(a) is type(b)
    if dataclasses.is_dataclass(a):
        for f in dataclasses.fields(a):
            assert_same(getattr(a, f.name), getattr(b, f.name))
    elif isinstance(a, tuple):
        assert len(a) == len(b)
        for x, y in zip(a, b):
            assert_same(x, y)
    elif isinstance(a, np.ndarray):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)
    else:
        assert a == b


def test_artifact_with_optionals_and_nested_arrays_round_trips(tmp_path):
    capture = make_capture()
    capture.save(tmp_path)
    assert_same(capture, Capture.load(tmp_path))


def test_nested_dataclasses_and_dicts_round_trip(tmp_path):
    part = ConvexPart(vertices=np.eye(3), faces=np.array([[0, 1, 2]]))
    asset = ObjectAsset(
        name="o", category="box", family="box", parameters={"width": 1.0}, parts=(part, part), vertices=np.eye(3),
        faces=np.array([[0, 1, 2]]), T_world_object=np.eye(4), mass_kg=2.0, density_kg_m3=600.0, friction=0.8,
        report={"iou": 0.5},
    )  # fmt: skip
    objects = ObjectSet(provenance=Provenance(adapter="test"), assets=(asset,))
    objects.save(tmp_path)
    assert_same(objects, ObjectSet.load(tmp_path))


def test_saving_twice_gives_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        make_capture().save(tmp_path / name)
    for file in ("artifact.json", "arrays.npz"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_loading_another_kind_is_refused(tmp_path):
    make_capture().save(tmp_path)
    with pytest.raises(ValueError, match="not a ObjectSet"):
        ObjectSet.load(tmp_path)


@pytest.mark.parametrize("file", ["artifact.json", "arrays.npz"])
def test_a_truncated_file_is_refused(tmp_path, file):
    make_capture().save(tmp_path)
    whole = (tmp_path / file).read_bytes()
    (tmp_path / file).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="unreadable"):
        Capture.load(tmp_path)


def test_a_missing_field_is_refused(tmp_path):
    make_capture().save(tmp_path)
    record = json.loads((tmp_path / "artifact.json").read_text())
    del record["value"]["name"]
    (tmp_path / "artifact.json").write_text(json.dumps(record))
    with pytest.raises(ValueError, match="name"):
        Capture.load(tmp_path)


def test_an_object_array_is_refused_on_save(tmp_path):
    bad = dataclasses.replace(make_capture(), size_px=np.array([object()]))
    with pytest.raises(ValueError, match=r"allow_pickle|Object arrays"):
        bad.save(tmp_path)


def test_a_plain_object_cannot_hide_in_an_artifact(tmp_path):
    contact = Contact(person=0, part="back", target="seat", gap_m=0.0, point=np.zeros(3))
    with pytest.raises(TypeError, match="cannot hold"):
        dataclasses.replace(make_capture(), name=object()).save(tmp_path)
    assert contact.part == "back"


def test_what_was_written_before_a_field_came_takes_its_default(tmp_path):
    sit_on_chair().save(tmp_path)
    record = json.loads((tmp_path / "artifact.json").read_text())
    del record["value"]["object_paths"], record["value"]["contacts"][0]["first"], record["value"]["contacts"][0]["last"]
    (tmp_path / "artifact.json").write_text(json.dumps(record))
    found = AlignedScene.load(tmp_path)
    assert found.object_paths == {} and (found.contacts[0].first, found.contacts[0].last) == (0, None)
