"""A foreign program is run with its own environment, ends in time, and what it leaves is checked."""

import shlex
import sys
import time
from pathlib import Path

import pytest

from hsimul3r.errors import BadForeignFile, ExternalFailed
from hsimul3r.importers.external import ExternalTool, run_external

RESULT = Path(__file__).parent / "wham_output.pkl"


def tool(code: str, **settings) -> ExternalTool:
    """A program of one line of Python, given input and output."""
    return ExternalTool(command=f"{sys.executable} -c {shlex.quote(code)} {{input}} {{output}}", **settings)


COPIES = "import shutil, sys; print('copying'); shutil.copy(sys.argv[1], sys.argv[2] + '/deep.pkl')"


def test_what_the_program_leaves_is_read_and_its_log_kept(tmp_path):
    result = run_external(tool(COPIES, result="*.pkl"), RESULT, tmp_path / "out")
    assert result.clip.tool == "wham" and result.file == tmp_path / "out" / "deep.pkl"
    assert result.file.is_file() and (tmp_path / "out" / "log.txt").read_text() == "copying\n"


def test_a_program_that_fails_is_an_error_with_the_end_of_its_log_and_nothing_old_is_lost(tmp_path):
    run_external(tool(COPIES, result="*.pkl"), RESULT, tmp_path / "out")
    with pytest.raises(ExternalFailed, match=r"code 3.*(?s:.*)no GPU"):
        run_external(tool("print('no GPU'); raise SystemExit(3)", result="*.pkl"), RESULT, tmp_path / "out")
    assert (tmp_path / "out" / "deep.pkl").exists() and [p.name for p in tmp_path.iterdir()] == ["out"]


def test_a_program_that_hangs_is_ended_with_all_its_children(tmp_path):
    code = (
        "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', "
        "'import time, pathlib; time.sleep(3); pathlib.Path(r\"%s\").touch()']); time.sleep(60)" % (tmp_path / "alive")
    )
    start = time.monotonic()
    with pytest.raises(ExternalFailed, match="did not end within"):
        run_external(tool(code, result="*", timeout_s=1.0), RESULT, tmp_path / "out")
    assert time.monotonic() - start < 30
    time.sleep(3.5)
    assert not (tmp_path / "alive").exists()


def test_what_is_missing_or_wrong_is_named(tmp_path):
    with pytest.raises(ExternalFailed, match="could not be started"):
        run_external(ExternalTool(command="no-such-program {input}", result="*"), RESULT, tmp_path / "out")
    for command, said in (("a 'b", "not quoted"), ("", "names no program")):
        with pytest.raises(ExternalFailed, match=said):
            run_external(ExternalTool(command=command, result="*"), RESULT, tmp_path / "out")
    with pytest.raises(BadForeignFile, match="no such file"):
        run_external(tool("pass", result="*"), tmp_path / "gone.mp4", tmp_path / "out")
    with pytest.raises(ExternalFailed, match="left no files"):
        run_external(tool("pass", result="*.pkl"), RESULT, tmp_path / "out")
    writes = "import sys; open(sys.argv[2] + '/a.pkl', 'w').write('text')"
    with pytest.raises(BadForeignFile):
        run_external(tool(writes, result="*.pkl"), RESULT, tmp_path / "out")


def test_the_program_does_not_inherit_this_one_s_python(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    code = "import os, shutil, sys; assert 'PYTHONPATH' not in os.environ; shutil.copy(sys.argv[1], sys.argv[2] + '/a.pkl')"
    assert run_external(tool(code, result="a.pkl"), RESULT, tmp_path / "out").clip.tool == "wham"
