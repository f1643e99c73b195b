"""`hsimul3r dsro-finetune`: pictures, feedback of the simulator, tuning, and what it brought on pictures never seen."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from hsimul3r.files import owned_folder, write_whole
from hsimul3r.generator.dsro.finetune import FinetuneConfig, RoundReport, finetune
from hsimul3r.generator.dsro.images import JoinedImages
from hsimul3r.generator.dsro.outcome import outcomes
from hsimul3r.generator.dsro.tuned import load_tuned
from hsimul3r.generator.feedback.cases import CaseImages
from hsimul3r.generator.feedback.collect import collect
from hsimul3r.generator.feedback.images import FurnitureImages, ImageSet, Known
from hsimul3r.generator.feedback.record import RolloutStore
from hsimul3r.generator.flow.build_dataset import BuildDatasetConfig, build_dataset
from hsimul3r.generator.flow.generator import SHIPPED
from hsimul3r.generator.flow.network import PartFlow
from hsimul3r.progress import Progress

EVALUATION: Final = "evaluation.json"
TABLE: Final = "evaluation.md"
TEST_SEED: Final = 20_000
"""Tests take seeds that neither a collection nor a measurement takes."""
COLUMNS: Final[Mapping[str, str]] = {
    "stable": "SG %",
    "connected": "one piece %",
    "gravity": "stands %",
    "f_midi": "F (MIDI) %",
    "chamfer_midi": "CD (MIDI) x100",
    "f_dso": "F (DSO) %",
    "chamfer_dso": "CD (DSO) x100",
    "silhouette_iou": "silhouette IoU",
    "diversity": "diversity x100",
    "volume_m3": "volume m3",
    "parts": "parts",
}
"""Figures of `outcome` that the table shows."""


@dataclass(frozen=True, kw_only=True)
class DsroConfig:
    """Settings of `run_dsro`; the defaults take under half an hour on two cores."""

    weights: str = ""
    """Folder of the network to tune, else the one that comes with the package."""
    furniture: int = 400
    """Pictures of random furniture to learn from, all rounds together."""
    data: str = ""
    """Folder of flow.build_dataset to take them from; made where it is left out."""
    views: int = 1
    """Pictures of an object that the generator is shown."""
    known: Known = (False, False, False, False)
    cases: str = ""
    """Folder of built cases of the benchmark: their people are asked too, seconds a sample."""
    case_views: int = 4
    """Photos of a case that are looked at: 4, 10 or 16."""
    is_each_photo: bool = False
    """Every photo of a case teaches by itself, as the paper has it; else its clearest ones are shown together."""
    held_out: int = 16
    """Pictures on which tuning is measured while it runs, and stopped."""
    tests: int = 40
    """Pictures of the comparison at the end."""
    test_seeds: int = 5
    finetune: FinetuneConfig = field(default_factory=FinetuneConfig)


@dataclass(frozen=True, kw_only=True)
class DsroReport:
    """What the tuning brought."""

    folder: Path
    rounds: tuple[RoundReport, ...]
    kept_round: int
    """0: nothing was better than the network as it was."""
    figures: Mapping[str, Mapping[str, float]]
    """Of "base" and "tuned", each with and without attachment."""

    @property
    def table(self) -> str:
        """In Markdown."""
        lines = ["| | " + " | ".join(COLUMNS.values()) + " |", "|---" * (len(COLUMNS) + 1) + "|"]
        lines += [
            f"| {name} | " + " | ".join(f"{figures.get(column, float('nan')):.4g}" for column in COLUMNS) + " |"
            for name, figures in self.figures.items()
        ]
        return "\n".join(lines)


def run_dsro(cfg: DsroConfig, out: Path, progress: Progress, *, seed: int = 0) -> DsroReport:
    """Everything, into one folder that is also where a stopped call goes on. `load_tuned(out)` is the tuned network.

    Raises `NoGeneratorWeights`, `NothingToLearn`, `NoCases`, `FolderBusy`.
    """
    with owned_folder(out, option="--out"):
        base = load_tuned(Path(cfg.weights) if cfg.weights else SHIPPED)
        data = pictures(cfg, out, progress)
        held_out = FurnitureImages(folder=data, split="held_out", count=cfg.held_out, views=cfg.views, known=cfg.known)
        settings = replace(cfg.finetune, tune=replace(cfg.finetune.tune, seed=seed))
        tuned = finetune(base, training_images(cfg, data), held_out, settings, out, progress)
        tests = FurnitureImages(
            folder=data, split="held_out", first=cfg.held_out, count=cfg.tests, views=cfg.views, known=cfg.known
        )  # fmt: skip
        figures: dict[str, Mapping[str, float]] = {}
        for name, one in (("base", base), ("tuned", tuned.network)):
            figures |= compared(name, one, tests, cfg, out, progress)
        report = DsroReport(folder=out, rounds=tuned.rounds, kept_round=tuned.kept_round, figures=figures)
        content = {
            "rounds": [vars(one) for one in report.rounds], "kept_round": report.kept_round,
            "figures": {name: dict(found) for name, found in figures.items()},
        }  # fmt: skip
        write_whole(out / EVALUATION, json.dumps(content, indent=2) + "\n")
        write_whole(out / TABLE, report.table + "\n")
    return report


def pictures(cfg: DsroConfig, out: Path, progress: Progress) -> Path:
    """The folder of random furniture, made where none is given."""
    if cfg.data:
        return Path(cfg.data)
    folder = out / "furniture"
    progress.say("[bold]pictures of random furniture[/bold]")
    build_dataset(BuildDatasetConfig(out=folder, count=cfg.furniture, held_out=cfg.held_out + cfg.tests, views=cfg.views))
    return folder


def training_images(cfg: DsroConfig, data: Path) -> ImageSet:
    """Random furniture, and the cases where there are any."""
    furniture = FurnitureImages(folder=data, count=cfg.furniture, views=cfg.views, known=cfg.known)
    if not cfg.cases:
        return furniture
    cases = CaseImages(folder=Path(cfg.cases), views=cfg.case_views, is_each_photo=cfg.is_each_photo)
    return JoinedImages(sets=(furniture, cases)) if cfg.furniture else cases


def compared(
    name: str, network: PartFlow, tests: FurnitureImages, cfg: DsroConfig, out: Path, progress: Progress
) -> dict[str, Mapping[str, float]]:  # fmt: skip
    """Figures of a network's samples, with attachment and without."""
    progress.say(f"[bold]{name} on {cfg.tests} pictures[/bold]")
    asked = replace(cfg.finetune.collect, seeds=cfg.test_seeds, first_seed=TEST_SEED)
    rollouts = collect(network, tests, RolloutStore(out / "tests"), asked, progress).rollouts
    return {f"{name}, {how}": found for how, found in outcomes(rollouts, tests, asked.judge).items()}
