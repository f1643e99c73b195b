"""Judged samples as tensors, and batches of them in which neither good nor bad ones nor an image outweigh the others."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from numpy.typing import ArrayLike
from torch import Tensor

from hsimul3r.errors import NothingToLearn
from hsimul3r.generator.dsro.reward import Lesson, bit, graded, worth
from hsimul3r.generator.feedback.record import Rollout


@dataclass(frozen=True, kw_only=True)
class FeedbackSet:
    """Samples with the bit of Eq. 7, and the row of the image that each was made from. Those with a reward above one half are
    called good here, those below bad."""

    samples: Float[Tensor, "n tokens channels"]
    is_stable: Bool[ndarray, "n"]
    image: Int[ndarray, "n"]
    grades: Float[ndarray, "n"] | None = None
    """Rewards in [0, 1]; None: the bit."""

    @classmethod
    def of(cls, rollouts: Sequence[Rollout], keys: Sequence[str], lesson: Lesson) -> "FeedbackSet":
        """Rollouts of images by their keys; others are left out. Raises `NothingToLearn`."""
        row = {key: i for i, key in enumerate(keys)}
        bits = [(rollout, bit(rollout, lesson)) for rollout in rollouts if rollout.image in row]
        chosen = [(rollout, is_stable) for rollout, is_stable in bits if is_stable is not None]
        if not chosen:
            raise NothingToLearn("there is not one judged sample of these images")
        image = np.array([row[rollout.image] for rollout, _ in chosen])
        worths = np.array([worth(rollout) for rollout, _ in chosen]) if lesson == "graded" else None
        return cls(
            samples=torch.from_numpy(np.stack([rollout.sample for rollout, _ in chosen])).float(),
            is_stable=np.array([is_stable for _, is_stable in chosen]), image=image,
            grades=None if worths is None else graded(worths, image),
        )  # fmt: skip

    @property
    def reward(self) -> Float[ndarray, "n"]:
        return self.is_stable.astype(float) if self.grades is None else self.grades

    @property
    def stable_share(self) -> float:
        return float(self.is_stable.mean())

    @property
    def mixed_share(self) -> float:
        """Of the images that have good and bad samples both."""
        return len(self.mixed) / len(np.unique(self.image))

    @cached_property
    def mixed(self) -> Int[ndarray, "mixed"]:
        """Images that teach something: those of which one sample is good and another is bad."""
        return np.intersect1d(self.image[self.reward > 0.5], self.image[self.reward < 0.5])

    def require_mixed(self) -> None:
        """Raises `NothingToLearn`."""
        if not len(self.mixed):
            raise NothingToLearn(f"no image has good and bad samples both ({self.stable_share:.0%} are stable)")

    def draw(self, count: int, rng: np.random.Generator) -> Int[ndarray, "count"]:
        """Rows, a good and a bad sample of the same mixed image in turn. The farther rewards are from one half, the more often
        images and samples are drawn; of bits all are drawn evenly.

        An odd count ends with one of a pair, either as likely.
        """
        pairs = -(-count // 2)
        chosen = rng.choice(self.mixed, pairs, p=_shares([self._weight[self.image == image].mean() for image in self.mixed]))
        rows = np.array([[self._one(image, is_good, rng) for is_good in (True, False)] for image in chosen])
        if count % 2 and rng.random() < 0.5:
            rows[-1] = rows[-1, ::-1]
        return rows.flatten()[:count]

    def draw_stable(self, count: int, rng: np.random.Generator) -> Int[ndarray, "count"]:
        """Rows of stable samples of any image that has one; images are drawn evenly."""
        images = rng.choice(np.unique(self.image[self.is_stable]), count)
        return np.array([rng.choice(np.flatnonzero(self.is_stable & (self.image == image))) for image in images])

    def _one(self, image: int, is_good: bool, rng: np.random.Generator) -> int:
        rows = self._rows[image, is_good]
        return rng.choice(rows, p=_shares(self._weight[rows]))

    @cached_property
    def _weight(self) -> Float[ndarray, "n"]:
        """How much every sample says."""
        return np.abs(2 * self.reward - 1)

    @cached_property
    def _rows(self) -> dict[tuple[int, bool], Int[ndarray, "rows"]]:
        """Good and bad samples of every mixed image."""
        return {
            (image, is_good): np.flatnonzero((self.image == image) & ((self.reward > 0.5) if is_good else (self.reward < 0.5)))
            for image in self.mixed.tolist()
            for is_good in (True, False)
        }


def _shares(weights: ArrayLike) -> Float[ndarray, "n"]:
    values = np.asarray(weights, float)
    return values / values.sum()
