"""What every cross-entropy search here does: antithetic Gaussian samples, rank weights, and the next mean and spread."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from hsimul3r.conventions import BODY_JOINTS
from hsimul3r.tracking.layout import joint_kind

POSE_SCALE = {
    "hip": 0.06, "knee": 0.06, "ankle": 0.06, "foot": 0.015, "spine1": 0.06, "spine2": 0.03, "spine3": 0.03, "neck": 0.01,
    "head": 0.01, "collar": 0.015, "shoulder": 0.05, "elbow": 0.03, "wrist": 0.01,
}  # fmt: skip
"""Expected error of a reconstructed joint per axis [rad]: the first spread of the samples."""
SUPPORT = ("hip", "knee", "ankle", "spine1")
"""Joints that carry the weight."""
JOINT_KINDS = tuple(joint_kind(joint) for joint in BODY_JOINTS[1:])
"""Keys of POSE_SCALE of the joints that servos drive, in the order of BODY_JOINTS."""


class Adaptation(Protocol):
    """How fast a search narrows."""

    @property
    def elite_share(self) -> float:
        """Of the samples that make the next mean."""
        ...

    @property
    def inertia(self) -> float:
        """Share of the old variance in the new one."""
        ...

    @property
    def least_spread(self) -> float:
        """In units of the first spread, as is `greatest_spread`."""
        ...

    @property
    def greatest_spread(self) -> float: ...


def pose_scale(kinds: Sequence[str] = JOINT_KINDS) -> Float[ndarray, "axes"]:
    """POSE_SCALE of some joints, three axes each."""
    return np.repeat([POSE_SCALE[kind] for kind in kinds], 3)


def antithetic(
    rng: np.random.Generator,
    mean: Float[ndarray, "people *size"],
    spread: Float[ndarray, "people *size"],
    count: int,
    *,
    mixing: Float[ndarray, "first first"] | None = None,
) -> Float[ndarray, "sims people *size"]:
    """Gaussian samples in mirrored pairs, the mean itself first; `mixing` correlates them along the first axis of `size`."""
    half = rng.normal(size=(count // 2, *mean.shape))
    if mixing is not None:
        half = np.moveaxis(np.tensordot(mixing, half, axes=(1, 2)), 0, 2)
    samples = mean + spread * np.concatenate([half, -half])
    samples[0] = mean
    return samples


def update(
    samples: Float[ndarray, "sims people *size"],
    cost: Float[ndarray, "sims people"],
    mean: Float[ndarray, "people *size"],
    spread: Float[ndarray, "people *size"],
    scale: Float[ndarray, "*size"],
    cfg: Adaptation,
) -> tuple[Float[ndarray, "people *size"], Float[ndarray, "people *size"]]:
    """Next mean and spread from the best samples, each person's by the person's own cost, weighted by rank."""
    weights = rank_weights(max(int(cfg.elite_share * len(samples)), 2))
    new_mean, new_spread = np.empty_like(mean), np.empty_like(spread)
    for i in range(mean.shape[0]):
        elite = samples[np.argsort(cost[:, i], kind="stable")[: len(weights)], i]
        variance = np.tensordot(weights, (elite - mean[i]) ** 2, axes=1)
        new_mean[i] = np.tensordot(weights, elite, axes=1)
        new_spread[i] = np.sqrt(cfg.inertia * spread[i] ** 2 + (1 - cfg.inertia) * variance)
    return new_mean, np.clip(new_spread, cfg.least_spread * scale, cfg.greatest_spread * scale)


def leaders(
    samples: Float[ndarray, "sims people *size"], cost: Float[ndarray, "sims people"]
) -> Float[ndarray, "people *size"]:
    """Everybody's best sample."""
    return np.stack([samples[cost[:, i].argmin(), i] for i in range(samples.shape[1])])


def rank_weights(count: int) -> Float[ndarray, "count"]:
    """Logarithmic weights of the best `count` samples, as in CMA-ES; they sum to one."""
    weights = np.log(count + 0.5) - np.log(np.arange(1, count + 1))
    return weights / weights.sum()
