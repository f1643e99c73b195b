"""MIDI as simulation feedback tunes it: which layers get adapters, and its velocity in this project's convention."""

from dataclasses import dataclass, field
from typing import Final

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from stages.adapters.networks.midi_net import MidiTransformer
from stages.adapters.networks.midi_sampler import TRAIN_STEPS, Conditions, FlowSettings, noise_levels

ATTENTION: Final = r"blocks\.\d+\.attn\w*\.(to_q|to_k|to_v|to_out\.0)"
"""Every projection of every attention, as a pattern of parameter names."""


@dataclass(frozen=True, kw_only=True)
class TunableMidi:
    """`generator.dsro.tunable.Tunable` by MIDI's transformer; an object is one of its sets of latent tokens."""

    network: MidiTransformer
    conditions: Conditions
    """One row for each image."""
    tokens: int
    """Of an object."""
    flow: FlowSettings = field(default_factory=FlowSettings)

    @property
    def layers(self) -> str:
        return ATTENTION

    @property
    def levels(self) -> Float[Tensor, "levels"]:
        return noise_levels(self.flow.steps, shift=self.flow.shift)[:-1]

    @property
    def is_held(self) -> Bool[Tensor, "tokens"]:
        return torch.zeros(self.tokens, dtype=torch.bool)

    def velocity(
        self, x: Float[Tensor, "batch tokens channels"], t: Float[Tensor, "batch"], rows: Int[Tensor, "batch"]
    ) -> Float[Tensor, "batch tokens channels"]:
        """noise - x0; the network says x0 - noise, at time steps that are a thousand times the level."""
        asked = self.conditions.clip
        clip, dino = asked[rows], self.conditions.dino[rows]
        return -self.network(x.to(asked), TRAIN_STEPS * t.to(asked.device), clip, dino).to(x)

    def weight(self, t: Float[Tensor, "batch"]) -> Float[Tensor, "batch"]:
        """One: DSO and MIDI's kin take the plain error of the velocity."""
        return torch.ones_like(t)
