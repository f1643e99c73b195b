"""Table 2: a generator tuned by simulation feedback against the same one as it was, by every loss, on pictures never seen.

python benchmarks/dsro.py --weights FOLDER --data FOLDER --out FOLDER
python benchmarks/dsro.py --weights FOLDER --data FOLDER --out FOLDER --rows base reflected --seeds 0
python benchmarks/dsro.py --weights FOLDER --data FOLDER --out FOLDER --parts curve
python benchmarks/dsro.py --weights FOLDER --data FOLDER --out FOLDER --parts people --cases FOLDER --rows base dro reflected

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

from hsimul3r.files import fresh_folder, write_whole
from hsimul3r.generator.dsro.command import COLUMNS
from hsimul3r.generator.dsro.feedback_set import FeedbackSet, Lesson
from hsimul3r.generator.dsro.finetune import FinetuneConfig, measure_on
from hsimul3r.generator.dsro.images import SomeImages
from hsimul3r.generator.dsro.losses import LossConfig
from hsimul3r.generator.dsro.outcome import judged_here, made_of, outcome
from hsimul3r.generator.dsro.trainer import TuneConfig, tune
from hsimul3r.generator.dsro.tunable import TunableFlow
from hsimul3r.generator.dsro.tuned import load_tuned, save_round, save_tuned, with_round
from hsimul3r.generator.feedback.cases import CaseImages
from hsimul3r.generator.feedback.collect import CollectConfig
from hsimul3r.generator.feedback.images import FurnitureImages, ImageSet, Known
from hsimul3r.generator.feedback.record import Rollout, RolloutStore, model_id
from hsimul3r.generator.flow.network import PartFlow

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
    rounds: int = 1


ROWS: Final[Mapping[str, Row]] = {
    "base": Row(label="base", loss=None),
    "sft": Row(label="SFT on stable samples", loss=LossConfig(kind="sft")),
    "dro": Row(label="DSO: DRO (paired, guarded)", loss=LossConfig(kind="dro")),
    "dpo": Row(label="DSO: DPO (paired), beta 500", loss=LossConfig(kind="dpo")),
    "dpo_weak": Row(label="DSO: DPO (paired), beta 20", loss=LossConfig(kind="dpo", dpo_beta=20.0)),
    "literal": Row(label="DSRO: Eq. 6 literal, guarded", loss=LossConfig(kind="literal")),
    "bounded": Row(label="DSRO: bounded, beta .3", loss=LossConfig(kind="bounded")),
    "reflected": Row(label="DSRO: reflected, b .3", loss=LossConfig(kind="reflected")),
    "reflected_far": Row(label="DSRO: reflected, b .15", loss=LossConfig(kind="reflected", b=0.15)),
    "reflected_far_2": Row(label="DSRO: reflected, b .15, 2 rounds", loss=LossConfig(kind="reflected", b=0.15), rounds=2),
    "reflected_2": Row(label="DSRO: reflected, b .3, 2 rounds", loss=LossConfig(kind="reflected"), rounds=2),
}
CURVES: Final[Mapping[str, LossConfig]] = {
    "Eq. 6 literal": LossConfig(kind="literal"),
    "bounded, beta .3": LossConfig(kind="bounded"),
    "reflected, b .3": LossConfig(kind="reflected"),
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
    pictures: int = 96
    """To learn from in the first round; half as many in the second."""
    samples: int = 10
    """Of each picture."""
    tests: int = 40
    test_samples: int = 3
    steps: int = 150
    later_steps: int = 100
    """In the second round."""
    batch: int = 16
    learning_rate: float = 5e-4
    lesson: Lesson = "attached"
    views: int = 1
    known: Known = (False, False, False, False)
    cases: Path | None = None
    """Built cases of HSIBench, whose people are asked."""
    cases_a_split: int = 4
    curve_steps: int = 300
    curve_every: int = 50
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
    if (folder / "model.safetensors").exists():
        return load_tuned(folder)
    for number in range(1, row.rounds + 1):
        own = folder / f"round_{number}"
        if number < row.rounds and (earlier := args.out / name.removesuffix("_2") / f"seed_{seed}" / "round_1").is_dir():
            own = earlier
        if not (own / "adapter").is_dir():
            steps = args.steps if number == 1 else args.later_steps
            tune_round(network, learnt_from(args, number), replace(tuning(args, row.loss, seed), steps=steps), args, own)
        network = with_round(network, own)
    save_tuned(network, folder, {"row": name, "seed": seed})
    return network


def tuning(args: Args, loss: LossConfig, seed: int) -> TuneConfig:
    return TuneConfig(
        loss=loss, steps=args.steps, batch=args.batch, learning_rate=args.learning_rate, seed=seed, check_every=10**6,
        has_tensorboard=False,
    )  # fmt: skip


def tune_round(network: PartFlow, images: ImageSet, cfg: TuneConfig, args: Args, folder: Path) -> None:
    """Feedback on the network's own samples, and what it teaches."""
    rollouts = feedback(network, images, args)
    judged = FeedbackSet.of(rollouts, images.keys(), args.lesson)
    tunable = TunableFlow.of(copy.deepcopy(network), images, images.keys(), CollectConfig().sampling)
    tuned = tune(tunable, judged, cfg, folder=folder)
    about = {
        "samples": len(rollouts), "stable": judged.stable_share, "mixed": judged.mixed_share, "last_step": tuned.last_step,
    }  # fmt: skip
    write_whole(folder / "about.json", json.dumps(about, indent=2) + "\n")
    save_round(tuned.model, folder)


