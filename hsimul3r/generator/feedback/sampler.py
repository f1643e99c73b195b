"""What a collection asks of a generator: samples of an image by their seeds, their judgement, and what they look like.

Behind it stand the embedded generator (here) and MIDI (stages/adapters/midi_feedback.py).
"""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Protocol

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from safetensors.torch import load, save

from hsimul3r.generator.feedback.images import ImageSet, PersonScene, Truth
from hsimul3r.generator.feedback.judge import JudgeConfig, Judged, judge, solid_of
from hsimul3r.generator.feedback.record import model_id
from hsimul3r.generator.feedback.shape import Shape
from hsimul3r.generator.flow.attach import attach
from hsimul3r.generator.flow.network import NetworkConfig, PartFlow
from hsimul3r.generator.flow.primitives import without_mirrors
from hsimul3r.generator.flow.sampling import SamplingConfig, noise_of, sample
from hsimul3r.generator.flow.tokens import decode

BLOCK: Final = 5
"""Seeds that are asked for together are of one block: 5 k to 5 k + 4."""


class Sampler(Protocol):
    """A generator whose samples are judged one by one.

    It is sent to worker processes: it holds settings, and weights or the place where they are, and loads them where it is.
    """

    @property
    def model(self) -> str:
        """An id that follows from all weights."""
        ...

    def about(self) -> Mapping[str, Any]:
        """What the model of that id is."""
        ...

    def settings(self) -> Mapping[str, Any]:
        """All that a sample's bits depend on beside image, seed and weights."""
        ...

    def samples(self, images: ImageSet, key: str, seeds: Sequence[int]) -> Float[ndarray, "seeds ..."]:
        """x0 of these seeds, which are of one block; the same seed gives the same bits, whatever else is asked for."""
        ...

    def judged(
        self, sample: Float[ndarray, "..."], cfg: JudgeConfig, *, person: PersonScene | None, truth: Truth | None
    ) -> Judged: ...

    def shape(self, sample: Float[ndarray, "..."], cfg: JudgeConfig) -> Shape | None:
        """The object as it is used; None where it is no solid."""
        ...


@dataclass(frozen=True, kw_only=True)
class FlowSampler:
    """`Sampler` by the embedded generator."""

    network: NetworkConfig
    weights: bytes
    """In the safetensors format, full precision."""
    model: str
    sampling: SamplingConfig

    @classmethod
    def of(cls, network: PartFlow, sampling: SamplingConfig) -> "FlowSampler":
        """The network as it is now."""
        weights = {name: value.detach().float().cpu().contiguous() for name, value in network.state_dict().items()}
        return cls(network=network.cfg, weights=save(weights), model=model_id(network), sampling=sampling)

    def about(self) -> Mapping[str, Any]:
        return {"network": asdict(self.network)}

    def settings(self) -> Mapping[str, Any]:
        return asdict(self.sampling)

    def samples(self, images: ImageSet, key: str, seeds: Sequence[int]) -> Float[ndarray, "seeds tokens channels"]:
        """The whole block is sampled, because the last bits follow from how many are sampled together."""
        network, first = _network(self.model, self.network, self.weights), BLOCK * (seeds[0] // BLOCK)
        with torch.no_grad():
            memory = network.remember(images.conditions([key])).repeated(BLOCK)
        made = sample(network, memory, noise_of(range(first, first + BLOCK)), self.sampling).numpy().astype(np.float32)
        return made[[seed - first for seed in seeds]]

    def judged(
        self, sample: Float[ndarray, "tokens channels"], cfg: JudgeConfig, *, person: PersonScene | None, truth: Truth | None
    ) -> Judged:
        primitives, outline = decode(sample.astype(float))
        return judge(primitives, cfg, turn=outline.yaw, person=person, truth=truth)

    def shape(self, sample: Float[ndarray, "tokens channels"], cfg: JudgeConfig) -> Shape | None:
        made = attach(without_mirrors(decode(sample.astype(float))[0]), cfg.attach)
        solid = solid_of(made.primitives, cfg)
        return None if solid is None else Shape.of(solid.surface, len(made.primitives))


@functools.lru_cache(maxsize=1)
def _network(model: str, cfg: NetworkConfig, weights: bytes) -> PartFlow:
    """Read once by every worker."""
    network = PartFlow(cfg)
    network.load_state_dict(load(weights))
    return network.eval()
