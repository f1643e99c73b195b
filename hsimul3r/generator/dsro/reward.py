"""What a judged sample is worth: the bit of Eq. 7, or how much better than its picture's others it does."""

from collections.abc import Sequence
from typing import Final, Literal

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from hsimul3r.errors import NothingToLearn
from hsimul3r.generator.feedback.judge import SUPPORT
from hsimul3r.generator.feedback.record import Rollout

Lesson = Literal["attached", "as_made", "both", "graded"]
"""What is learnt: to be stable after attachment, without it, or both at once: then samples that are stable as they were made
stand against those that even attachment does not save, and the rest is left out. "graded": after attachment, by degrees, so
that pictures of which nothing stands say something too."""
ENOUGH_M: Final = 0.03
"""A support margin beyond this is worth no more."""
WORST_M: Final = -0.15
"""One below this is worth no less; then come samples in several pieces, the fewer the better."""
PIECE_M: Final = 0.05
"""What a piece that hangs loose counts as."""
MOST_PIECES: Final = 2
SPREADS: Final = 1.5
"""So many standard deviations above the mean of its picture is a reward of 1."""


def bit(rollout: Rollout, lesson: Lesson) -> bool | None:
    """l of Eq. 7; None where the sample is left out."""
    if lesson == "both":
        return True if rollout.as_made.is_stable else None if rollout.attached.is_stable else False
    return rollout.judgement(is_attached=lesson != "as_made").is_stable


def worth(rollout: Rollout) -> float:
    """How far a sample is from falling [m]: its support margin within limits; at most 0 where the simulator lets it fall.

    Raises `NothingToLearn` of samples that have no such margin: those of other generators come as meshes.
    """
    if rollout.attached.holds("connected") is not True:
        loose = min(rollout.figures.get("pieces", np.inf) - 1, MOST_PIECES)
        return WORST_M - PIECE_M * loose
    if SUPPORT not in rollout.figures:
        raise NothingToLearn("these samples are not graded: take another lesson (--finetune.lesson attached)")
    most = ENOUGH_M if rollout.attached.is_stable else 0.0
    return float(np.clip(rollout.figures[SUPPORT], WORST_M, most))


def graded(worths: Float[ndarray, "n"], image: Int[ndarray, "n"]) -> Float[ndarray, "n"]:
    """Rewards in [0, 1]: 1/2 for the mean of the picture, more for what is better (the advantage of DiffusionNFT)."""
    _, row = np.unique(image, return_inverse=True)
    apart = worths - (np.bincount(row, worths) / np.bincount(row))[row]
    spread = SPREADS * float(apart.std())
    return 0.5 + 0.5 * np.clip(apart / spread, -1.0, 1.0) if spread > 0 else np.full(len(worths), 0.5)


def has_more_to_say(rollouts: Sequence[Rollout], lesson: Lesson) -> bool:
    """Whether further samples of a picture may teach something: not all of these are as good as can be."""
    if lesson == "graded":
        return any(worth(rollout) < ENOUGH_M for rollout in rollouts)
    return any(bit(rollout, lesson) is not True for rollout in rollouts)