def feedback(network: PartFlow, images: ImageSet, args: Args) -> tuple[Rollout, ...]:
    """Judged samples, made once for each network."""
    cfg = CollectConfig(seeds=args.samples)
    final = args.out / "rollouts" / f"{model_id(network)}_{len(images.keys())}"
    if not final.is_dir():
        final.parent.mkdir(exist_ok=True)
        with fresh_folder(final) as partial:
            RolloutStore(partial).add(judged_here(network, images, cfg))
    return RolloutStore(final).read()


def learnt_from(args: Args, number: int) -> ImageSet:
    """Pictures of a round: another half as many for the second."""
    first, count = (0, args.pictures) if number == 1 else (args.pictures, args.pictures // 2)
    return FurnitureImages(folder=args.data, first=first, count=count, views=args.views, known=args.known)


def tested(network: PartFlow, args: Args, seed: int) -> dict[str, dict[str, float]]:
    """Figures on held-out pictures, as made and attached."""
    first = args.curve_pictures
    images = FurnitureImages(
        folder=args.data, split="held_out", first=first, count=args.tests, views=args.views, known=args.known
    )  # fmt: skip
    cfg = CollectConfig(seeds=args.test_samples, first_seed=TEST_SEED + 1000 * seed)
    rollouts = judged_here(network, images, cfg)
    return {how: outcome([made_of(one, images, cfg.judge, is_attached=how == "attached") for one in rollouts]) for how in HOW}


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
    """Stability and likeness over the steps of one tuning without guard, for the literal form and the sound ones."""
    network, images = load_tuned(args.weights), learnt_from(args, 1)
    held_out = FurnitureImages(
        folder=args.data, split="held_out", count=args.curve_pictures, views=args.views, known=args.known
    )  # fmt: skip
    judged = FeedbackSet.of(feedback(network, images, args), images.keys(), args.lesson)
    for number, (label, loss) in enumerate(CURVES.items()):
        folder = args.out / "curve" / str(number)
        if (folder / "done").exists():
            continue
        unguarded = replace(tuning(args, loss, 0), cooling=0.0, guard=None, patience=10**6)
        cfg = replace(unguarded, steps=args.curve_steps, check_every=args.curve_every)
        measured = measure_on(held_out, FinetuneConfig(lesson=args.lesson))
        tunable = TunableFlow.of(copy.deepcopy(network), images, images.keys(), CollectConfig().sampling)
        tune(tunable, judged, cfg, folder=folder, measure=measured)
        write_whole(folder / "done", label + "\n")
        console.print(f"curve of {label}: {folder / 'curve.csv'}", highlight=False)
    draw_curves(args.out)


def draw_curves(out: Path) -> None:
    """curve.png: stable samples, their likeness to the truth and the errors of both classes over steps."""
    from matplotlib.figure import Figure

    panels = {
        "stable_attached": "stable [%], attached",
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
