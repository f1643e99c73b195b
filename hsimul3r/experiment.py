"""The pipeline over HSIBench, row by row: what the paper's tables are made of.

What the photos show (cameras, people, masks of objects) depends on no seed and is found once per case and number of views; rows
and seeds start from it. Within a case and seed a row takes over every stage whose settings an earlier row shares. Everything is
a run on disk (`RunStore`), and every attempt leaves its figures or its error in `outcome.json`: a killed experiment goes on
where it was.
"""

import hashlib
import json
import os
import traceback
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from hsimul3r import __version__
from hsimul3r.artifacts import SCHEMA_VERSION, HumanMotion, ObjectViews
from hsimul3r.config import PipelineConfig, with_seed
from hsimul3r.errors import FolderBusy, FolderUnusable, Hsimul3rError, WorkersDied
from hsimul3r.experiment_plan import CaseFolder, Costs, Experiment, Outcome, Row, find_cases, with_views
from hsimul3r.files import state_of, write_whole
from hsimul3r.pipeline import build_simulation, hold, observe, place_objects
from hsimul3r.processes import end_with, single_threaded
from hsimul3r.progress import Progress
from hsimul3r.report.table_plots import write_plots
from hsimul3r.report.tables import broken_bounds, summarise, write_tables
from hsimul3r.run_store import RunStore, files_named, folder_hash
from stages.evaluate import evaluate_run

