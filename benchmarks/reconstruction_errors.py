"""How far the pipeline's own reconstructions are from the truth, as a bank of errors to draw from (hsimul3r.tracking.noise).

    python benchmarks/reconstruction_errors.py --runs runs/tables/rows/v4 --data data/hsibench/built

reads the runs of `hsimul3r tables` (one folder a case and seed, each with a file `source` that names its case) and writes
benchmarks/reconstruction_errors.npz. Photos show a case once for all seeds: the people of its runs differ by alignment only.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import tyro
from control_cases import BANK, kind_of
from rich.console import Console
from rich.table import Table

from hsimul3r.artifacts import AlignedScene
from hsimul3r.benchmark.check import scene_of
from hsimul3r.benchmark.truth import load_truth
from hsimul3r.files import whole_folders
from hsimul3r.tracking.noise import ErrorBank, SceneError, measured, spread_deg

CONSOLE = Console(width=140, markup=False)


@dataclass(frozen=True, kw_only=True)
class Args:
    """Where finished runs and the truth of their cases are, and where the bank goes."""

    runs: Path
    data: Path = Path("data/hsibench/built")
    out: Path = BANK


def main(args: Args) -> None:
    errors = list(errors_of(args))
    bank = ErrorBank(errors=tuple(errors))
    bank.save(args.out)
    CONSOLE.print(summary(bank))
    CONSOLE.print(f"{len(errors)} runs of {len({e.case for e in errors})} cases in {args.out}")


def errors_of(args: Args) -> Iterator[SceneError]:
    """The error of every run that has people and objects aligned."""
    for run in whole_folders(args.runs):
        if not (run / "60_aligned").is_dir():
            continue
        name = run.name.rsplit("-", 2)[0]
        truth = load_truth(args.data / name / "truth")
        interaction = json.loads((args.data / name / "truth" / "case.json").read_text())["interaction"]
        yield measured(AlignedScene.load(run / "60_aligned"), scene_of(truth), case=name, kind=kind_of(interaction))


def summary(bank: ErrorBank) -> Table:
    """Median angle of every joint's error, all kinds and each."""
    kinds = sorted({error.kind for error in bank.errors})
    table = Table("joint", "all", *kinds, title="Median error of a joint [deg]")
    groups = [bank.errors, *(tuple(error for error in bank.errors if error.kind == kind) for kind in kinds)]
    columns = [spread_deg(group) for group in groups]
    for joint in columns[0]:
        table.add_row(joint, *(f"{column[joint]:.1f}" for column in columns))
    table.add_row("cases", *(str(len({error.case for error in group})) for group in groups))
    return table


if __name__ == "__main__":
    main(tyro.cli(Args, description=__doc__))
