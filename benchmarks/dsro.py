"""Table 2: a generator tuned by simulation feedback against the same one as it was, by every loss, on pictures never seen.

python benchmarks/dsro.py --weights FOLDER --data FOLDER --out FOLDER
python benchmarks/dsro.py --weights FOLDER --data FOLDER --out FOLDER --rows base reflected --seeds 0
python benchmarks/dsro.py --weights FOLDER --data FOLDER --out FOLDER --parts curve
python benchmarks/dsro.py --weights FOLDER --data FOLDER --out FOLDER --parts people --cases FOLDER --rows base dro sound

What is in --out is not made again: rows and seeds may be run apart, by several processes, and put together by a last call.
"""

import copy
import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

import numpy as np
import torch
import tyro
from rich.console import Console

from hsimul3r.files import write_whole
from hsimul3r.generator.dsro.command import COLUMNS
from hsimul3r.generator.dsro.feedback_set import FeedbackSet
from hsimul3r.generator.dsro.finetune import ROLLOUTS, FinetuneConfig, finetune, measure_on
from hsimul3r.generator.dsro.images import SomeImages
from hsimul3r.generator.dsro.losses import LossConfig
from hsimul3r.generator.dsro.outcome import judged_here, outcomes
from hsimul3r.generator.dsro.reward import Lesson
from hsimul3r.generator.dsro.trainer import TuneConfig, tune
from hsimul3r.generator.dsro.tunable import TunableFlow
from hsimul3r.generator.dsro.tuned import load_tuned
from hsimul3r.generator.feedback.cases import CaseImages
from hsimul3r.generator.feedback.collect import CollectConfig, collect
from hsimul3r.generator.feedback.images import FurnitureImages, ImageSet, Known
from hsimul3r.generator.feedback.record import Rollout, RolloutStore
from hsimul3r.generator.flow.network import PartFlow
from hsimul3r.generator.flow.weights import WEIGHTS
from hsimul3r.progress import Progress

Part = Literal["table", "people", "curve"]
TEST_SEED: Final = 20_000
RESULT: Final = "result.json"
HOW: Final = ("as made", "attached")


@dataclass(frozen=True, kw_only=True)
class Row:
    """How a row of the table is made."""

    label: str
    loss: LossConfig | None
    """None: the generator as it is."""
    is_online: bool = False
    """Rounds on the network's own samples with graded rewards; else one, on the bits of `--lesson`."""


ROWS: Final[Mapping[str, Row]] = {
    "base": Row(label="base", loss=None),
    "sft": Row(label="SFT on stable samples", loss=LossConfig(kind="sft")),
    "dro": Row(label="DSO: DRO (paired, guarded)", loss=LossConfig(kind="dro")),
    "dpo": Row(label="DSO: DPO (paired), beta 20", loss=LossConfig(kind="dpo", dpo_beta=20.0)),
    "literal": Row(label="DSRO: Eq. 6 literal, guarded", loss=LossConfig(kind="literal")),
    "bounded": Row(label="DSRO: bounded, beta .3", loss=LossConfig(kind="bounded")),
    "reflected": Row(label="DSRO: reflected, b .15", loss=LossConfig(kind="reflected", b=0.15)),
    "sound": Row(label="DSRO sound: reflected, graded, rounds", loss=LossConfig(kind="reflected", b=0.2), is_online=True),
}
CURVES: Final[Mapping[str, LossConfig]] = {
    "Eq. 6 literal": LossConfig(kind="literal"),
    "reflected, b .15": LossConfig(kind="reflected", b=0.15),
}


@dataclass(frozen=True, kw_only=True)
class Args:
    """Benchmark of tuning by simulation feedback."""

    weights: Path
    data: Path
    """Folder of flow.build_dataset."""
    out: Path
    parts: tuple[Part, ...] = ("table",)
    rows: tuple[str, ...] = tuple(ROWS)
    seeds: tuple[int, ...] = (0, 1, 2)
    """Of tuning and of the samples that are tested."""
    workers: int = 1
    pictures: int = 400
    """To learn from in one round."""
    samples: int = 8
    """Of each of them."""
    steps: int = 300
    lesson: Lesson = "as_made"
    rounds: int = 4
    """Of the row that learns in rounds, and what each takes: pictures of which `look` samples are made, and `round_samples` of
    those that have more to say."""
    round_pictures: int = 100
    look: int = 5
    round_samples: int = 10
    round_steps: int = 80
    tests: int = 40
    test_samples: int = 3
    views: int = 1
    known: Known = (False, False, False, False)
    cases: Path | None = None
    """Built cases of HSIBench, whose people are asked."""
    cases_a_split: int = 4
    curve_steps: int = 150
    curve_every: int = 30
    curve_learning_rate: float = 1.5e-3
    """Three times that of the rows: what breaks does so in fewer steps."""
    curve_pictures: int = 16


