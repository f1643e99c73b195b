"""Tables and a picture of what benchmarks/control.py measured."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

LABELS: Final = {
    "pd": "PD", "v2": "V2: no scene term", "v3": "V3: object's centre", "full": "full: Eq. 5",
    "coarse": "full, certified coarsely", "window_v2": "window, V2: no scene term", "window_v3": "window, V3: object's centre",
    "window": "window: Eq. 5",
}  # fmt: skip
COLORS: Final = {
    "pd": "#9d9d9d", "v2": "#f58518", "v3": "#b279a2", "full": "#4c78a8", "coarse": "#72b7b2", "window_v2": "#f58518",
    "window_v3": "#b279a2", "window": "#4c78a8",
}  # fmt: skip
ORDER: Final = ("stand", "lean", "sit", "lie", "reach", "motion")
NOISES: Final = {
    "none": "no noise", "mixed": "joints 6 deg, root 4 deg, 4 cm", "hard": "joints 10 deg, root 7 deg, 6 cm",
    "pipeline": "errors of the pipeline's people", "pipeline_objects": "errors of the pipeline's people and objects",
    "lifted": "hands 6 to 50 cm above what they should hold",
    "drift": "motions: bias 4.6 deg, drift 2.3 deg, tilt 2.3 deg",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One attempt."""

    kind: str
    case: str
    noise: str
    seed: int
    row: str
    key: str
    is_stable: bool = False
    feedback_type: int = 0
    touches: bool = False
    """The labelled contacts bear a plausible force for long enough."""
    deviation_mm: float = 0.0
    """Of the joints from the noisy reconstruction, mean over the final window, of a motion over all of it."""
    cpu_s: float = 0.0
    wall_s: float = float("nan")
    seconds: float = 3.0
    """What was simulated."""
    iterations: float = 0.0
    is_certified: bool = False
    failed: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A share of attempts, and the lowest and highest of the seeds that have all cases; nan where fewer than two have."""

    mean: float
    low: float
    high: float

    @property
    def has_spread(self) -> bool:
        return self.low == self.low

    def __str__(self) -> str:
        return f"{self.mean:.2f} [{self.low:.2f}, {self.high:.2f}]" if self.has_spread else f"{self.mean:.2f}"


def share(outcomes: Sequence[Outcome], holds: Callable[[Outcome], bool]) -> Cell:
    """Over all attempts; the spread over seeds is that of like with like."""
    cases = {o.case for o in outcomes}
    by_seed = [[o for o in outcomes if o.seed == seed] for seed in {o.seed for o in outcomes}]
    whole = [float(np.mean([holds(o) for o in found])) for found in by_seed if {o.case for o in found} == cases]
    low, high = (min(whole), max(whole)) if len(whole) > 1 else (float("nan"), float("nan"))
    return Cell(mean=float(np.mean([holds(o) for o in outcomes])), low=low, high=high)


def write_report(outcomes: Sequence[Outcome], folder: Path) -> Path:
    """`control.md`, `control.json` and `control.png` in `folder`; returns the first."""
    groups = grouped(outcomes)
    noises = [noise for noise in NOISES if any(key[0] == noise for key in groups)]
    text = "# Controllers on poses of HSIBench\n\n" + "\n".join(table(noise, groups) for noise in noises) + NOTES
    (folder / "control.md").write_text(text)
    record = [
        {"noise": noise, "kind": kind, "row": row, **figures(found)} for (noise, kind, row), found in sorted(groups.items())
    ]
    (folder / "control.json").write_text(json.dumps(record, indent=1) + "\n")
    draw(noises, groups, folder / "control.png")
    return folder / "control.md"


Groups = dict[tuple[str, str, str], list[Outcome]]
"""By noise, kind and row."""


def grouped(outcomes: Sequence[Outcome]) -> Groups:
    """Outcomes by what they are compared by."""
    groups: Groups = {}
    for outcome in outcomes:
        groups.setdefault((outcome.noise, outcome.kind, outcome.row), []).append(outcome)
    return groups


def figures(found: Sequence[Outcome]) -> dict[str, object]:
    """Everything that the tables show, as numbers."""
    stable, contact = (share(found, holds) for holds in (lambda o: o.is_stable, lambda o: o.touches))
    cpu = [o.cpu_s for o in found]
    return {
        "cases": len({o.case for o in found}),
        "seeds": len({o.seed for o in found}),
        "attempts": len(found),
        "stable": stable.mean,
        "stable_of_seeds": [stable.low, stable.high] if stable.has_spread else [],
        "touches": contact.mean,
        "deviation_mm_stable_median": _median([o.deviation_mm for o in found if o.is_stable]),
        "deviation_mm_median": _median([o.deviation_mm for o in found]),
        "cpu_s_median": _median(cpu),
        "cpu_s_mean": float(np.mean(cpu)),
        "cpu_s_p90": float(np.percentile(cpu, 90)),
        "cpu_s_per_s_median": _median([o.cpu_s / o.seconds for o in found]),
        "wall_s_median": _median([o.wall_s for o in found]),
        "wall_s_per_s_median": _median([o.wall_s / o.seconds for o in found]),
        "iterations_median": _median([o.iterations for o in found]),
        "certified": sum(o.is_certified for o in found),
        "certified_and_stable": sum(o.is_certified and o.is_stable for o in found),
        "types": {str(kind): sum(o.feedback_type == kind for o in found) for kind in (1, 2, 3, 4)},
    }


def table(noise: str, groups: Groups) -> str:
    """One noise: a line a kind and row."""
    head = ("kind", "row", "attempts (cases, seeds)", "stable", "touches", "deviation mm (where stable)",
            "CPU s median / mean / 90%", "CPU s per simulated s", "clock s median, per simulated s", "stable of certified",
            "iterations", "types 1/2/3/4")  # fmt: skip
    lines = [f"## {NOISES[noise]}", "", "| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for (_, kind, row), found in _sorted(noise, groups):
        stable, contact = (share(found, holds) for holds in (lambda o: o.is_stable, lambda o: o.touches))
        cpu, of = [o.cpu_s for o in found], figures(found)
        cells = (
            kind, LABELS[row], f"{len(found)} ({of['cases']}, {of['seeds']})", str(stable), str(contact),
            f"{_median([o.deviation_mm for o in found]):.0f} ({_median([o.deviation_mm for o in found if o.is_stable]):.0f})",
            f"{np.median(cpu):.1f} / {np.mean(cpu):.1f} / {np.percentile(cpu, 90):.1f}",
            f"{of['cpu_s_per_s_median']:.1f}",
            f"{of['wall_s_median']:.1f}, {of['wall_s_per_s_median']:.1f}",
            f"{of['certified_and_stable']} of {of['certified']}",
            f"{_median([o.iterations for o in found]):.0f}",
            "/".join(str(sum(o.feedback_type == number for o in found)) for number in (1, 2, 3, 4)),
        )  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


NOTES = """
Shares are of attempts, in brackets the lowest and highest of the seeds that have all cases, where there are two. Deviation is
the median over attempts of the joints' mean distance from the noisy reconstruction at the end. Seconds are of control alone,
without building the scene and without the verdict; those of the clock mean little where other work ran beside them. Types are
those of Fig. 3: the object falls by itself, does not settle, contact is not held, stable.
"""


def draw(noises: Sequence[str], groups: Groups, path: Path) -> None:
    """Success by kind and row for every noise, and what it cost."""
    figure = Figure(figsize=(6.4 * max(len(noises), 1), 7.2), layout="constrained")
    axes = figure.subplots(2, max(len(noises), 1), squeeze=False, height_ratios=[1.6, 1])
    for column, noise in enumerate(noises):
        found = _sorted(noise, groups)
        axes[0, column].set_title(NOISES[noise])
        _bars(axes[0, column], found, is_cost=False)
        _bars(axes[1, column], found, is_cost=True)
    axes[0, 0].set_ylabel("stable, share of cases")
    axes[1, 0].set_ylabel("CPU s, median")
    handles, labels = zip(*dict.fromkeys(pair for axis in axes[0] for pair in _legend(axis)))
    figure.legend(handles, labels, loc="outside lower center", ncols=6, frameon=False)
    FigureCanvasAgg(figure).print_png(str(path))


def _legend(axes: Axes) -> list[tuple[object, str]]:
    handles, labels = axes.get_legend_handles_labels()
    return list({label: (handle, label) for handle, label in zip(handles, labels)}.values())


def _bars(axes: Axes, found: Sequence[tuple[tuple[str, str, str], list[Outcome]]], *, is_cost: bool) -> None:
    kinds = list(dict.fromkeys(kind for (_, kind, _), _ in found))
    rows = [row for row in LABELS if any(key[2] == row for key, _ in found)]
    width = 0.8 / max(len(rows), 1)
    for (_, kind, row), outcomes in found:
        place = kinds.index(kind) + (rows.index(row) - (len(rows) - 1) / 2) * width
        if is_cost:
            axes.bar(place, _median([o.cpu_s for o in outcomes]), width, color=COLORS[row], label=LABELS[row])
            continue
        cell = share(outcomes, lambda o: o.is_stable)
        spread = [[cell.mean - cell.low], [cell.high - cell.mean]] if cell.has_spread else None
        axes.bar(place, cell.mean, width, yerr=spread, capsize=3, color=COLORS[row], label=LABELS[row])
        above = cell.high if cell.has_spread else cell.mean
        axes.text(place, above + 0.02, f"{cell.mean:.2f}", ha="center", fontsize=8)
    axes.set_xticks(range(len(kinds)), kinds)
    if not is_cost:
        axes.set_ylim(0, 1.1)


def _sorted(noise: str, groups: Groups) -> list[tuple[tuple[str, str, str], list[Outcome]]]:
    order = list(LABELS)
    mine = [(key, found) for key, found in groups.items() if key[0] == noise]
    return sorted(mine, key=lambda item: (ORDER.index(item[0][1]), order.index(item[0][2])))


def _median(values: Sequence[float]) -> float:
    return float(np.median(values)) if len(values) else float("nan")
