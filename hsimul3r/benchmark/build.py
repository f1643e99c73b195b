"""Build the benchmark: cases one after the other in every process, until enough of them pass the checks of their own truth.

A folder of cases can be stopped at any moment and continued: a finished case is not made again, and one that was refused is
not tried again, as long as what it follows from stays the same (`records.case_key`). The cases of a build are the first
`count` candidates that pass, whatever the number of processes.
"""

import json
import os
import tempfile
import traceback
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

import cv2

from hsimul3r.benchmark.cases import SHIPPED, all_cases, case_named
from hsimul3r.benchmark.crew import Crew
from hsimul3r.benchmark.make import make_case
from hsimul3r.benchmark.records import (
    REFUSED,
    STATUSES,
    CaseRecord,
    case_key,
    file_hashes,
    find_record,
    generator_hash,
    record_from,
    write_manifest,
)
from hsimul3r.benchmark.scene import CaseSpec
from hsimul3r.errors import Hsimul3rError, NoCases, NotReproduced, UnknownCase
from hsimul3r.files import mend_folders, owned_folder, writable
from hsimul3r.progress import Progress

OPTION = "--out"
ATTEMPTS = 2
"""How often a case is tried whose process dies."""


@dataclass(frozen=True, kw_only=True)
class BuildConfig:
    """What to build, and where."""

    out: Path = Path("data/hsibench/built")
    count: int = len(SHIPPED)
    """How many cases that pass are wanted."""
    views: int = 4
    """Photos of a pose."""
    has_motions: bool = False
    """Motions too, filmed, not only poses."""
    only: tuple[str, ...] = ()
    """Names of cases; no others are tried."""
    workers: int = 0
    """Processes; 0: one for each core that this process may use."""


@dataclass(kw_only=True)
class Ledger:
    """The candidates in the order in which they are taken, and what became of those that were tried."""

    wanted: int
    keys: Mapping[str, str]
    records: dict[str, CaseRecord] = field(default_factory=dict)
    troubles: dict[str, str] = field(default_factory=dict)
    """Cases that could not be finished for no fault of theirs; they are tried again next time."""
    deaths: Counter[str] = field(default_factory=Counter)

    @property
    def cases(self) -> tuple[CaseRecord, ...]:
        """The first candidates that passed, as many as are wanted."""
        built = [self.records[name] for name in self.keys if name in self.records and self.records[name].is_built]
        return tuple(built[: self.wanted])

    @property
    def refused(self) -> tuple[CaseRecord, ...]:
        """The candidates before the last of `cases` that did not pass."""
        names = list(self.keys)
        end = names.index(self.cases[-1].name) if len(self.cases) == self.wanted else len(names)
        records = (self.records.get(name) for name in names[:end])
        return tuple(record for record in records if record is not None and not record.is_built)

    @property
    def missing(self) -> int:
        return self.wanted - len(self.cases)

    def next(self, busy: Sequence[str]) -> str | None:
        """The next candidate worth trying beside those being made; None while these may be enough."""
        if len(busy) >= self.missing:
            return None
        done = {*self.records, *self.troubles, *busy}
        return next((name for name in self.keys if name not in done), None)

    def note(self, name: str, answer: str | None) -> str:
        """Take down an answer of `make_one` and say it in words. Raises `Hsimul3rError` where nothing can go on."""
        if answer is None:
            self.deaths[name] += 1
            if self.deaths[name] >= ATTEMPTS:
                self.troubles[name] = f"its process died {ATTEMPTS} times (out of memory?)"
            return f"{name}: its process died"
        found = json.loads(answer)
        if "stop" in found:
            raise Hsimul3rError(found["stop"])
        if "trouble" in found:
            self.troubles[name] = found["trouble"].strip().splitlines()[-1]
            return f"{name}: {found['trouble']}"
        record = self.records[name] = record_from(found["record"])
        detail = f"{sum(record.cpu_s.values()):.1f} CPU s" if record.is_built else record.reason
        return f"{name}: {record.status} ({detail})"

    def in_words(self) -> str:
        """Counts of everything tried so far."""
        count = Counter(record.status for record in self.records.values())
        return ", ".join([*(f"{count[status]} {status}" for status in STATUSES), f"{self.missing} left"])


