"""A run on disk: one folder per stage, made once, found again by the hash of what went into it.

A stage writes into `<folder>.tmp`, which is renamed when it is whole; the rename is the only commit point, so that a killed
run leaves either the old folder or the new one. `stage.json` inside holds the key of the inputs and the hash of the content.
"""

import hashlib
import json
import os
import resource
import time
import typing
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from hsimul3r import __version__
from hsimul3r.artifacts import SCHEMA_VERSION, Artifact
from hsimul3r.errors import DamagedArtifact, NoRun
from hsimul3r.files import fresh_folder, mend_folders, owned_folder, state_of, writable, write_whole
from hsimul3r.progress import Progress

Made = TypeVar("Made", bound=Artifact)

OPTION = "--runs"
"""How a user gives another place for runs."""


@dataclass(frozen=True, kw_only=True)
class StageRecord:
    """What `stage.json` says of a finished stage."""

    stage: str
    key: str
    content: str
    seconds: float
    """On the clock."""
    peak_rss_mb: float
    """Of the process during the stage; since its start where the system does not allow to count anew."""
    cpu_s: float = 0.0
    """Of all threads."""


class RunStore:
    """The run folder of one scene. Use as a context manager: it holds the folder's lock."""

    def __init__(self, folder: Path, progress: Progress | None = None):
        self.folder = folder
        self.progress = progress or Progress()
        self._lock = ExitStack()
        self._content: dict[int, tuple[Artifact, str]] = {}

    def __enter__(self) -> "RunStore":
        self._lock.enter_context(owned_folder(self.folder, option=OPTION))
        mend_folders(self.folder)
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.close()

    def stage(self, name: str, kind: type[Made], run: Callable[..., Made], *inputs: Any, cfg: Any) -> Made:
        """The artifact of `run(*inputs, cfg=cfg, out=..., progress=...)`: loaded where inputs and config match, else made.

        `name` is the stage's folder. Inputs that are artifacts count by their content, folders by their files, and what the
        config names (`files_named`) by its state; anything else must follow from these. The made artifact inherits its inputs'
        licences.
        """
        key = self._key(run, inputs, cfg)
        record = self._record(name)
        if record is not None and record.key == key:
            self.progress.say(f"[dim]{name:<18} done before ({record.seconds:.0f} s)[/dim]")
            return self.load(name, kind)
        self.progress.say(f"[bold]{name}[/bold]")
        start, cpu_start = time.perf_counter(), time.process_time()
        _forget_peak_rss()
        with writable(self.folder, option=OPTION), fresh_folder(self.folder / name) as out:
            made = run(*inputs, cfg=cfg, out=out, progress=self.progress)
            made = _inherit_licences(made, inputs)
            made.save(out)
            record = StageRecord(
                stage=run.__module__, key=key, content=content_hash(out),
                seconds=round(time.perf_counter() - start, 2), peak_rss_mb=_peak_rss_mb(),
                cpu_s=round(time.process_time() - cpu_start, 2),
            )  # fmt: skip
            _write_json(out / "stage.json", asdict(record))
        self._write_manifest()
        return self._remember(made, record.content)

    def load(self, name: str, kind: type[Made]) -> Made:
        """The artifact of a finished stage. Raises `NoRun` where there is none, `DamagedArtifact` where it is not whole."""
        folder = self.folder / name
        record = self._record(name)
        if record is None:
            raise NoRun(f"Run '{self.folder.name}' has no finished stage '{name}'.")
        try:
            if content_hash(folder) != record.content:
                raise ValueError("its files are not those that were written")
            return self._remember(kind.load(folder), record.content)
        except (ValueError, OSError) as error:
            raise DamagedArtifact(folder, str(error)) from error

    def borrow(self, other: Path, names: Iterable[str]) -> None:
        """Have the named finished stages of another run in this one, as links; what is here already stays.

        A borrowed stage counts like an own one: `stage` takes it where inputs and settings match, and makes its own else.
        """
        for name in names:
            place = self.folder / name
            if (other / name / "stage.json").is_file() and not place.exists():
                with writable(self.folder, option=OPTION):
                    place.unlink(missing_ok=True)
                    place.symlink_to(os.path.relpath(other / name, self.folder), target_is_directory=True)

    def file(self, name: str, write: Callable[[Path], Any], *inputs: Artifact | Any) -> Path:
        """A file of the run made by `write(path)`, made anew only where the inputs changed."""
        path, key_path = self.folder / name, self.folder / f".{name}.key"
        key = self._key(write, inputs, None)
        if not (path.is_file() and key_path.is_file() and key_path.read_text() == key):
            self.progress.say(f"[bold]{name}[/bold]")
            with writable(self.folder, option=OPTION):
                partial = path.with_name(f".partial-{name}")
                write(partial)
                partial.replace(path)
                key_path.write_text(key)
        return path

    def _key(self, run: Callable[..., Any], inputs: tuple[Any, ...], cfg: Any) -> str:
        parts: list[Any] = [__version__, SCHEMA_VERSION, f"{run.__module__}.{run.__qualname__}"]
        for value in inputs:
            if isinstance(value, Artifact):
                parts.append(self._content[id(value)][1])
            elif isinstance(value, Path):
                parts.append(folder_hash(value))
        parts.append(asdict(cfg) if cfg is not None else None)
        if is_dataclass(cfg) and (named := {str(path): state_of(path) for path in files_named(cfg)}):
            parts.append(named)
        return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()

    def _remember(self, artifact: Made, content: str) -> Made:
        self._content[id(artifact)] = (artifact, content)
        return artifact

    def _record(self, name: str) -> StageRecord | None:
        path = self.folder / name / "stage.json"
        if not (self.folder / name).is_dir():
            return None
        try:
            return StageRecord(**json.loads(path.read_text()))
        except (OSError, ValueError, TypeError) as error:
            raise DamagedArtifact(self.folder / name, f"stage.json cannot be read ({error})") from error

    def _write_manifest(self) -> None:
        """`manifest.json`: the finished stages in order, for people and for the report."""
        stages = {}
        for folder in sorted(path for path in self.folder.iterdir() if (path / "stage.json").is_file()):
            record = json.loads((folder / "stage.json").read_text())
            stages[record["stage"] + ":" + folder.name] = {"folder": folder.name, **record}
        with writable(self.folder, option=OPTION):
            _write_json(self.folder / "manifest.json", {"version": __version__, "run": self.folder.name, "stages": stages})


