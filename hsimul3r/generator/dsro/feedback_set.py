"""Judged samples as tensors, and batches of them in which neither a class nor an image outweighs another."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from torch import Tensor

from hsimul3r.errors import NothingToLearn
from hsimul3r.generator.feedback.record import Rollout


@dataclass(frozen=True, kw_only=True)
class FeedbackSet:
    """Samples with the bit of Eq. 7, and the row of the image that each was made from."""

    samples: Float[Tensor, "n tokens channels"]
    is_stable: Bool[ndarray, "n"]
    image: Int[ndarray, "n"]

    @classmethod
    def of(cls, rollouts: Sequence[Rollout], keys: Sequence[str], *, is_attached: bool) -> "FeedbackSet":
        """Rollouts of images by their keys; others are left out. Raises `NothingToLearn`."""
        row = {key: i for i, key in enumerate(keys)}
        chosen = [rollout for rollout in rollouts if rollout.image in row]
        if not chosen:
            raise NothingToLearn("there is not one judged sample of these images")
        return cls(
            samples=torch.from_numpy(np.stack([rollout.sample for rollout in chosen])).float(),
            is_stable=np.array([rollout.judgement(is_attached=is_attached).is_stable for rollout in chosen]),
            image=np.array([row[rollout.image] for rollout in chosen]),
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
