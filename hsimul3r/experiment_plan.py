"""What an experiment on HSIBench consists of: rows (settings of the pipeline), cases (folders with truth), bounds to keep."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from hsimul3r.benchmark.camera.rig import VIEW_SETS
from hsimul3r.config import PipelineConfig, override
from hsimul3r.errors import BadCapture, BadConfig, NoCases
from hsimul3r.files import whole_folders, write_whole
from hsimul3r.images import SUFFIXES

DIFFICULTIES = ("easy", "medium", "hard")
MAY_DIFFER = {"objects", "alignment", "sim_scene", "tracking", "verdict"}
"""Settings of the stages that come after what the photos show."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the tables: a variant of the pipeline."""

    name: str
    """Folder of its runs."""
    label: str
    tables: Mapping[int, str]
    """Numbers of the paper's tables in which it appears, and the name there of the row to print beside it."""
    cfg: PipelineConfig
    needs: str
    """What it needs and is not there; such a row is named in the tables and not run."""


@dataclass(frozen=True, kw_only=True)
class Bound:
    """What a figure's mean over seeds must keep to. It is tested where the row was run on so many cases and views."""

    row: str
    figure: str
    cases: int
    views: int
    least: float | None
    most: float | None


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """The content of configs/hsibench.yaml."""

    rows: tuple[Row, ...]
    seeds: tuple[int, ...]
    views: tuple[int, ...]
    bounds: tuple[Bound, ...]
    difficulty: Mapping[str, str]
    """Of cases that do not say it themselves."""


@dataclass(frozen=True, kw_only=True)
class CaseFolder:
    """A case on disk: photos directly in its folder, the truth in `truth/`."""

    name: str
    folder: Path
    difficulty: str

    @property
    def photos(self) -> tuple[Path, ...]:
        """In the order of the truth's views."""
        return tuple(sorted(path for path in self.folder.iterdir() if path.suffix.lower() in SUFFIXES))

    @property
    def truth(self) -> Path:
        return self.folder / "truth"


Figures = dict[str, float | str]
Costs = dict[str, dict[str, float]]
"""By stage's folder: seconds on the clock, CPU seconds, peak memory [MB]."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of one row on one case with one seed."""

    row: str
    case: str
    difficulty: str
    views: int
    seed: int
    figures: Figures = field(default_factory=dict)
    """Of `stages.evaluate`; empty where it failed."""
    error: str = ""
    """Why there is no verdict."""
    costs: Costs = field(default_factory=dict)
    """Of the stages that were made for it, not taken over."""


def load_experiment(path: Path, base: PipelineConfig) -> Experiment:
    """Read an experiment: its `base` entries override `base`, and every row overrides that. Raises `BadConfig`."""
    try:
        table = yaml.safe_load(path.read_text())
        base = override(base, table.pop("base", {}), path, "base.")
        rows = tuple(_row(entry, base, path) for entry in table.pop("rows"))
        bounds = tuple(Bound(**{"least": None, "most": None} | entry) for entry in table.pop("expected", []))
        experiment = Experiment(
            rows=rows,
            bounds=bounds,
            seeds=tuple(table.pop("seeds")),
            views=tuple(table.pop("views")),
            difficulty=table.pop("difficulty", {}),
        )
    except (OSError, yaml.YAMLError, AttributeError, KeyError, TypeError) as error:
        raise BadConfig(path, f"is no experiment ({type(error).__name__}: {error})") from error
    unknown = [*table, *(b.row for b in bounds if b.row not in {row.name for row in rows})]
    if unknown:
        raise BadConfig(path, f"unknown entries {unknown}")
    return experiment


def _row(entry: dict[str, Any], base: PipelineConfig, path: Path) -> Row:
    entry = dict(entry)
    name = entry.pop("name")
    overrides = entry.pop("overrides", {})
    row = Row(
        name=name,
        label=entry.pop("label", name),
        tables=entry.pop("tables"),
        needs=_missing(entry.pop("needs", {})),
        cfg=override(base, overrides, path, f"rows.{name}.overrides."),
    )
    if entry:
        raise BadConfig(path, f"row '{name}' has unknown entries {list(entry)}")
    if set(overrides) - MAY_DIFFER:
        raise BadConfig(path, f"row '{name}' may only override {', '.join(sorted(MAY_DIFFER))}; the rest is shared by all rows")
    return row


