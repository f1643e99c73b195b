"""Flow matching: the training loss and the sampler, both with x_t = (1 - t) x0 + t noise and velocity noise - x0."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from hsimul3r.generator.flow.network import Memory, PartFlow
from hsimul3r.generator.flow.tokens import CHANNELS, TOKENS

HELD_BELOW: Final = 0.1
"""Errors at times below this weigh no more than there."""


@dataclass(frozen=True, kw_only=True)
class SamplingConfig:
    """How samples are drawn."""

    steps: int = 12
    guidance: float = 1.5
    """Classifier-free guidance; 1 for none."""
    shift: float = 2.0
    """Above 1 spends more steps near the noise: t -> shift t / (1 + (shift - 1) t)."""


def times(cfg: SamplingConfig) -> Float[Tensor, "steps_and_one"]:
    """From 1 (noise) to 0."""
    even = torch.linspace(1.0, 0.0, cfg.steps + 1)
    return cfg.shift * even / (1.0 + (cfg.shift - 1.0) * even)


def noise_of(seeds: Sequence[int]) -> Float[Tensor, "samples tokens channels"]:
    """The start of each sample, drawn on the CPU so that a seed means the same everywhere."""
    return torch.stack([torch.randn(TOKENS, CHANNELS, generator=torch.Generator().manual_seed(seed)) for seed in seeds])


@torch.no_grad()
def sample(
    network: PartFlow, memory: Memory, noise: Float[Tensor, "samples tokens channels"], cfg: SamplingConfig
) -> Float[Tensor, "samples tokens channels"]:
    """Tokens, by Euler steps along the guided velocity. `memory` has one row for each sample."""
    x, path = noise, times(cfg)
    unseen = network.nothing_seen(memory)
    only = Memory(tokens=unseen.tokens[:, :1], is_used=unseen.is_used[:, :1])
    for now, then in pairwise(path):
        t = now.expand(len(x))
        velocity = network(x, t, memory)
        if cfg.guidance != 1.0:
            free = network(x, t, only)
            velocity = free + cfg.guidance * (velocity - free)
        x = x + (then - now) * velocity
    return x


def drawn_times(count: int, generator: torch.Generator) -> Float[Tensor, "count"]:
    """Times at which training looks: as often as the sampler's shifted steps, LogitNormal(.5, 1)."""
    return torch.sigmoid(0.5 + torch.randn(count, generator=generator))


def flow_loss(
    network: PartFlow, memory: Memory, x0: Float[Tensor, "batch tokens channels"], t: Float[Tensor, "batch"],
    noise: Float[Tensor, "batch tokens channels"],
) -> Float[Tensor, "batch tokens"]:  # fmt: skip
    """Squared error of the velocity of every token (mean of its channels) times t, held where t is small."""
    xt = x0 + t[:, None, None] * (noise - x0)
    error = (network.clean(xt, t, memory).float() - x0) ** 2
    return error.mean(dim=-1) * (t / t.clamp(min=HELD_BELOW) ** 2)[:, None]
