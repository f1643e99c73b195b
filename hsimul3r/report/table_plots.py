"""The tables as pictures: bars per row with the range over seeds, the paper's own figures as open diamonds."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from hsimul3r.experiment_plan import Experiment, Row
from hsimul3r.report.tables import COLUMNS, MOTION, PAPER, STABILITY, TITLES, Measure, Summary

COLORS = ("#4c78a8", "#f58518", "#54a24b", "#b279a2", "#e45756", "#72b7b2")
COMPARABLE = {measure.name for measure in STABILITY} | {"stands"}
"""Figures that are shares of attempts; of all others the paper's unit or definition is not known."""


def write_plots(summary: Summary, experiment: Experiment, folder: Path) -> tuple[Path, ...]:
    """`table_1.png` to `table_3.png` in `folder`, of tables of which something was run."""
    fewest = min((views for _, views in summary), default=0)
    written = []
    for number in (1, 2):
        lines = [(row, fewest, row.tables[number]) for row in experiment.rows if number in row.tables]
        written.append(_write(number, [line for line in lines if (line[0].name, line[1]) in summary], summary, folder))
    counts = sorted({views for _, views in summary})
    lines = [(row, count, f"{count}-view") for row in experiment.rows if 3 in row.tables for count in counts]
    written.append(_write(3, [line for line in lines if (line[0].name, line[1]) in summary], summary, folder))
    return tuple(path for path in written if path is not None)


def _write(number: int, lines: Sequence[tuple[Row, int, str]], summary: Summary, folder: Path) -> Path | None:
    if not lines:
        return None
    others = MOTION if number in (1, 3) else tuple(m for m in COLUMNS[2] if m.name in ("stands", "midi_f", "dso_f"))
    figure = Figure(figsize=(14, 4.2), layout="constrained")
    figure.suptitle(f"Table {number}: {TITLES[number]}")
    axes = figure.subplots(1, 1 + len(others), width_ratios=[3, *[1.4] * len(others)])
    _bars(axes[0], STABILITY, lines, summary, number)
    axes[0].set_ylabel("Stability-HSI [%]")
    for one, measure in zip(axes[1:], others):
        _bars(one, (measure,), lines, summary, number)
    names = [f"{count} views" if number == 3 else row.label.split(":")[0] for row, count, _ in lines]
    handles = [axes[0].patches[i * len(STABILITY)] for i in range(len(lines))]
    marks = [line for line in axes[0].lines if line.get_marker() == "D"][:1]
    figure.legend([*handles, *marks], [*names, *["paper"] * len(marks)], loc="outside lower center", ncols=8, frameon=False)
    path = folder / f"table_{number}.png"
    FigureCanvasAgg(figure).print_png(str(path))
    return path


def _bars(
    axes: Axes, measures: Sequence[Measure], lines: Sequence[tuple[Row, int, str]], summary: Summary, number: int
) -> None:
    """One group of bars a measure, one bar a line; nothing where it was not measured."""
    width, paper = 0.8 / len(lines), PAPER["tables"][str(number)]
    for i, (row, views, name) in enumerate(lines):
        cells = [summary[row.name, views].get(measure.name) for measure in measures]
        places = [group + (i - (len(lines) - 1) / 2) * width for group in range(len(measures))]
        means = [cell.mean if cell else 0.0 for cell in cells]
        spread = [[c.mean - c.low if c else 0.0 for c in cells], [c.high - c.mean if c else 0.0 for c in cells]]
        axes.bar(places, means, 0.9 * width, yerr=spread, color=COLORS[i % len(COLORS)], error_kw={"lw": 1, "capsize": 2})
        published = [
            (x, paper[name][m.name]) for x, m in zip(places, measures) if m.name in COMPARABLE & set(paper.get(name, {}))
        ]
        if published:
            axes.plot(*zip(*published), "D", mfc="white", mec="black", ms=5, ls="")
    axes.set_xticks(
        range(len(measures)), [measure.label.replace("Stability-HSI ", "").replace(" [%]", "") for measure in measures]
    )
    axes.spines[["top", "right"]].set_visible(False)
    if len(measures) == 1:
        axes.set_xticks([0], [measures[0].label])