def main(args: Args) -> None:
    logging.basicConfig(level=logging.WARNING)
    torch.set_num_threads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    console = Console()
    steps: Mapping[Part, Callable[[Args, Console], None]] = {"table": table, "people": people, "curve": curve}
    for part in args.parts:
        steps[part](args, console)


def table(args: Args, console: Console) -> None:
    """Make the rows that are missing, and the table of all rows that are there."""
    for name in args.rows:
        for seed in args.seeds:
            path = args.out / name / f"seed_{seed}" / RESULT
            if path.exists():
                continue
            started = time.process_time()
            found = tested(row_network(args, name, seed), args, seed)
            content = {"figures": found, "cpu_s": time.process_time() - started}
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, json.dumps(content, indent=2) + "\n")
            console.print(f"{name}, seed {seed}: {content['cpu_s']:.0f} CPU s", highlight=False)
    written = as_table(args.out, list(COLUMNS))
    write_whole(args.out / "table.md", written + "\n")
    console.print(written, highlight=False, markup=False, soft_wrap=True)


def row_network(args: Args, name: str, seed: int) -> PartFlow:
    """The network of a row, tuned where that was not done yet."""
    row, folder = ROWS[name], args.out / name / f"seed_{seed}"
    network = load_tuned(args.weights)
    if row.loss is None:
        return network
    if (folder / WEIGHTS).exists():
        return load_tuned(folder)
    of_rounds = learnt_from(args, args.rounds * args.round_pictures, seed)
    images = of_rounds if row.is_online else learnt_from(args, args.pictures)
    shared = args.out / "rollouts"
    shared.mkdir(exist_ok=True)
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / ROLLOUTS).exists():
        (folder / ROLLOUTS).symlink_to(shared.resolve())
    return finetune(network, images, None, settings(args, row, seed), folder, Progress()).network


def settings(args: Args, row: Row, seed: int) -> FinetuneConfig:
    assert row.loss is not None
    steps = args.round_steps if row.is_online else args.steps
    tuning = TuneConfig(loss=row.loss, steps=steps, seed=seed, check_every=steps, has_tensorboard=False)
    if not row.is_online:
        collecting = CollectConfig(seeds=args.samples, workers=args.workers)
        return FinetuneConfig(
            rounds=1, collect=collecting, look=None, lesson=args.lesson, tune=replace(tuning, batch=16)
        )  # fmt: skip
    collecting = CollectConfig(seeds=args.round_samples, workers=args.workers)
    return FinetuneConfig(rounds=args.rounds, collect=collecting, look=args.look, tune=tuning, patience=args.rounds + 1)


def learnt_from(args: Args, count: int, seed: int = 0) -> ImageSet:
    """So many pictures, others for every seed."""
    return FurnitureImages(folder=args.data, first=seed * count, count=count, views=args.views, known=args.known)


def tested(network: PartFlow, args: Args, seed: int) -> dict[str, dict[str, float]]:
    """Figures on held-out pictures, as made and attached."""
    first = args.curve_pictures
    images = FurnitureImages(
        folder=args.data, split="held_out", first=first, count=args.tests, views=args.views, known=args.known
    )  # fmt: skip
    cfg = CollectConfig(seeds=args.test_samples, first_seed=TEST_SEED + 1000 * seed)
    return outcomes(judged_here(network, images, cfg), images, cfg.judge)