OBSERVED = {
    "00_capture": "capture", "10_people": "people", "20_cameras": "cameras", "30_scene": "scene", "40_humans": "humans",
    "45_object_views": "object_views",
}  # fmt: skip
"""Stages of `observe`, and their settings."""
SEEDED = (("objects", "50_objects"), ("alignment", "60_aligned"), ("sim_scene", "70_sim"))
"""Settings and the stage that follows from them and all earlier ones."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """One case with so many views in the folder `out`; with a seed, all rows of it."""

    case: CaseFolder
    views: int
    out: Path
    seed: int = 0

    @property
    def name(self) -> str:
        return f"{self.case.name}-{self.views}"

    @property
    def observed(self) -> Path:
        return self.out / "observed" / self.name

    def run_folder(self, row: Row) -> Path:
        return self.out / "rows" / row.name / f"{self.name}-seed{self.seed}"


@dataclass(frozen=True, kw_only=True)
class Tables:
    """What `run_tables` wrote, and which expected bounds broke."""

    tables: Path
    plots: tuple[Path, ...]
    broken: tuple[str, ...]
    tested: int


def run_tables(
    experiment: Experiment, data: Path, *, split: str, names: Sequence[str], out: Path, workers: int, progress: Progress
) -> Tables:
    """The experiment on the cases of `data`: tables and plots in `out`, and its bounds tested. Raises `NoCases`."""
    cases = find_cases(data, experiment, split=split, names=names)
    outcomes, observed = run_experiment(
        experiment.rows, cases, views=experiment.views, seeds=experiment.seeds, out=out, workers=workers, progress=progress
    )
    summary = summarise(outcomes)
    broken, tested = broken_bounds(experiment.bounds, summary, len(cases))
    return Tables(
        tables=write_tables(outcomes, observed, experiment, out, data=data.name),
        plots=write_plots(summary, experiment, out),
        broken=tuple(broken),
        tested=tested,
    )


def run_experiment(
    rows: Sequence[Row], cases: Sequence[CaseFolder], *, views: Sequence[int], seeds: Sequence[int], out: Path, workers: int,
    progress: Progress,
) -> tuple[list[Outcome], dict[str, Costs]]:  # fmt: skip
    """All outcomes, and what it cost to observe each case. Rows that need what does not exist are left out.

    Raises `WorkersDied` where a process was killed, `BadCapture` where a case has no such set of views.
    """
    rows = tuple(_on_one_thread(row) for row in rows if not row.needs)
    tasks = [Task(case=with_views(case, count, out / "captures"), views=count, out=out) for count in views for case in cases]
    outcomes: list[Outcome] = []
    total = len(tasks) * (1 + len(seeds))
    with single_threaded(), progress.bar("cases observed and rows run", total) as advance:
        for task, found in _in_processes(tasks, rows, seeds, workers):
            outcomes += found
            _say(task, found, progress)
            advance(1)
    return sorted(outcomes, key=lambda o: (o.views, o.case, o.seed)), {task.name: costs_of(task.observed) for task in tasks}


def _on_one_thread(row: Row) -> Row:
    cfg = row.cfg
    return replace(
        row,
        cfg=replace(cfg, tracking=replace(cfg.tracking, threads=1), verdict=replace(cfg.verdict, threads=1)),
    )


def _in_processes(
    tasks: Sequence[Task], rows: Sequence[Row], seeds: Sequence[int], workers: int
) -> Iterator[tuple[Task, list[Outcome]]]:
    """Every task as it is done: first observed, which has no outcome, then once per seed."""
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=end_with, initargs=(os.getpid(),)) as pool:
        waiting: dict[Future[Any], Task] = {}
        try:
            for task in tasks:
                waiting[pool.submit(observe_case, task, rows[0].cfg)] = task
            while waiting:
                done, _ = wait(waiting, return_when=FIRST_COMPLETED)
                for future in done:
                    task, result = waiting.pop(future), future.result()
                    if isinstance(result, list):
                        yield task, result
                        continue
                    for seed in seeds:
                        seeded = replace(task, seed=seed)
                        waiting[pool.submit(run_rows, seeded, rows, result)] = seeded
                    yield task, []
        except BrokenProcessPool as error:
            raise WorkersDied from error
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def observe_case(task: Task, cfg: PipelineConfig) -> str:
    """Make the stages that no row changes; returns why that failed, "" where it did not."""
    key, note = attempt_key(task, [getattr(cfg, name) for name in OBSERVED.values()]), task.observed / "outcome.json"
    known = _read(note, key)
    if known is not None:
        return known["error"]
    error = ""
    try:
        with RunStore(task.observed) as store:
            (task.observed / "source").write_text(str(task.case.folder.resolve()))
            observe(task.case.folder, store, cfg)
    except (FolderBusy, FolderUnusable):
        raise
    except Exception as caught:
        error = _explained(caught, task.observed)
    write_whole(note, json.dumps({"key": key, "error": error}))
    return error


def run_rows(task: Task, rows: Sequence[Row], failed: str) -> list[Outcome]:
    """All rows of a case and a seed, one after the other; `failed` says why the case could not be observed."""
    return [_attempt(task, row, rows[:i], failed) for i, row in enumerate(rows)]


def _attempt(task: Task, row: Row, earlier: Sequence[Row], failed: str) -> Outcome:
    cfg, folder = with_seed(replace(row.cfg, seed=task.seed)), task.run_folder(row)
    outcome = Outcome(row=row.name, case=task.case.name, difficulty=task.case.difficulty, views=task.views, seed=task.seed)
    if failed:
        return replace(outcome, error=failed)
    key, note = attempt_key(task, [cfg]), folder / "outcome.json"
    known = _read(note, key)
    if known is not None:
        return Outcome(**known["outcome"])
    try:
        with RunStore(folder) as store:
            (folder / "source").write_text(str(task.case.folder.resolve()))
            store.borrow(task.observed, OBSERVED)
            for other in earlier:
                store.borrow(task.run_folder(other), shared_stages(other.cfg, row.cfg))
            _reconstruct_and_judge(store, cfg)
        outcome = replace(outcome, figures=evaluate_run(folder, task.case.truth), costs=costs_of(folder))
    except (FolderBusy, FolderUnusable):
        raise
    except Exception as caught:
        outcome = replace(outcome, error=_explained(caught, folder), costs=costs_of(folder))
    write_whole(note, json.dumps({"key": key, "outcome": asdict(outcome)}, indent=1))
    return outcome


def _reconstruct_and_judge(store: RunStore, cfg: PipelineConfig) -> None:
    """From what was observed to a verdict: the rest of the pipeline, with one controller."""
    motion, views = store.load("40_humans", HumanMotion), store.load("45_object_views", ObjectViews)
    aligned = place_objects(motion, views, store, cfg)
    hold(build_simulation(aligned, store, cfg), store, cfg)


def shared_stages(a: PipelineConfig, b: PipelineConfig) -> Iterator[str]:
    """Stages that two rows make alike."""
    for settings, stage in SEEDED:
        if getattr(a, settings) != getattr(b, settings):
            return
        yield stage


def attempt_key(task: Task, settings: Sequence[Any]) -> str:
    """What an attempt's result follows from: the case, settings and the files that these name."""
    named = {str(path): state_of(path) for cfg in settings for path in files_named(cfg)}
    parts = [__version__, SCHEMA_VERSION, folder_hash(task.case.folder), [asdict(cfg) for cfg in settings], named]
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def costs_of(folder: Path) -> Costs:
    """Cost of the stages that were made in a run's folder, not borrowed."""
    records = {path.parent.name: json.loads(path.read_text()) for path in sorted(folder.glob("*/stage.json"))}
    wanted = ("seconds", "cpu_s", "peak_rss_mb")
    return {name: {key: record[key] for key in wanted} for name, record in records.items() if not (folder / name).is_symlink()}


def _read(note: Path, key: str) -> Mapping[str, Any] | None:
    """What an earlier attempt left, where it was the same attempt."""
    try:
        known = json.loads(note.read_text())
    except (OSError, ValueError):
        return None
    return known if known.get("key") == key else None


def _explained(error: Exception, folder: Path) -> str:
    """The error for the tables, with the place where it arose for those that are no input's fault."""
    if isinstance(error, Hsimul3rError):
        return f"{type(error).__name__}: {error}"
    (folder / "error.txt").write_text("".join(traceback.format_exception(error)))
    return f"internal error, {type(error).__name__}: {error}"


def _say(task: Task, found: Sequence[Outcome], progress: Progress) -> None:
    for outcome in found:
        if outcome.error:
            progress.say(f"{outcome.row}, {task.name}, seed {outcome.seed}: {outcome.error}")
