"""What a generator's judged samples amount to: how many are stable, and what they look like, with and without attachment."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

import numpy as np

from hsimul3r.generator.feedback.collect import BLOCK, CollectConfig, Task, job_of, roll_out
from hsimul3r.generator.feedback.images import ImageSet
from hsimul3r.generator.feedback.judge import JudgeConfig, solid_of
from hsimul3r.generator.feedback.record import Rollout
from hsimul3r.generator.feedback.shape import Shape, diversity, shape_figures
from hsimul3r.generator.flow.attach import AttachConfig, attach
from hsimul3r.generator.flow.network import PartFlow
from hsimul3r.generator.flow.primitives import without_mirrors
from hsimul3r.generator.flow.tokens import decode
from hsimul3r.metrics.shape import Normalisation, normalised_likeness

NORMALISATIONS: Final[tuple[Normalisation, ...]] = ("midi", "dso")
AS_MADE: Final = AttachConfig(reach_m=0.0)


@dataclass(frozen=True, kw_only=True)
class Made:
    """One sample: its bit of Eq. 7, the tests that it passed, its shape and how that compares to the truth."""

    image: str
    is_stable: bool
    passed: tuple[str, ...]
    shape: Shape | None
    """None where its parts make no solid."""
    figures: Mapping[str, float]


def judged_here(network: PartFlow, images: ImageSet, cfg: CollectConfig) -> tuple[Rollout, ...]:
    """Samples of all images, judged in this process and not kept: few of them, where processes would take longer to start."""
    job = job_of(network, images, cfg)
    seeds = range(cfg.first_seed, cfg.first_seed + cfg.seeds)
    blocks = [tuple(block) for _, block in groupby(seeds, lambda seed: seed // BLOCK)]
    tasks = [Task(image=image, seeds=block) for image in images.keys() for block in blocks]  # noqa: SIM118
    return tuple(rollout for task in tasks for rollout in roll_out(job, task))


def likely_score(rollouts: Sequence[Rollout], *, is_attached: bool) -> dict[str, float]:
    """Shares of stable samples, their likeness to the truth, and the score that tuning maximises on held-out images: the mean
    of stable (0 or 1) times F-score, so that a plinth that stands is worth what it resembles."""
    stable = np.array([rollout.judgement(is_attached=is_attached).is_stable for rollout in rollouts], float)
    like = np.array([_likeness(rollout.figures) for rollout in rollouts]) / 100
    found = {"score": float((stable * like).mean()), "f_score": 100 * float(like.mean())}
    for name, attached in (("as_made", False), ("attached", True)):
        share = np.mean([rollout.judgement(is_attached=attached).is_stable for rollout in rollouts])
        found[f"stable_{name}"] = 100 * float(share)
    return found


def made_of(rollout: Rollout, images: ImageSet, cfg: JudgeConfig, *, is_attached: bool) -> Made:
    """A rollout's object as it was made, or after attachment, beside the truth where there is one."""
    primitives = without_mirrors(decode(rollout.sample.astype(float))[0])
    parts = attach(primitives, cfg.attach if is_attached else AS_MADE).primitives
    solid = solid_of(parts, cfg) if parts else None
    judgement = rollout.judgement(is_attached=is_attached)
    passed = tuple(dict.fromkeys(check.test for check in judgement.checks if judgement.holds(check.test)))
    shape = Shape.of(solid.surface, len(parts)) if solid else None
    return Made(
        image=rollout.image, is_stable=judgement.is_stable, passed=passed, shape=shape,
        figures=_figures(shape, rollout.image, images) if shape else {},
    )  # fmt: skip


def outcomes(rollouts: Sequence[Rollout], images: ImageSet, cfg: JudgeConfig) -> dict[str, dict[str, float]]:
    """`outcome` of the same samples, "as made" and "attached"."""
    attached = [made_of(rollout, images, cfg, is_attached=True) for rollout in rollouts]
    as_made = [
        after if rollout.figures["pieces_as_made"] == 1 else made_of(rollout, images, cfg, is_attached=False)
        for rollout, after in zip(rollouts, attached)
    ]
    return {"as made": outcome(as_made), "attached": outcome(attached)}


def outcome(made: Sequence[Made]) -> dict[str, float]:
    """Means over samples: shares in percent, Chamfer distances times a hundred; diversity over images.

    A sample without a solid counts as unstable, with an F-score of nought; its other figures are left out.
    """
    found = {"stable": 100 * float(np.mean([one.is_stable for one in made]))}
    found["connected"] = 100 * float(np.mean(["connected" in one.passed for one in made]))
    found["gravity"] = 100 * float(np.mean(["gravity" in one.passed for one in made]))
    names = dict.fromkeys(name for one in made for name in one.figures)
    for name in names:
        values = [one.figures.get(name, 0.0 if name.startswith("f_") else np.nan) for one in made]
        found[name] = float(np.nanmean(values))
    by_image: dict[str, list[Shape]] = defaultdict(list)
    for one in made:
        if one.shape is not None:
            by_image[one.image].append(one.shape)
    spread = [diversity(shapes) for shapes in by_image.values() if len(shapes) > 1]
    return found | ({"diversity": 100 * float(np.mean(spread))} if spread else {})


def _likeness(figures: Mapping[str, float]) -> float:
    """F-score; 0 of what is no solid, 100 where the truth is not known."""
    return figures.get("f_score", 100.0) if "parts" in figures else 0.0


def _figures(shape: Shape, image: str, images: ImageSet) -> dict[str, float]:
    truth = images.truth(image)
    found = dict(shape_figures(shape, truth))
    if truth is None:
        return found
    true = Shape.of(truth.surface, parts=0)
    for normalisation in NORMALISATIONS:
        like = normalised_likeness(shape.points, true.points, normalisation=normalisation)
        found |= {f"f_{normalisation}": like.f_score, f"chamfer_{normalisation}": 100 * like.chamfer}
    return found | {"chamfer": 100 * found["chamfer"]}