def build(cfg: BuildConfig, progress: Progress) -> Ledger:
    """Make what is missing; writes every case as soon as it is whole, manifest and summary at the end or when stopped.

    Raises `FolderBusy`, `FolderUnusable`, `UnknownCase`.
    """
    generator = generator_hash()
    with owned_folder(cfg.out, option=OPTION), writable(cfg.out, option=OPTION):
        mend_folders(cfg.out)
        (cfg.out / REFUSED).mkdir(exist_ok=True)
        ledger = open_ledger(cfg, generator)
        try:
            _make_missing(ledger, partial(make_one, out=cfg.out, views=cfg.views, generator=generator), cfg, progress)
        finally:
            write_manifest(cfg.out, ledger.cases, ledger.refused, generator)
    return ledger


def open_ledger(cfg: BuildConfig, generator: str) -> Ledger:
    """The candidates of a build and the records that `cfg.out` holds of them. Raises `UnknownCase`."""
    specs = candidates(cfg)
    keys = {spec.name: case_key(spec, cfg.views, generator) for spec in specs}
    found = {name: find_record(cfg.out, name, key) for name, key in keys.items()}
    records = {name: record for name, record in found.items() if record is not None}
    return Ledger(wanted=min(cfg.count, len(keys)), keys=keys, records=records)


def candidates(cfg: BuildConfig) -> tuple[CaseSpec, ...]:
    """Cases in the order in which they are tried: the shipped ones, then all others. Raises `UnknownCase`."""
    specs = {spec.name: spec for spec in all_cases()}
    unknown = sorted(set(cfg.only) - set(specs))
    if unknown:
        raise UnknownCase(unknown[0], tuple(specs))
    if cfg.only:
        return tuple(specs[name] for name in cfg.only)
    ordered = (*(specs[name] for name in SHIPPED), *(spec for name, spec in specs.items() if name not in SHIPPED))
    return tuple(spec for spec in ordered if cfg.has_motions or spec.kind == "pose")


def verify(cfg: BuildConfig, count: int, progress: Progress) -> tuple[str, ...]:
    """Build `count` finished cases again and compare all their files bit by bit; returns their names.

    Raises `NotReproduced` that names the files which differ, and `NoCases`.
    """
    generator = generator_hash()
    with owned_folder(cfg.out, option=OPTION), tempfile.TemporaryDirectory(prefix=".verify-", dir=cfg.out) as scratch:
        cases = open_ledger(cfg, generator).cases
        if not cases:
            raise NoCases(f"In '{cfg.out}' nothing is built that this version of the code would build the same way.")
        chosen = {record.name: record for record in _spread(cases, count)}
        again = Ledger(wanted=len(chosen), keys={name: record.key for name, record in chosen.items()})
        (Path(scratch) / REFUSED).mkdir()
        _make_missing(again, partial(make_one, out=Path(scratch), views=cfg.views, generator=generator), cfg, progress)
        versions = {
            name: (record.files, file_hashes(cfg.out / name), again.records[name].files if name in again.records else {})
            for name, record in chosen.items()
        }
    different = [f"{name}/{path}" for name, found in versions.items() for path in _differences(*found)]
    if different:
        raise NotReproduced(different)
    return tuple(chosen)


def make_one(name: str, *, out: Path, views: int, generator: str) -> str:
    """Make a case in this process; the answer is JSON: its record, or what went wrong with it, or why nothing can go on."""
    cv2.setNumThreads(1)
    spec = case_named(name)
    try:
        with writable(out, option=OPTION):
            record = make_case(spec, views=views, key=case_key(spec, views, generator), out=out)
    except Hsimul3rError as error:
        return json.dumps({"stop": str(error)})
    except Exception:  # a defect that shows in one case must not end the others
        return json.dumps({"trouble": traceback.format_exc()})
    return json.dumps({"record": asdict(record)})


def _make_missing(ledger: Ledger, work: partial[str], cfg: BuildConfig, progress: Progress) -> None:
    size = min(cfg.workers or len(os.sched_getaffinity(0)), ledger.missing)
    with Crew(work, size) as crew, progress.bar(ledger.in_words(), ledger.wanted) as advance:
        advance(len(ledger.cases))
        while True:
            while crew.has_idle and (name := ledger.next(crew.tasks)) is not None:
                crew.give(name)
            if not crew.tasks:
                return
            for name, answer in crew.answers():
                before = len(ledger.cases)
                progress.say(f"  {ledger.note(name, answer)}")
                advance(len(ledger.cases) - before, ledger.in_words())


def _spread(cases: Sequence[CaseRecord], count: int) -> list[CaseRecord]:
    """`count` cases spread over all."""
    return [cases[i * len(cases) // count] for i in range(min(count, len(cases)))]


def _differences(*versions: Mapping[str, str]) -> list[str]:
    """Paths that are not in all versions with one hash."""
    paths = sorted(set().union(*versions))
    return [path for path in paths if len({version.get(path) for version in versions}) > 1]
