"""What a collection of rollouts says of a model: how many samples are stable, why the others are not, what all look like."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from hsimul3r.errors import NoRollouts
from hsimul3r.generator.feedback.record import Judgement, Kind, Rollout
from hsimul3r.generator.feedback.shape import Shape, diversity

COMPARED: Final = 4
"""Samples of an image whose diversity is measured, the first ones."""
KINDS: Final[Mapping[Kind, str]] = {
    1: "falls under gravity, or apart", 2: "falls under load or with the person", 3: "stands, no contact is held", 4: "stable",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Share:
    """Of samples, and its standard error: samples of an image are alike, so that images are what is counted."""

    value: float
    error: float

    def __str__(self) -> str:
        return f"{100 * self.value:.1f} +- {100 * self.error:.1f} %"


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Of one model by one judge."""

    samples: int
    images: int
    with_person: int
    """Samples whose person was asked, or would have been."""
    stable: Share
    """With attachment, of single samples."""
    stable_as_made: Share
    candidates: int
    best_of_candidates: Share
    """Where the first stable one of so many samples in a row is taken; with attachment."""
    kinds: Mapping[Kind, int]
    kinds_as_made: Mapping[Kind, int]
    mixed: float
    """Share of images with stable samples and others, with attachment: those that teach something."""
    figures: Mapping[str, float]
    """Means of `shape.shape_figures` over samples that are solids, and the diversity."""

    def lines(self) -> list[str]:
        """As a Markdown table."""
        rows = {
            "samples, images": f"{self.samples}, {self.images}",
            "stable (type 4), attached": str(self.stable),
            "stable (type 4), as made": str(self.stable_as_made),
            f"stable, best of {self.candidates}, attached": str(self.best_of_candidates),
            **{
                f"type {kind}: {name}": f"{self.kinds[kind]} ({self.kinds_as_made[kind]} as made)"
                for kind, name in KINDS.items()
            },
            "samples with a person": str(self.with_person),
            "images with stable and other samples": f"{100 * self.mixed:.0f} %",
            **{name: f"{value:.4g}" for name, value in self.figures.items()},
        }
        return ["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows.items())]


def summarise(
    rollouts: Sequence[Rollout], shape: Callable[[Rollout], Shape | None] | None = None, *, candidates: int = 1
) -> Summary:
    """What was judged; the diversity too where what samples look like can be asked. Raises `NoRollouts`."""
    if not rollouts:
        raise NoRollouts()
    by_image: dict[str, list[Rollout]] = defaultdict(list)
    for rollout in sorted(rollouts, key=lambda one: (one.image, one.seed)):
        by_image[rollout.image].append(rollout)
    attached = [[one.attached.is_stable for one in group] for group in by_image.values()]
    return Summary(
        samples=len(rollouts), images=len(by_image), with_person=sum(one.attached.has_person for one in rollouts),
        stable=share(attached),
        stable_as_made=share([[one.as_made.is_stable for one in group] for group in by_image.values()]),
        candidates=candidates, best_of_candidates=share([_best(group, candidates) for group in attached]),
        kinds=_kinds([one.attached for one in rollouts]), kinds_as_made=_kinds([one.as_made for one in rollouts]),
        mixed=float(np.mean([len(set(group)) == 2 for group in attached])),
        figures=_figures(list(by_image.values()), shape),
    )  # fmt: skip


def share(groups: Sequence[Sequence[bool]]) -> Share:
    """Mean over all samples, with the standard error of a mean of clusters."""
    sizes, sums = np.array([len(group) for group in groups]), np.array([sum(group) for group in groups])
    value = float(sums.sum() / sizes.sum())
    left = sums - value * sizes
    count = len(groups)
    error = np.sqrt((left**2).sum() * count / max(count - 1, 1)) / sizes.sum()
    return Share(value=value, error=float(error))


def _best(stable: Sequence[bool], candidates: int) -> list[bool]:
    """Whether any of every `candidates` samples in a row is stable; what is left over is left out."""
    whole = max(len(stable) // candidates, 1)
    return [any(stable[candidates * i : candidates * (i + 1)]) for i in range(whole)]


def _kinds(judgements: Sequence[Judgement]) -> Mapping[Kind, int]:
    counted = Counter(judgement.kind for judgement in judgements)
    return {kind: counted[kind] for kind in KINDS}


def _figures(groups: Sequence[Sequence[Rollout]], shape: Callable[[Rollout], Shape | None] | None) -> Mapping[str, float]:
    solid = [one.figures for group in groups for one in group if "volume_m3" in one.figures]
    names = dict.fromkeys(name for figures in solid for name in figures)
    means = {name: float(np.mean([figures[name] for figures in solid if name in figures])) for name in names}
    if shape is None:
        return means
    made = [[one for one in map(shape, group[:COMPARED]) if one is not None] for group in groups]
    spread = [diversity(shapes) for shapes in made if len(shapes) > 1]
    return means | ({"diversity": float(np.mean(spread))} if spread else {})