def _inherit_licences(made: Made, inputs: tuple[Any, ...]) -> Made:
    sources = [value for value in (made, *inputs) if isinstance(value, Artifact)]
    licences = tuple(sorted({licence for source in sources for licence in source.provenance.licences}))
    return replace(made, provenance=replace(made.provenance, licences=licences))


def _write_json(path: Path, value: Any) -> None:
    write_whole(path, json.dumps(value, indent=1))


def content_hash(folder: Path) -> str:
    digest = hashlib.sha256()
    for name in ("artifact.json", "arrays.npz"):
        digest.update((folder / name).read_bytes())
    return digest.hexdigest()


def folder_hash(folder: Path) -> str:
    """Hash of the names and bytes of the files directly in `folder` and of the masks that a capture may name."""
    digest = hashlib.sha256(str(folder.resolve()).encode())
    for path in sorted(path for pattern in ("*", "masks/*") for path in folder.glob(pattern) if path.is_file()):
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def files_named(cfg: Any) -> Iterator[Path]:
    """The files and folders that a config dataclass, or one within it, names: what is there by the text of a setting, and what
    its method `files`, where it has one, says. A setting `x` beside an `x_sha256` is known by that alone.
    """
    if hasattr(cfg, "files"):
        yield from cfg.files()
    hints, names = typing.get_type_hints(type(cfg)), {f.name for f in fields(cfg)}
    for name in sorted(names):
        value = getattr(cfg, name)
        if is_dataclass(value):
            yield from files_named(value)
        elif hints[name] is str and value and f"{name}_sha256" not in names and (path := Path(value).expanduser()).exists():
            yield path


def _forget_peak_rss() -> None:
    """Have Linux count the process's peak memory anew."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _peak_rss_mb() -> float:
    try:
        line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
        return round(int(line.split()[1]) / 1024, 1)
    except (OSError, StopIteration):
        return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


def last_run(runs: Path) -> Path:
    """The folder of the run made last. Raises `NoRun`."""
    try:
        name = (runs / "last").read_text().strip()
    except OSError as error:
        raise NoRun(f"No run was made in '{runs}' yet.") from error
    folder = runs / Path(name).name
    if not folder.is_dir():
        raise NoRun(f"The last run '{name}' is no longer in '{runs}'.")
    return folder


def remember_run(runs: Path, name: str) -> None:
    with writable(runs, option=OPTION):
        write_whole(runs / "last", name)
