from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from hsimul3r.config import PipelineConfig
from hsimul3r.experiment_plan import Bound, Outcome, load_experiment
from hsimul3r.report.table_plots import write_plots
from hsimul3r.report.tables import PAPER, Cell, as_markdown, broken_bounds, shown, summarise, write_tables

EXPERIMENT = load_experiment(Path(__file__).parents[2] / "configs" / "hsibench.yaml", PipelineConfig())


def outcome(row, case, seed, *, is_stable=True, error="", views=4, difficulty="easy", w_mpjpe=50.0):
    figures = {
        "verdict/static_stable": "yes" if is_stable else "no", "verdict/static_stands_under_gravity": "yes",
        "verdict/static_type": 4.0 if is_stable else 2.0, "verdict/static_reason": "because",
        "contact/sp3d_percent_after": 10.0, "body/simulated_static_w_mpjpe_mm": w_mpjpe,
        "body/simulated_static_pa_mpjpe_mm": 30.0, "object/midi_chamfer": 0.1, "object/midi_f_percent": 80.0,
        "object/dso_chamfer": 0.02, "object/dso_f_percent": 90.0, "object/chamfer_cm": 4.0,
    }  # fmt: skip
    cost = {"50_objects": {"seconds": 2.0, "cpu_s": 1.5, "peak_rss_mb": 700.0}}
    return Outcome(row=row, case=case, difficulty=difficulty, views=views, seed=seed, figures={} if error else figures,
                   error=error, costs=cost)  # fmt: skip


OUTCOMES = [
    outcome("v4", "a", 0), outcome("v4", "b", 0, is_stable=False, w_mpjpe=70.0),
    outcome("v4", "a", 1), outcome("v4", "b", 1, w_mpjpe=90.0),
    outcome("v4", "c", 0, difficulty="medium"), outcome("v4", "c", 1, difficulty="medium", error="TooFewPoints: only 3"),
]  # fmt: skip


def test_means_are_over_cases_then_seeds_with_the_spread_of_the_seeds():
    cells = summarise(OUTCOMES)["v4", 4]
    assert cells["stable_easy"] == Cell(mean=75.0, low=50.0, high=100.0, count=4, total=4)
    assert "stable_hard" not in cells, "no case is hard"


def test_an_attempt_without_verdict_is_unstable_and_missing_elsewhere():
    cells = summarise(OUTCOMES)["v4", 4]
    assert cells["stable_medium"] == Cell(mean=50.0, low=0.0, high=100.0, count=2, total=2)
    assert cells["stands"].mean == pytest.approx((100 + 200 / 3) / 2)
    assert (cells["midi_f"].count, cells["midi_f"].total) == (5, 6)
    assert cells["w_mpjpe"].mean == pytest.approx(((50 + 70 + 50) / 3 + (50 + 90) / 2) / 2)
    assert cells["failed"].mean == pytest.approx(100 / 6)


def test_a_cell_says_how_many_attempts_it_stands_for():
    assert shown(Cell(mean=50, low=40, high=60, count=6, total=6)) == "50.0 [40.0, 60.0]"
    assert shown(Cell(mean=0.1234, low=0.1, high=0.2, count=5, total=6)) == "0.123 [0.100, 0.200], 5 of 6"
    assert shown(None) == "-"


def test_the_tables_name_what_was_not_run_and_print_the_paper_beside():
    text = as_markdown(OUTCOMES, {"a-4": {}}, EXPERIMENT, data="toy")
    first = text.split("## Table 2")[0]
    assert "| Ours: V4 with the generator tuned by simulation feedback | not run: needs" in first
    assert "| *paper: V4* | *29.56* | *16.62* | *5.17* |" in first
    assert "easy [%], n = 2" in first and "hard [%], n = 0" in first
    assert "V2" not in first.replace("*paper: V2*", ""), "a row that was not run is left out"
    assert "TooFewPoints: only 3" in text and "| 50_objects | 6 | 1.5 | 2.0 | 700 |" in text
    assert "| V4: Eq. 3/4 and Eq. 5, generator not tuned | 0 | 1 | 0 | 4 | 1 |" in text


def test_views_are_the_lines_of_the_third_table():
    more = [replace(one, views=10, case=one.case) for one in OUTCOMES]
    third = as_markdown([*OUTCOMES, *more], {}, EXPERIMENT, data="toy").split("## Table 3")[1].split("## What")[0]
    lines = [line for line in third.splitlines() if line.startswith(("| V4", "| *paper"))]
    assert [line.split("|")[1].strip() for line in lines] == [
        "V4: Eq. 3/4 and Eq. 5, generator not tuned, 10 views", "*paper: 10-view*",
        "V4: Eq. 3/4 and Eq. 5, generator not tuned, 4 views", "*paper: 4-view*", "*paper: 16-view*",
    ]  # fmt: skip


def bound(**limits):
    return Bound(**{"row": "v4", "figure": "stable_easy", "cases": 3, "views": 4, "least": None, "most": None} | limits)


@pytest.mark.parametrize(
    ("limits", "broken", "tested"),
    [
        ({"least": 75.0}, [], 1), ({"least": 76.0}, ["is 75, expected at least 76"], 1),
        ({"most": 74.0}, ["is 75, expected at most 74"], 1), ({"figure": "stable_hard", "least": 1.0}, ["was not measured"], 1),
        ({"least": 76.0, "cases": 24}, [], 0), ({"least": 76.0, "views": 16}, [], 0),
    ],
)  # fmt: skip
def test_bounds_break_where_they_apply(limits, broken, tested):
    found, count = broken_bounds([bound(**limits)], summarise(OUTCOMES), cases=3)
    assert count == tested and len(found) == len(broken)
    assert all(text in line for text, line in zip(broken, found))


def test_files_are_written_and_the_plots_are_pictures(tmp_path):
    assert write_tables(OUTCOMES, {}, EXPERIMENT, tmp_path, data="toy").read_text().startswith("# HSIBench: toy")
    plots = write_plots(summarise(OUTCOMES), EXPERIMENT, tmp_path)
    assert [path.name for path in plots] == ["table_1.png", "table_2.png", "table_3.png"]
    assert all(Image.open(path).size[0] > 800 for path in plots)


def test_the_paper_s_figures_are_of_the_paper():
    assert "2603.15612" in PAPER["source"]
    assert {number: len(rows) for number, rows in PAPER["tables"].items()} == {"1": 6, "2": 3, "3": 3}
    for row in EXPERIMENT.rows:
        assert all(name in PAPER["tables"][str(number)] for number, name in row.tables.items() if name)
