"""Low-rank adapters (peft) on MIDI's attention projections: what simulation feedback tunes, the rest stays as published."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor

from hsimul3r.require import require
from stages.adapters.networks.midi_net import MidiTransformer
from stages.adapters.networks.midi_sampler import Conditions, Velocity, add_noise
from stages.adapters.torchvision_mend import mend_torchvision

if TYPE_CHECKING:
    from peft import PeftModel

ATTENTION = r"blocks\.\d+\.attn\w*\.(to_q|to_k|to_v|to_out\.0)"
"""Every projection of every attention, as a pattern of parameter names."""


@dataclass(frozen=True, kw_only=True)
class LoraSettings:
    """Size of the adapters; rank 64 is the paper's (Sec. 3.4), alpha twice the rank is DSO's."""

    rank: int = 64
    alpha: int = 128


def add_lora(network: MidiTransformer, settings: LoraSettings, *, seed: int) -> "PeftModel":
    """The network with adapters that do nothing yet; only these are trainable. Call it as the network itself."""
    peft = _peft()
    wanted = peft.LoraConfig(r=settings.rank, lora_alpha=settings.alpha, lora_dropout=0.0, target_modules=ATTENTION)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return peft.get_peft_model(network, wanted)


def load_lora(network: MidiTransformer, folder: Path, *, is_trainable: bool = False) -> "PeftModel":
    """The network with adapters that `save_lora` wrote."""
    return _peft().PeftModel.from_pretrained(network, str(folder), is_trainable=is_trainable)


def save_lora(tuned: "PeftModel", folder: Path) -> None:
    """Adapters alone, in peft's format: `adapter_config.json` and `adapter_model.safetensors`."""
    tuned.save_pretrained(str(folder))


def without_lora(tuned: "PeftModel") -> AbstractContextManager[None]:
    """While open the network is as published: the reference velocity of DSRO."""
    return tuned.disable_adapter()


def flow_error(
    network: Velocity, x0: Float[Tensor, "sets tokens channels"], eps: Tensor, timestep: Float[Tensor, "sets"],
    conditions: Conditions, *, instances: int = 1,
) -> Float[Tensor, "sets"]:  # fmt: skip
    """Mean squared error of the velocity for each set: |v - v_theta|^2 of Eq. 6, with v = x0 - eps."""
    velocity = network(add_noise(x0, eps, timestep), timestep, conditions.clip, conditions.dino, instances=instances)
    return (velocity - (x0 - eps)).square().flatten(1).mean(1)


def _peft() -> Any:
    mend_torchvision()
    return require("peft", "tuning a generator (extra 'dsro')")
