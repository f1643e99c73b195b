"""Rounds of collecting feedback and tuning on it: each learns from samples of the model that the one before left (Sec. 3.4)."""

import copy
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hsimul3r.files import write_whole
from hsimul3r.generator.dsro.feedback_set import FeedbackSet
from hsimul3r.generator.dsro.images import SomeImages
from hsimul3r.generator.dsro.outcome import judged_here, likely_score
from hsimul3r.generator.dsro.reward import Lesson, has_more_to_say
from hsimul3r.generator.dsro.trainer import SCORE, Measure, TuneConfig, tune
from hsimul3r.generator.dsro.tunable import TunableFlow
from hsimul3r.generator.dsro.tuned import ADAPTER, round_folder, save_round, save_tuned, with_round
from hsimul3r.generator.feedback.collect import CollectConfig, collect
from hsimul3r.generator.feedback.images import ImageSet
from hsimul3r.generator.feedback.record import Rollout, RolloutStore
from hsimul3r.generator.flow.network import PartFlow
from hsimul3r.progress import Progress
from stages.adapters.lora import merged

if TYPE_CHECKING:
    from stages.adapters.lora import PeftModel

log = logging.getLogger(__name__)
ROLLOUTS: Final = "rollouts"
CHECK_SEED: Final = 10_000
"""Held-out samples take seeds that no collection takes."""
REPORT: Final = "report.json"


@dataclass(frozen=True, kw_only=True)
class FinetuneConfig:
    """Settings of `finetune`."""

    rounds: int = 4
    """Each has its share of the images to itself."""
    collect: CollectConfig = field(default_factory=CollectConfig)
    look: int | None = 5
    """So many samples of an image come first; the rest only where one of them could have been better. None: all of all."""
    tune: TuneConfig = field(default_factory=TuneConfig)
    lesson: Lesson = "graded"
    check_seeds: int = 3
    """Samples of each held-out image whenever tuning is measured: after every round, or within the only one."""
    patience: int = 3
    """So many rounds without a better score on held-out images are the last."""


@dataclass(frozen=True, kw_only=True)
class RoundReport:
    """What a round collected and learnt."""

    rollouts: int
    stable_percent: float
    mixed_percent: float
    """Of images with good and bad samples: what can be learnt from."""
    kept_step: int
    last_step: int
    held_out: Mapping[str, float]
    """`likely_score` of the network after the round; empty without held-out images."""


@dataclass(frozen=True, kw_only=True)
class Finetuned:
    """The network of the best round, and how it came about."""

    network: PartFlow
    rounds: tuple[RoundReport, ...]
    kept_round: int
    """0: the network as it was."""


def finetune(
    network: PartFlow, images: ImageSet, held_out: ImageSet | None, cfg: FinetuneConfig, folder: Path, progress: Progress
) -> Finetuned:
    """Tune a network by rounds; goes on where it was stopped. Writes what tuned.py says. Without held-out images the last round
    is the best.

    Raises `NothingToLearn` where no image has good and bad samples both.
    """
    keys, reports = images.keys(), []
    networks, scores = [network], [_held_out(network, held_out, cfg, folder / REPORT).get(SCORE, -1.0)]
    for number in range(1, cfg.rounds + 1):
        progress.say(f"[bold]round {number} of {cfg.rounds}[/bold]")
        some = SomeImages(images=images, chosen=keys[number - 1 :: cfg.rounds])
        tuned, report = _round(networks[-1], some, held_out, cfg, folder, number, progress)
        reports.append(report)
        networks.append(tuned)
        scores.append(report.held_out.get(SCORE, float(number)))
        progress.say(f"score on held-out images {scores[-1]:.3f}, best {max(scores):.3f}")
        if number - max(range(number + 1), key=scores.__getitem__) >= cfg.patience:
            break
    kept = max(range(len(scores)), key=scores.__getitem__)
    about = {"rounds": [vars(report) for report in reports], "kept_round": kept, "loss": cfg.tune.loss.kind}
    save_tuned(networks[kept], folder, about)
    return Finetuned(network=networks[kept], rounds=tuple(reports), kept_round=kept)


