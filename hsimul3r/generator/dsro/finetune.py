"""Rounds of collecting feedback and tuning on it: each learns from samples of the model that the one before left (Sec. 3.4)."""

import copy
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hsimul3r.generator.dsro.feedback_set import FeedbackSet, Lesson
from hsimul3r.generator.dsro.images import SomeImages
from hsimul3r.generator.dsro.outcome import judged_here, likely_score
from hsimul3r.generator.dsro.trainer import Measure, TuneConfig, tune
from hsimul3r.generator.dsro.tunable import TunableFlow
from hsimul3r.generator.dsro.tuned import ADAPTER, round_folder, save_round, save_tuned, with_round
from hsimul3r.generator.feedback.collect import CollectConfig, collect
from hsimul3r.generator.feedback.images import ImageSet
from hsimul3r.generator.feedback.record import RolloutStore
from hsimul3r.generator.flow.network import PartFlow
from hsimul3r.progress import Progress
from stages.adapters.lora import merged

if TYPE_CHECKING:
    from stages.adapters.lora import PeftModel

log = logging.getLogger(__name__)
ROLLOUTS: Final = "rollouts"
CHECK_SEED: Final = 10_000
"""Held-out samples take seeds that no collection takes."""


@dataclass(frozen=True, kw_only=True)
class FinetuneConfig:
    """Settings of `finetune`."""

    rounds: int = 2
    """Each has its share of the images to itself."""
    collect: CollectConfig = field(default_factory=CollectConfig)
    tune: TuneConfig = field(default_factory=TuneConfig)
    lesson: Lesson = "attached"
    """The pipeline uses objects after their parts were attached."""
    check_seeds: int = 5
    """Samples of each held-out image whenever tuning is measured."""


@dataclass(frozen=True, kw_only=True)
class RoundReport:
    """What a round collected and learnt."""

    rollouts: int
    stable_percent: float
    mixed_percent: float
    """Of images with samples of both classes: what can be learnt from."""
    kept_step: int
    last_step: int
    score: float


def finetune(
    network: PartFlow, images: ImageSet, held_out: ImageSet, cfg: FinetuneConfig, folder: Path, progress: Progress
) -> tuple[PartFlow, tuple[RoundReport, ...]]:
    """Tune a network, which is used up, by rounds; goes on where it was stopped. Writes what tuned.py says.

    Raises `NothingToLearn` where no image has samples of both classes.
    """
    keys = images.keys()
    reports = []
    for number in range(1, cfg.rounds + 1):
        progress.say(f"[bold]round {number} of {cfg.rounds}[/bold]")
        some = SomeImages(images=images, chosen=keys[number - 1 :: cfg.rounds])
        network, report = _round(network, some, held_out, cfg, folder, number, progress)
        reports.append(report)
    save_tuned(network, folder, {"rounds": [vars(report) for report in reports], "loss": cfg.tune.loss.kind})
    return network, tuple(reports)


def measure_on(images: ImageSet, cfg: FinetuneConfig) -> Measure:
    """The score of a network with adapters on images, by its samples as they are judged alone."""
    judge = replace(cfg.collect.judge, asks_person=False)
    sampled = replace(cfg.collect, first_seed=CHECK_SEED, seeds=cfg.check_seeds, judge=judge)

    def measure(model: "PeftModel") -> Mapping[str, float]:
        network = merged(copy.deepcopy(model))
        assert isinstance(network, PartFlow)
        return likely_score(judged_here(network, images, sampled), is_attached=cfg.lesson != "as_made")

    return measure


def _round(
    network: PartFlow, images: ImageSet, held_out: ImageSet, cfg: FinetuneConfig, folder: Path, number: int, progress: Progress
) -> tuple[PartFlow, RoundReport]:  # fmt: skip
    """Collect with the network as it is, tune it, merge what was learnt."""
    own, keys = round_folder(folder, number), images.keys()
    own.mkdir(parents=True, exist_ok=True)
    rollouts = collect(network, images, RolloutStore(folder / ROLLOUTS), cfg.collect, progress).rollouts
    feedback = FeedbackSet.of(rollouts, keys, cfg.lesson)
    progress.say(f"{len(rollouts)} samples, {feedback.stable_share:.0%} stable; {feedback.mixed_share:.0%} of images have both")
    settings = replace(cfg.tune, seed=cfg.tune.seed + 1000 * (number - 1))
    tunable = TunableFlow.of(copy.deepcopy(network), images, keys, cfg.collect.sampling)
    tuned = tune(tunable, feedback, settings, folder=own, measure=measure_on(held_out, cfg) if held_out.keys() else None)
    if not (own / ADAPTER).exists():
        save_round(tuned.model, own)
    report = RoundReport(
        rollouts=len(rollouts), stable_percent=100 * feedback.stable_share, mixed_percent=100 * feedback.mixed_share,
        kept_step=tuned.step, last_step=tuned.last_step, score=tuned.score,
    )  # fmt: skip
    return with_round(network, own), report
