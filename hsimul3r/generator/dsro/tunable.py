"""What the trainer asks of a generator, and the embedded one behind it; MIDI's is stages/adapters/midi_lora.py."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from hsimul3r.generator.feedback.images import ImageSet
from hsimul3r.generator.flow.network import LEAST_TIME, Memory, PartFlow
from hsimul3r.generator.flow.sampling import SamplingConfig, times
from hsimul3r.generator.flow.tokens import TOKENS


class Tunable(Protocol):
    """A flow model over tokens, with the conditions of some images."""

    @property
    def network(self) -> nn.Module:
        """Whose layers are adapted, in place."""
        ...

    @property
    def layers(self) -> str | Sequence[str]:
        """Which linear layers LoRA adapts."""
        ...

    @property
    def levels(self) -> Float[Tensor, "levels"]:
        """The noise levels t at which the sampler asks for a velocity."""
        ...

    @property
    def is_held(self) -> Bool[Tensor, "tokens"]:
        """Tokens of which the simulator says nothing: they are held at the reference."""
        ...

    def velocity(
        self, x: Float[Tensor, "batch tokens channels"], t: Float[Tensor, "batch"], rows: Int[Tensor, "batch"]
    ) -> Float[Tensor, "batch tokens channels"]:
        """noise - x0 at x_t, for images by their rows, by the network as it is now."""
        ...

    def weight(self, t: Float[Tensor, "batch"]) -> Float[Tensor, "batch"]:
        """w(t) of Eq. 6, of the velocity's squared error."""
        ...


@dataclass(frozen=True, kw_only=True)
class TunableFlow:
    """The embedded generator. Its outline token is held: it says how large the object is and which way it is turned, and a
    wider object stands better than what the photo shows."""

    network: PartFlow
    memory: Memory
    """One row for each image. LoRA leaves the eye alone, so that it stays true while the network learns."""
    sampling: SamplingConfig
    has_bfloat16: bool = True

    @classmethod
    def of(cls, network: PartFlow, images: ImageSet, keys: Sequence[str], sampling: SamplingConfig) -> "TunableFlow":
        """With the conditions of the images of these keys, in their order."""
        with torch.no_grad():
            memory = network.remember(images.conditions(keys))
        return cls(network=network, memory=memory, sampling=sampling)

    @property
    def layers(self) -> tuple[str, ...]:
        return self.network.finetunable()

    @property
    def levels(self) -> Float[Tensor, "levels"]:
        return times(self.sampling)[:-1]

    @property
    def is_held(self) -> Bool[Tensor, "tokens"]:
        return torch.arange(TOKENS) == TOKENS - 1

    def velocity(
        self, x: Float[Tensor, "batch tokens channels"], t: Float[Tensor, "batch"], rows: Int[Tensor, "batch"]
    ) -> Float[Tensor, "batch tokens channels"]:
        memory = Memory(tokens=self.memory.tokens[rows], is_used=self.memory.is_used[rows])
        with torch.autocast("cpu", torch.bfloat16, enabled=self.has_bfloat16):
            clean = self.network.clean(x, t, memory)
        return (x - clean.float()) / t.clamp(min=LEAST_TIME)[:, None, None]

    def weight(self, t: Float[Tensor, "batch"]) -> Float[Tensor, "batch"]:
        """As the network was trained (sampling.flow_loss): the error of x0 over t."""
        return t
