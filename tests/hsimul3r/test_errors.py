"""Errors reach the parent of a worker process as they were; `copy` takes them apart as pickling does."""

import inspect
from copy import copy

import pytest

from hsimul3r import errors

KINDS = [
    kind for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, errors.Hsimul3rError) and kind is not errors.Hsimul3rError
]  # fmt: skip


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_an_error_survives_the_way_between_processes(kind):
    error = kind.__new__(kind)
    error.args, error.reason = ("what to do",), "why"
    back = copy(error)
    assert (type(back), str(back), back.reason) == (kind, "what to do", "why")


def test_a_busy_folder_is_named_after_the_way(tmp_path):
    busy = errors.FolderBusy(tmp_path, "--out")
    assert str(copy(busy)) == str(busy)
    assert str(tmp_path) in str(busy)
