"""Rectified flow as MIDI samples it: straight paths x_t = (1 - s) x0 + s eps, the network gives x0 - eps."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

TRAIN_STEPS = 1000
"""A timestep is the noise level times this."""

Velocity = Callable[..., Tensor]
"""`MidiTransformer.forward`, or anything that takes and gives the same."""


@dataclass(frozen=True, kw_only=True)
class FlowSettings:
    """How to sample; the defaults are MIDI's."""

    steps: int = 50
    guidance: float = 7.0
    """Weight of the condition: 1 is the condition alone."""
    shift: float = 1.0
    """Above 1 more of the steps are spent at high noise."""


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """What the objects of a scene look like, one row an object."""

    clip: Float[Tensor, "sets clip_tokens clip_width"]
    dino: Float[Tensor, "sets dino_tokens dino_width"]

    def dropped(self) -> "Conditions":
        """No condition: zeros."""
        return Conditions(clip=torch.zeros_like(self.clip), dino=torch.zeros_like(self.dino))


def noise_levels(steps: int, *, shift: float = 1.0) -> Float[Tensor, "steps_and_end"]:
    """Noise levels from 1 to 0 at which the sampler stands: shift u / (1 + (shift - 1) u) of equal steps u."""
    u = 1 - torch.arange(steps + 1, dtype=torch.float32) / steps
    return shift * u / (1 + (shift - 1) * u)


def add_noise(
    x0: Float[Tensor, "sets tokens channels"], eps: Float[Tensor, "sets tokens channels"], timestep: Float[Tensor, "sets"]
) -> Float[Tensor, "sets tokens channels"]:
    """The forward process at the timesteps."""
    s = (timestep / TRAIN_STEPS)[:, None, None].to(x0.dtype)
    return (1 - s) * x0 + s * eps


def guided_velocity(
    network: Velocity, x: Tensor, timestep: Tensor, conditions: Conditions, *, guidance: float, instances: int
) -> Float[Tensor, "sets tokens channels"]:
    """Velocity without the condition plus `guidance` times the difference that the condition makes."""
    if guidance == 1.0:
        return network(x, timestep, conditions.clip, conditions.dino, instances=instances)
    without = conditions.dropped()
    both = network(
        torch.cat([x, x]),
        torch.cat([timestep, timestep]),
        torch.cat([without.clip, conditions.clip]),
        torch.cat([without.dino, conditions.dino]),
        instances=instances,
    )
    free, conditioned = both.chunk(2)
    return free + guidance * (conditioned - free)


@torch.no_grad()
def sample(
    network: Velocity,
    noise: Float[Tensor, "sets tokens channels"],
    conditions: Conditions,
    settings: FlowSettings,
    *,
    instances: int,
    on_step: Callable[[Tensor], None] = lambda x: None,
) -> Float[Tensor, "sets tokens channels"]:
    """Latents of the objects from noise by Euler steps; `instances` consecutive rows are the objects of one scene."""
    levels = noise_levels(settings.steps, shift=settings.shift)
    x = noise
    for level, next_level in zip(levels[:-1].tolist(), levels[1:].tolist()):
        timestep = torch.full((len(x),), TRAIN_STEPS * level, dtype=torch.float32, device=x.device)
        velocity = guided_velocity(network, x, timestep, conditions, guidance=settings.guidance, instances=instances)
        x = x + (level - next_level) * velocity
        on_step(x)
    return x
