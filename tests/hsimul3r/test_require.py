import pytest

from hsimul3r.errors import MissingPackage
from hsimul3r.require import require


def test_a_package_that_is_there_is_imported():
    assert require("json", "tests").dumps([1]) == "[1]"


def test_a_missing_package_is_named_with_its_purpose():
    with pytest.raises(MissingPackage, match=r"'no_such_package', needed for tests.*make setup"):
        require("no_such_package", "tests")


def test_a_package_that_misses_another_is_not_blamed(tmp_path, monkeypatch):
    (tmp_path / "half_there.py").write_text("import no_such_dependency")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="no_such_dependency"):
        require("half_there", "tests")