def _missing(files: Mapping[str, str]) -> str:
    """What makes the first of these files that is not there."""
    return next((f"{name}: {made_by}" for name, made_by in files.items() if not Path(name).exists()), "")


def selected(
    experiment: Experiment, *, rows: Sequence[str] = (), views: Sequence[int] = (), seeds: Sequence[int] = ()
) -> Experiment:
    """The experiment with some of its rows, other views, other seeds; empty means as it was. Raises `BadConfig`."""
    known = [row.name for row in experiment.rows]
    if set(rows) - set(known):
        raise BadConfig("rows", f"{sorted(set(rows) - set(known))} are unknown; known: {', '.join(known)}")
    return replace(
        experiment,
        rows=tuple(row for row in experiment.rows if not rows or row.name in rows),
        views=tuple(views) or experiment.views,
        seeds=tuple(seeds) or experiment.seeds,
    )


def find_cases(data: Path, experiment: Experiment, *, split: str = "all", names: Sequence[str] = ()) -> tuple[CaseFolder, ...]:
    """Cases with photos in `data`, in the order of their names; of one split or "all", or those named. Raises `NoCases`."""
    folders = [path for path in whole_folders(data) if (path / "truth").is_dir()]
    cases = [CaseFolder(name=path.name, folder=path, difficulty=_difficulty(path, experiment)) for path in folders]
    cases = [case for case in cases if case.photos]
    unknown = sorted(set(names) - {case.name for case in cases})
    if unknown:
        raise NoCases(f"'{data}' has no case named {', '.join(unknown)}.")
    chosen = [case for case in cases if split in ("all", case.difficulty) and (not names or case.name in names)]
    if not chosen:
        raise NoCases(f"'{data}' has no case with photos and truth in the split '{split}'.")
    return tuple(chosen)


def _difficulty(folder: Path, experiment: Experiment) -> str:
    """As the benchmark's own record says, else as the experiment says. Raises `NoCases` where neither does."""
    said = _record(folder).get("split", experiment.difficulty.get(folder.name))
    if said not in DIFFICULTIES:
        raise NoCases(f"Case '{folder.name}' is {said!r}, none of {', '.join(DIFFICULTIES)}.")
    return said


def _record(folder: Path) -> Mapping[str, Any]:
    """What was written down when the case was built; samples have none."""
    path = folder / "truth" / "case.json"
    return json.loads(path.read_text()) if path.is_file() else {}


def with_views(case: CaseFolder, views: int, place: Path) -> CaseFolder:
    """The case as if only so many photos had been taken: a folder of links below `place`; the case itself where it has
    exactly so many. Raises `BadCapture` where it has no such set of views."""
    count = len(case.photos)
    if count == views:
        return case
    ring = [*_record(case.folder).get("ring", ())] or [*range(count)]
    if count != len(ring) or views not in VIEW_SETS or not set(VIEW_SETS[views]) <= set(ring):
        known = [str(n) for n, places in VIEW_SETS.items() if set(places) <= set(ring) and len(ring) == count and n < count]
        advice = f"Ask for {' or '.join([*known, str(count)])}, or build the benchmark with more views."
        raise BadCapture(case.folder, f"{views} views are not to be had of its {count} photos", advice)
    folder, chosen = place / f"{case.name}-{views}", [ring.index(at) for at in VIEW_SETS[views]]
    (folder / "truth").mkdir(parents=True, exist_ok=True)
    for index in chosen:
        _link(case.photos[index], folder / case.photos[index].name)
    for path in case.truth.iterdir():
        if path.name not in ("cameras.json", "labels", "depth"):
            _link(path, folder / "truth" / path.name)
    for kind in ("labels", "depth"):
        (folder / "truth" / kind).mkdir(exist_ok=True)
        for new, old in enumerate(chosen):
            _link(case.truth / kind / f"{old:05d}.png", folder / "truth" / kind / f"{new:05d}.png")
    cameras = json.loads((case.truth / "cameras.json").read_text())
    cameras["views"] = [cameras["views"][index] for index in chosen]
    write_whole(folder / "truth" / "cameras.json", json.dumps(cameras))
    return CaseFolder(name=case.name, folder=folder, difficulty=case.difficulty)


def _link(source: Path, place: Path) -> None:
    if source.exists() and not place.is_symlink():
        place.symlink_to(source.resolve())
