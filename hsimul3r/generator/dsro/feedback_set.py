"""Judged samples as tensors, and batches of them in which neither a class nor an image outweighs another."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from torch import Tensor

from hsimul3r.errors import NothingToLearn
from hsimul3r.generator.feedback.record import Rollout

Lesson = Literal["attached", "as_made", "both"]
"""What is learnt: to be stable after attachment, without it, or both at once: then samples that are stable as they were made
stand against those that even attachment does not save, and the rest is left out."""


def bit(rollout: Rollout, lesson: Lesson) -> bool | None:
    """l of Eq. 7; None where the sample is left out."""
    if lesson == "both":
        return True if rollout.as_made.is_stable else None if rollout.attached.is_stable else False
    return rollout.judgement(is_attached=lesson == "attached").is_stable


@dataclass(frozen=True, kw_only=True)
class FeedbackSet:
    """Samples with the bit of Eq. 7, and the row of the image that each was made from."""

    samples: Float[Tensor, "n tokens channels"]
    is_stable: Bool[ndarray, "n"]
    image: Int[ndarray, "n"]

    @classmethod
    def of(cls, rollouts: Sequence[Rollout], keys: Sequence[str], lesson: Lesson) -> "FeedbackSet":
        """Rollouts of images by their keys; others are left out. Raises `NothingToLearn`."""
        row = {key: i for i, key in enumerate(keys)}
        bits = [(rollout, bit(rollout, lesson)) for rollout in rollouts if rollout.image in row]
        chosen = [(rollout, is_stable) for rollout, is_stable in bits if is_stable is not None]
        if not chosen:
            raise NothingToLearn("there is not one judged sample of these images")
        return cls(
            samples=torch.from_numpy(np.stack([rollout.sample for rollout, _ in chosen])).float(),
            is_stable=np.array([is_stable for _, is_stable in chosen]),
            image=np.array([row[rollout.image] for rollout, _ in chosen]),
        )

    @property
    def stable_share(self) -> float:
        return float(self.is_stable.mean())

    @property
    def mixed_share(self) -> float:
        """Of the images that have samples of both classes."""
        return len(self.mixed) / len(np.unique(self.image))

    @cached_property
    def mixed(self) -> Int[ndarray, "mixed"]:
        """Images that teach something: those of which one sample is stable and another is not."""
        return np.intersect1d(self.image[self.is_stable], self.image[~self.is_stable])

    def require_mixed(self) -> None:
        """Raises `NothingToLearn`."""
        if not len(self.mixed):
            raise NothingToLearn(f"no image has stable and unstable samples both ({self.stable_share:.0%} are stable)")

    def draw(self, count: int, rng: np.random.Generator) -> Int[ndarray, "count"]:
        """Rows, a stable and an unstable sample of the same mixed image in turn; images are drawn evenly.

        An odd count ends with one of a pair, either as likely.
        """
        pairs = -(-count // 2)
        chosen = rng.choice(self.mixed, pairs)
        rows = np.array([[rng.choice(self._rows[image, is_stable]) for is_stable in (True, False)] for image in chosen])
        if count % 2 and rng.random() < 0.5:
            rows[-1] = rows[-1, ::-1]
        return rows.flatten()[:count]

    def draw_stable(self, count: int, rng: np.random.Generator) -> Int[ndarray, "count"]:
        """Rows of stable samples of any image that has one; images are drawn evenly."""
        images = rng.choice(np.unique(self.image[self.is_stable]), count)
        return np.array([rng.choice(self._rows[image, True]) for image in images])

    @cached_property
    def _rows(self) -> dict[tuple[int, bool], Int[ndarray, "rows"]]:
        keys = set(zip(self.image.tolist(), self.is_stable.tolist()))
        return {key: np.flatnonzero((self.image == key[0]) & (self.is_stable == key[1])) for key in keys}
