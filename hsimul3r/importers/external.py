"""Another program run in its own environment: any command line that turns a video or photos into a file that is read here."""

import os
import shlex
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hsimul3r.errors import BadForeignFile, ExternalFailed
from hsimul3r.files import fresh_folder
from hsimul3r.importers.clip import ImportedClip
from hsimul3r.importers.tools import read_clip

OURS: Final = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "OPENBLAS_NUM_THREADS")
"""Variables of this program's environment that would lead the other's Python astray."""


@dataclass(frozen=True, kw_only=True)
class ExternalTool:
    """How to run a program. `{input}` and `{output}` in `command` stand for what it reads and the folder it writes into."""

    command: str
    """As in a shell, but without one: no pipes, no variables; for example
    "conda run -n gvhmr python tools/demo/demo.py --video={input} --output_root={output} -s"."""
    result: str
    """The file or folder that it leaves, within {output}; may be a pattern ("**/hmr4d_results.pt")."""
    kind: str | None = None
    """What the file is (a key of `importers.tools.TOOLS`), found by its content unless given."""
    folder: Path | None = None
    """Where to run it."""
    timeout_s: float = 3600.0


@dataclass(frozen=True, kw_only=True)
class ExternalResult:
    """What a program left: the file in its folder, and what is in it."""

    file: Path
    clip: ImportedClip


def run_external(tool: ExternalTool, source: Path, out: Path) -> ExternalResult:
    """Run the program on `source` and read what it left; its output and log.txt are kept in `out`.

    Raises `ExternalFailed`, which holds the log's end, and what `read_clip` raises. What was in `out` before stays unless the
    program succeeds.
    """
    if not source.exists():
        raise BadForeignFile(source, "there is no such file")
    with fresh_folder(out) as fresh:
        log = fresh / "log.txt"
        words = _words(tool.command, source, fresh)
        _run(words, tool, log)
        found = sorted(fresh.glob(tool.result))
        if len(found) != 1:
            raise ExternalFailed(words[0], f"left {len(found) or 'no'} files '{tool.result}'", _end_of(log))
        clip = read_clip(found[0], tool.kind)
    return ExternalResult(file=out / found[0].relative_to(fresh), clip=clip)


def _words(command: str, source: Path, out: Path) -> list[str]:
    """The program and its arguments. Raises `ExternalFailed`."""
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise ExternalFailed(command, f"is not quoted as in a shell ({error})", "") from error
    if not words:
        raise ExternalFailed(command, "names no program", "")
    places = {"{input}": source.resolve(), "{output}": out.resolve()}
    for name, path in places.items():
        words = [word.replace(name, str(path)) for word in words]
    return words


def _run(words: list[str], tool: ExternalTool, log: Path) -> None:
    """In a process group of its own, so that whatever it starts ends with it."""
    environment = {name: value for name, value in os.environ.items() if name not in OURS}
    try:
        with log.open("wb") as file:
            process = subprocess.Popen(
                words, cwd=tool.folder, env=environment, stdin=subprocess.DEVNULL, stdout=file, stderr=file,
                start_new_session=True,
            )  # fmt: skip
            code = process.wait(tool.timeout_s)
    except OSError as error:
        raise ExternalFailed(words[0], f"could not be started ({error.strerror})", "") from error
    except BaseException as error:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if isinstance(error, subprocess.TimeoutExpired):
            raise ExternalFailed(words[0], f"did not end within {tool.timeout_s:g} s", _end_of(log)) from error
        raise
    if code != 0:
        raise ExternalFailed(words[0], f"ended with code {code}", _end_of(log))


def _end_of(log: Path) -> str:
    return log.read_text(errors="replace")[-400:].strip() if log.exists() else ""
