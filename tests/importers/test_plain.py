"""Files of other programs are read as plain data, and what would run code is refused before it runs."""

import io
import os
import pickle
from collections import OrderedDict, defaultdict
from pathlib import Path

import numpy as np
import pytest
import torch

from hsimul3r.errors import BadForeignFile, UnsafeFile
from hsimul3r.importers.plain import read_plain

HERE = Path(__file__).parent


def written(folder: Path, value, protocol: int) -> Path:
    path = folder / f"file{protocol}.pkl"
    path.write_bytes(pickle.dumps(value, protocol=protocol))
    return path


def content():
    counted = defaultdict(list, a=[1, 2.5, "text", b"bytes", b"", None, True])
    arrays = {
        "c": np.arange(6.0).reshape(2, 3),
        "f": np.asfortranarray(np.arange(6).reshape(2, 3)),
        "s": np.float32(3),
        "e": np.zeros((0, 3)),
    }
    return OrderedDict(counted=counted, arrays=arrays, set={1, 2}, tuple=(1, (2, 3)), text=np.array(["ab", "c"]))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_data_of_every_protocol_comes_back_as_it_was(tmp_path, protocol):
    found = read_plain(written(tmp_path, content(), protocol))
    expected = content()
    assert list(found) == list(expected) and found["counted"] == expected["counted"]
    assert found["set"] == {1, 2} and found["tuple"] == (1, (2, 3)) and found["text"].tolist() == ["ab", "c"]
    for name, array in expected["arrays"].items():
        assert found["arrays"][name].dtype == array.dtype
        np.testing.assert_array_equal(found["arrays"][name], array)


@pytest.mark.parametrize("name", ["wham_output.pkl", "wham_compressed.pkl"])
def test_joblib_s_arrays_between_the_opcodes_are_read(name):
    found = read_plain(HERE / name)[7]
    np.testing.assert_array_equal(found["trans_world"], np.array([[0, 1, 0], [0, 1, 0.5]], np.float32))
    np.testing.assert_array_equal(found["verts"], np.arange(6.0).reshape(2, 3))
    assert found["frame_ids"].tolist() == [3, 4] and found["pose"].shape == (2, 72)


def test_tensors_come_back_as_arrays(tmp_path):
    tensors = {"a": torch.arange(6.0).reshape(2, 3).T, "list": [torch.ones(2, dtype=torch.int64)]}
    torch.save(tensors, tmp_path / "file.pt")
    np.save(tmp_path / "file.npy", tensors, allow_pickle=True)
    for name in ("file.pt", "file.npy"):
        found = read_plain(tmp_path / name)
        np.testing.assert_array_equal(found["a"], tensors["a"].numpy())
        assert found["list"][0].tolist() == [1, 1] and isinstance(found["a"], np.ndarray)


def test_numpy_s_arrays_and_numbers_among_tensors_are_read_too(tmp_path):
    mixed = {"t": torch.ones(2), "a": np.arange(6, dtype=np.float32).reshape(2, 3), "n": np.float64(2.5), "s": np.array(["ab"])}
    torch.save(mixed, tmp_path / "file.pt")
    found = read_plain(tmp_path / "file.pt")
    np.testing.assert_array_equal(found["a"], mixed["a"])
    assert found["n"] == 2.5 and found["s"].tolist() == ["ab"] and found["t"].tolist() == [1, 1]
    torch.save({"a": np.arange(2), "h": Hostile(tmp_path / "ran")}, tmp_path / "hostile.pt")
    with pytest.raises(UnsafeFile):
        read_plain(tmp_path / "hostile.pt")
    assert not (tmp_path / "ran").exists()


def test_an_array_file_is_read_as_the_array(tmp_path):
    np.save(tmp_path / "file.npy", np.eye(3))
    np.testing.assert_array_equal(read_plain(tmp_path / "file.npy"), np.eye(3))


class Hostile:
    def __init__(self, marker: Path):
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"touch {self.marker}",)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_that_calls_something_is_refused_by_name_and_not_run(tmp_path, protocol):
    marker = tmp_path / "ran"
    path = written(tmp_path, {"smpl_params_global": Hostile(marker)}, protocol)
    with pytest.raises(UnsafeFile, match="system"):
        read_plain(path)
    assert not marker.exists()


def test_a_hostile_object_inside_an_array_file_is_refused(tmp_path):
    marker = tmp_path / "ran"
    np.save(tmp_path / "file.npy", np.array(Hostile(marker), dtype=object), allow_pickle=True)
    torch.save({"a": Hostile(marker)}, tmp_path / "file.pt")
    for name in ("file.npy", "file.pt"):
        with pytest.raises(UnsafeFile):
            read_plain(tmp_path / name)
    assert not marker.exists()


def test_classes_that_plain_data_does_not_need_are_refused(tmp_path):
    for value in (Path("a"), io.BytesIO(b"a"), range, getattr):
        with pytest.raises(UnsafeFile):
            read_plain(written(tmp_path, [value], 4))


@pytest.mark.parametrize("name", ["wham_output.pkl", "wham_compressed.pkl"])
def test_a_file_that_is_cut_short_is_an_error_that_names_it(tmp_path, name):
    whole = (HERE / name).read_bytes()
    for share in (0.0, 0.3, 0.6, 0.95):
        path = tmp_path / "cut.pkl"
        path.write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(BadForeignFile, match=r"cut\.pkl"):
            read_plain(path)


def test_a_file_that_is_not_there_or_no_pickle_is_an_error(tmp_path):
    (tmp_path / "text.pkl").write_text("no pickle at all")
    for name in ("missing.pkl", "text.pkl"):
        with pytest.raises(BadForeignFile):
            read_plain(tmp_path / name)
