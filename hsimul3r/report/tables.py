"""The paper's Tables 1 to 3 from an experiment's outcomes: means, spread over seeds, counts, the paper's figures beside."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hsimul3r.experiment_plan import DIFFICULTIES, Bound, Costs, Experiment, Outcome, Row
from hsimul3r.files import write_whole

PAPER = json.loads((Path(__file__).parent / "paper_tables.json").read_text())


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One column: how to read it off an outcome, None where the outcome does not have it."""

    name: str
    label: str
    read: Callable[[Outcome], float | None]


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A mean over seeds of means over cases."""

    mean: float
    low: float
    """Lowest and highest mean of one seed."""
    high: float
    count: int
    """Attempts that have the figure."""
    total: int
    """Attempts that were made."""


Summary = dict[tuple[str, int], dict[str, Cell]]
"""By row and number of views, then by measure; a measure that no attempt has is left out."""


def stable(outcome: Outcome) -> float:
    """Stability-HSI in percent; an attempt without a verdict counts as unstable."""
    return 100.0 * (_verdict(outcome, "stable") == "yes")


def _stable_in(split: str) -> Callable[[Outcome], float | None]:
    return lambda outcome: stable(outcome) if outcome.difficulty == split else None


def _stands(outcome: Outcome) -> float:
    return 100.0 * (_verdict(outcome, "stands_under_gravity") == "yes")


def _verdict(outcome: Outcome, what: str) -> Any:
    names = [name for name in outcome.figures if name.startswith("verdict/") and name.endswith(f"_{what}")]
    return outcome.figures[names[0]] if names else None


def _figure(pattern: str) -> Callable[[Outcome], float | None]:
    """The figure whose name has this beginning and end, as 'body/simulated_*_w_mpjpe_mm'."""
    start, end = pattern.split("*") if "*" in pattern else (pattern, "")

    def read(outcome: Outcome) -> float | None:
        found = [value for name, value in outcome.figures.items() if name.startswith(start) and name.endswith(end)]
        numbers = [float(value) for value in found if not isinstance(value, str) and np.isfinite(value)]
        return numbers[0] if numbers else None

    return read


STABILITY = tuple(
    Measure(name=f"stable_{split}", label=f"Stability-HSI {split} [%]", read=_stable_in(split)) for split in DIFFICULTIES
)
MOTION = (
    Measure(name="sp3d_percent", label="SP-3D [%]", read=_figure("contact/sp3d_percent_after")),
    Measure(name="w_mpjpe", label="W-MPJPE [mm]", read=_figure("body/simulated_*_w_mpjpe_mm")),
    Measure(name="pa_mpjpe", label="PA-MPJPE [mm]", read=_figure("body/simulated_*_pa_mpjpe_mm")),
)
SHAPE = (
    Measure(name="stands", label="Stability-Gravity [%]", read=_stands),
    Measure(name="midi_chamfer", label="CD (MIDI)", read=_figure("object/midi_chamfer")),
    Measure(name="midi_f", label="F (MIDI) [%]", read=_figure("object/midi_f_percent")),
    Measure(name="dso_chamfer", label="CD (DSO)", read=_figure("object/dso_chamfer")),
    Measure(name="dso_f", label="F (DSO) [%]", read=_figure("object/dso_f_percent")),
    Measure(name="chamfer_cm", label="CD [cm]", read=_figure("object/chamfer_cm")),
)
WITHOUT_VERDICT = Measure(name="failed", label="no verdict [%]", read=lambda outcome: 100.0 * bool(outcome.error))
ALL = Measure(name="stable", label="Stability-HSI all [%]", read=stable)
COLUMNS = {1: (*STABILITY, *MOTION, WITHOUT_VERDICT), 2: (*STABILITY, *SHAPE), 3: (*STABILITY, *MOTION, WITHOUT_VERDICT)}
MEASURES = tuple({m.name: m for m in (*STABILITY, ALL, *MOTION, *SHAPE, WITHOUT_VERDICT)}.values())
TITLES = {
    1: "Reconstruction and simulation",
    2: "Objects that the generator makes",
    3: "Number of input views",
}


def summarise(outcomes: Sequence[Outcome]) -> Summary:
    """All measures of all rows."""
    groups: dict[tuple[str, int], list[Outcome]] = {}
    for outcome in outcomes:
        groups.setdefault((outcome.row, outcome.views), []).append(outcome)
    return {
        key: {measure.name: made for measure in MEASURES if (made := cell(group, measure)) is not None}
        for key, group in groups.items()
    }


def cell(outcomes: Sequence[Outcome], measure: Measure) -> Cell | None:
    """A measure over cases and seeds; None where no outcome has it."""
    by_seed: dict[int, list[float]] = {}
    for outcome in outcomes:
        value = measure.read(outcome)
        if value is not None:
            by_seed.setdefault(outcome.seed, []).append(value)
    if not by_seed:
        return None
    means = [float(np.mean(values)) for values in by_seed.values()]
    count = sum(len(values) for values in by_seed.values())
    total = len(outcomes) if measure not in STABILITY else count
    return Cell(mean=float(np.mean(means)), low=min(means), high=max(means), count=count, total=total)


def broken_bounds(bounds: Iterable[Bound], summary: Summary, cases: int) -> tuple[list[str], int]:
    """What does not keep to its bound, and how many bounds were tested: those made for as many cases as were run."""
    broken, tested = [], 0
    for bound in bounds:
        if bound.cases != cases or (bound.row, bound.views) not in summary:
            continue
        tested += 1
        found = summary[bound.row, bound.views].get(bound.figure)
        where = f"{bound.figure} of row {bound.row} at {bound.views} views"
        if found is None:
            broken.append(f"{where} was not measured")
        elif bound.least is not None and found.mean < bound.least:
            broken.append(f"{where} is {found.mean:.4g}, expected at least {bound.least:g}")
        elif bound.most is not None and found.mean > bound.most:
            broken.append(f"{where} is {found.mean:.4g}, expected at most {bound.most:g}")
    return broken, tested


def write_tables(
    outcomes: Sequence[Outcome], observed: Mapping[str, Costs], experiment: Experiment, folder: Path, *, data: str
) -> Path:
    """`tables.md` and `tables.json` in `folder`; returns the former."""
    summary = summarise(outcomes)
    folder.mkdir(parents=True, exist_ok=True)
    record = {
        "data": data,
        "paper": PAPER,
        "rows": [
            {"row": row, "views": views, "cells": {name: asdict(cell) for name, cell in cells.items()}}
            for (row, views), cells in summary.items()
        ],
        "not_run": {row.name: row.needs for row in experiment.rows if row.needs},
        "observed": observed,
        "outcomes": [asdict(outcome) for outcome in outcomes],
    }
    write_whole(folder / "tables.json", json.dumps(record, indent=1))
    write_whole(folder / "tables.md", as_markdown(outcomes, observed, experiment, data=data))
    return folder / "tables.md"


def as_markdown(outcomes: Sequence[Outcome], observed: Mapping[str, Costs], experiment: Experiment, *, data: str) -> str:
    """All tables, what they mean, and what failed."""
    summary = summarise(outcomes)
    most = min({views for _, views in summary}, default=0)
    parts = [f"# HSIBench: {data}", _counts(outcomes)]
    for number in (1, 2):
        rows = [(row, most, row.tables[number]) for row in experiment.rows if number in row.tables]
        parts += [f"## Table {number}: {TITLES[number]} ({most} views)", _table(number, rows, summary, outcomes)]
    views = sorted({views for _, views in summary}, reverse=True)
    rows = [(row, count, f"{count}-view") for count in views for row in experiment.rows if 3 in row.tables]
    parts += [f"## Table 3: {TITLES[3]}", _table(3, rows, summary, outcomes)]
    parts += ["## What decided", _decisions(outcomes, experiment.rows), *_failures(outcomes)]
    parts += ["## Cost", _costs(outcomes, observed), _notes()]
    return "\n\n".join(parts) + "\n"


def _counts(outcomes: Sequence[Outcome]) -> str:
    cases = {outcome.case: outcome.difficulty for outcome in outcomes}
    splits = Counter(cases.values())
    seeds = sorted({outcome.seed for outcome in outcomes})
    return (
        f"{len(cases)} cases ({', '.join(f'{splits[split]} {split}' for split in DIFFICULTIES)}), "
        f"{len(seeds)} seeds ({', '.join(map(str, seeds))}). Cells are the mean over seeds of the mean over cases, in brackets "
        "the lowest and the highest mean of one seed, and how many of the attempts have the figure where not all do. "
        "Lines in italics are the paper's."
    )


def _table(number: int, rows: Sequence[tuple[Row, int, str]], summary: Summary, outcomes: Sequence[Outcome]) -> str:
    columns, paper = COLUMNS[number], PAPER["tables"][str(number)]
    cases = {outcome.case: outcome.difficulty for outcome in outcomes}
    size = {f"stable_{split}": list(cases.values()).count(split) for split in DIFFICULTIES}
    heads = [f"{c.label}, n = {size[c.name]}" if c.name in size else c.label for c in columns]
    lines = ["| | " + " | ".join(heads) + " |", "|---" * (len(columns) + 1) + "|"]
    left = dict(paper)
    for row, views, name in rows:
        label = f"{row.label}, {views} views" if number == 3 else row.label
        if row.needs:
            lines.append(f"| {label} | not run: needs {row.needs} |" + " |" * (len(columns) - 1))
        elif (row.name, views) in summary:
            lines.append(_line(label, [shown(summary[row.name, views].get(column.name)) for column in columns]))
        if name in left:
            lines.append(_paper_line(name, left.pop(name), columns))
    lines += [_paper_line(name, figures, columns) for name, figures in left.items()]
    return "\n".join(lines)


def _paper_line(name: str, figures: Mapping[str, float], columns: Sequence[Measure]) -> str:
    cells = (f"*{figures[column.name]:g}*" if column.name in figures else "" for column in columns)
    return _line(f"*paper: {name}*", cells)


def _line(label: str, cells: Iterable[str]) -> str:
    return "| " + " | ".join([label, *cells]) + " |"


def shown(found: Cell | None) -> str:
    """A cell in words."""
    if found is None:
        return "-"
    digits = 3 if found.mean < 1 and found.high < 1 and found.mean > 0 else 1
    text = f"{found.mean:.{digits}f} [{found.low:.{digits}f}, {found.high:.{digits}f}]"
    return text if found.count == found.total else f"{text}, {found.count} of {found.total}"


def _decisions(outcomes: Sequence[Outcome], rows: Sequence[Row]) -> str:
    """How many attempts of each row ended as which of the four types of Fig. 3, or without a verdict."""
    heads = ("1: object falls by itself", "2: does not settle", "3: contact not held", "4: stable", "no verdict")
    lines = ["| | " + " | ".join(heads) + " |", "|---" * (len(heads) + 1) + "|"]
    for row in rows:
        mine = [outcome for outcome in outcomes if outcome.row == row.name]
        types = Counter("none" if outcome.error else f"{_verdict(outcome, 'type'):.0f}" for outcome in mine)
        if mine:
            lines.append(_line(row.label, [str(types[kind]) for kind in ("1", "2", "3", "4", "none")]))
    return "\n".join(lines)


def _failures(outcomes: Sequence[Outcome]) -> list[str]:
    """Every distinct error with the number of attempts that it ended."""
    errors = Counter((outcome.row, outcome.case, outcome.views, outcome.error) for outcome in outcomes if outcome.error)
    if not errors:
        return []
    lines = [f"- {row}, {case}, {views} views ({count} x): {error}" for (row, case, views, error), count in errors.items()]
    return ["## Without a verdict", "\n".join(lines)]


def _costs(outcomes: Sequence[Outcome], observed: Mapping[str, Costs]) -> str:
    """Mean clock and CPU seconds and greatest memory of every stage."""
    found: dict[str, list[Mapping[str, float]]] = {}
    for costs in (*observed.values(), *(outcome.costs for outcome in outcomes)):
        for stage, cost in costs.items():
            found.setdefault(stage, []).append(cost)
    lines = ["| stage | times made | CPU s, mean | clock s, mean | peak memory [MB] |", "|---|---|---|---|---|"]
    for stage, made in sorted(found.items()):
        cpu, clock = (float(np.mean([cost[key] for cost in made])) for key in ("cpu_s", "seconds"))
        lines.append(f"| {stage} | {len(made)} | {cpu:.1f} | {clock:.1f} | {max(c['peak_rss_mb'] for c in made):.0f} |")
    return "\n".join(lines)


def _notes() -> str:
    return (
        "## Notes\n\n"
        "- Cameras, people and masks have no seed and are found once a case: the spread is of objects, contacts and control.\n"
        "- An attempt without a verdict counts as unstable and as not standing; its other figures are missing, and counted.\n"
        "- W-MPJPE and PA-MPJPE are of the final state of the simulation, in mm. SP-3D is of the scene before it: of V1 and "
        "HSfM-like, as reconstructed. docs/metrics.md defines every figure.\n"
        f"- The paper's figures: {PAPER['source']}. {PAPER['note']}"
    )