def as_table(out: Path, columns: Sequence[str], result: str = RESULT, names: Mapping[str, str] = COLUMNS) -> str:
    """All rows that are there, in Markdown: mean ± spread (standard deviation) over seeds."""
    lines = [
        "| | | n | " + " | ".join(names.get(column, column) for column in columns) + " |",
        "|---" * (len(columns) + 3) + "|",
    ]
    for name, row in ROWS.items():
        found = [json.loads(path.read_text())["figures"] for path in sorted((out / name).glob(f"seed_*/{result}"))]
        for how in HOW if found else ():
            cells = [cell([one[how].get(column, np.nan) for one in found]) for column in columns]
            lines.append(f"| {row.label} | {how} | {len(found)} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def cell(values: Sequence[float]) -> str:
    digits = 3 if max(np.abs(values)) < 2 else 1
    return f"{np.mean(values):.{digits}f} ± {np.std(values):.{digits}f}"


def people(args: Args, console: Console) -> None:
    """Stability-HSI by split: samples for cases of HSIBench, judged with their people."""
    assert args.cases is not None, "--parts people needs --cases"
    for name in args.rows:
        for seed in args.seeds:
            path = args.out / name / f"seed_{seed}" / "people.json"
            if not path.exists():
                started = time.process_time()
                content = {"figures": with_people(row_network(args, name, seed), args, seed)}
                path.parent.mkdir(parents=True, exist_ok=True)
                write_whole(path, json.dumps(content | {"cpu_s": time.process_time() - started}, indent=2) + "\n")
                console.print(f"{name}, seed {seed}: {time.process_time() - started:.0f} CPU s", highlight=False)
    splits = ["easy", "medium", "hard", "all", "alone"]
    written = as_table(args.out, splits, "people.json", {"alone": "stands and bears its load %"})
    write_whole(args.out / "people.md", written + "\n")
    console.print(written, highlight=False, markup=False, soft_wrap=True)


def with_people(network: PartFlow, args: Args, seed: int) -> dict[str, dict[str, float]]:
    """Share of samples of type 4, by split, as made and attached."""
    assert args.cases is not None
    chosen = split_cases(args.cases, args.cases_a_split)
    names = tuple(name for of_split in chosen.values() for name in of_split)
    images = CaseImages(folder=args.cases, names=names)
    main_objects = tuple({key.split("/")[0]: key for key in reversed(images.keys())}.values())
    cfg = CollectConfig(seeds=1, first_seed=TEST_SEED + 1000 * seed)
    rollouts = judged_here(network, SomeImages(images=images, chosen=main_objects), cfg)
    return {how: by_split(rollouts, chosen, is_attached=how == "attached") for how in HOW}


def split_cases(folder: Path, count: int) -> dict[str, tuple[str, ...]]:
    """The first poses of every split, of different furniture where there are."""
    found: dict[str, list[str]] = {"easy": [], "medium": [], "hard": []}
    for path in sorted(folder.iterdir()):
        record = path / "truth" / "case.json"
        case = json.loads(record.read_text()) if record.is_file() else {}
        if case.get("kind") == "pose" and path.name.endswith("_00"):
            found[case["split"]].append(path.name)
    spread = {split: np.linspace(0, len(names) - 1, min(count, len(names))).astype(int) for split, names in found.items()}
    return {split: tuple(found[split][i] for i in rows) for split, rows in spread.items()}


def by_split(rollouts: Sequence[Rollout], chosen: Mapping[str, Sequence[str]], *, is_attached: bool) -> dict[str, float]:
    judged = {one.image.split("/")[0]: one.judgement(is_attached=is_attached) for one in rollouts}
    found = {split: 100 * float(np.mean([judged[name].is_stable for name in names])) for split, names in chosen.items()}
    alone = [all(bool(one.holds(test)) for test in ("connected", "gravity", "payload")) for one in judged.values()]
    return found | {
        "all": 100 * float(np.mean([one.is_stable for one in judged.values()])),
        "alone": 100 * float(np.mean(alone)),
    }


def curve(args: Args, console: Console) -> None:
    """Stability and likeness over the steps of one tuning without guard, for the literal form and the sound one."""
    network, images = load_tuned(args.weights), learnt_from(args, args.pictures)
    held_out = FurnitureImages(
        folder=args.data, split="held_out", count=args.curve_pictures, views=args.views, known=args.known
    )  # fmt: skip
    cfg = settings(args, ROWS["literal"], 0)
    store = RolloutStore(args.out / "rollouts")
    judged = FeedbackSet.of(collect(network, images, store, cfg.collect, Progress()).rollouts, images.keys(), args.lesson)
    for number, (label, loss) in enumerate(CURVES.items()):
        folder = args.out / "curve" / str(number)
        if (folder / "done").exists():
            continue
        unguarded = replace(
            cfg.tune, loss=loss, learning_rate=args.curve_learning_rate, cooling=0.0, guard=None, patience=10**6
        )
        tuning = replace(unguarded, steps=args.curve_steps, check_every=args.curve_every)
        tunable = TunableFlow.of(copy.deepcopy(network), images, images.keys(), CollectConfig().sampling)
        tune(tunable, judged, tuning, folder=folder, measure=measure_on(held_out, replace(cfg, check_seeds=2)))
        write_whole(folder / "done", label + "\n")
        console.print(f"curve of {label}: {folder / 'curve.csv'}", highlight=False)
    draw_curves(args.out)


def draw_curves(out: Path) -> None:
    """curve.png: stable samples, their likeness to the truth and the errors of both classes over steps."""
    from matplotlib.figure import Figure

    panels = {
        "stable_as_made": "stable as made [%]",
        "f_score": "F-score [%]",
        "ratio/unstable": "error of unstable samples / reference",
        "ratio/stable": "error of stable samples / reference",
    }
    figure = Figure(figsize=(11, 7), layout="constrained")
    axes = figure.subplots(2, 2).flat
    for axis, (name, title) in zip(axes, panels.items()):
        for number, label in enumerate(CURVES):
            rows = [line.split(",") for line in (out / "curve" / str(number) / "curve.csv").read_text().splitlines()]
            points = np.array([(float(step), float(value)) for step, one, value in rows if one == name])
            axis.plot(*points.T, marker="o", markersize=3, label=label)
        axis.set(title=title, xlabel="steps", ylim=(0, 105) if "[%]" in title else None)
        if "ratio" in name:
            axis.set_yscale("log")
    figure.axes[0].legend()
    figure.savefig(out / "curve.png", dpi=110)


if __name__ == "__main__":
    main(tyro.cli(Args))