def measure_on(images: ImageSet, cfg: FinetuneConfig) -> Measure:
    """The figures of a network with adapters on held-out images."""

    def measure(model: "PeftModel") -> Mapping[str, float]:
        network = merged(copy.deepcopy(model))
        assert isinstance(network, PartFlow)
        return _measured(network, images, cfg)

    return measure


def _round(
    network: PartFlow, images: ImageSet, held_out: ImageSet | None, cfg: FinetuneConfig, folder: Path, number: int,
    progress: Progress,
) -> tuple[PartFlow, RoundReport]:  # fmt: skip
    """Collect with the network as it is, tune it, merge what was learnt."""
    own = round_folder(folder, number)
    if (own / REPORT).exists():
        return with_round(copy.deepcopy(network), own), RoundReport(**json.loads((own / REPORT).read_text()))
    own.mkdir(parents=True, exist_ok=True)
    keys, rollouts = images.keys(), collected(network, images, RolloutStore(folder / ROLLOUTS), cfg, progress)
    feedback = FeedbackSet.of(rollouts, keys, cfg.lesson)
    progress.say(f"{len(rollouts)} samples, {feedback.stable_share:.0%} stable; {feedback.mixed_share:.0%} of images have both")
    settings = replace(cfg.tune, seed=cfg.tune.seed + 1000 * (number - 1))
    tunable = TunableFlow.of(copy.deepcopy(network), images, keys, cfg.collect.sampling)
    measure = measure_on(held_out, cfg) if cfg.rounds == 1 and held_out and held_out.keys() else None
    learnt = tune(tunable, feedback, settings, folder=own, measure=measure)
    if not (own / ADAPTER).exists():
        save_round(learnt.model, own)
    tuned = with_round(copy.deepcopy(network), own)
    report = RoundReport(
        rollouts=len(rollouts), stable_percent=100 * feedback.stable_share, mixed_percent=100 * feedback.mixed_share,
        kept_step=learnt.step, last_step=learnt.last_step, held_out=_measured(tuned, held_out, cfg),
    )  # fmt: skip
    write_whole(own / REPORT, json.dumps(vars(report), indent=2) + "\n")
    return tuned, report


def collected(
    network: PartFlow, images: ImageSet, store: RolloutStore, cfg: FinetuneConfig, progress: Progress
) -> tuple[Rollout, ...]:  # fmt: skip
    """A look at every image, and the other samples of those that have more to say."""
    if cfg.look is None or cfg.look >= cfg.collect.seeds:
        return collect(network, images, store, cfg.collect, progress).rollouts
    first = collect(network, images, store, replace(cfg.collect, seeds=cfg.look), progress).rollouts
    keys = images.keys()
    chosen = tuple(key for key in keys if has_more_to_say([one for one in first if one.image == key], cfg.lesson))
    if not chosen:
        return first
    rest = collect(network, SomeImages(images=images, chosen=chosen), store, cfg.collect, progress).rollouts
    return tuple(one for one in first if one.image not in chosen) + rest


def _held_out(network: PartFlow, images: ImageSet | None, cfg: FinetuneConfig, path: Path) -> Mapping[str, float]:
    """`_measured`, kept in a file."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps(_measured(network, images, cfg), indent=2) + "\n")
    return json.loads(path.read_text())


def _measured(network: PartFlow, images: ImageSet | None, cfg: FinetuneConfig) -> dict[str, float]:
    """Figures on held-out images, which are judged alone; none without images."""
    if images is None or not images.keys():
        return {}
    judge = replace(cfg.collect.judge, asks_person=False)
    sampled = replace(cfg.collect, first_seed=CHECK_SEED, seeds=cfg.check_seeds, judge=judge)
    return likely_score(judged_here(network, images, sampled), is_attached=cfg.lesson != "as_made")
