"""Low-rank adapters (peft) on the layers of a generator: what simulation feedback tunes, the rest stays as it is."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from hsimul3r.require import require
from stages.adapters.torchvision_mend import mend_torchvision

if TYPE_CHECKING:
    from peft import PeftModel

Layers = str | Sequence[str]
"""Names of linear layers, or a pattern that these match as a whole."""


@dataclass(frozen=True, kw_only=True)
class LoraSettings:
    """Size of the adapters; rank 64 is the paper's (Sec. 3.4), alpha twice the rank is DSO's."""

    rank: int = 64
    alpha: int = 128


def add_adapter(network: nn.Module, layers: Layers, settings: LoraSettings, *, seed: int) -> "PeftModel":
    """The network with adapters that do nothing yet; only these are trainable. They are put into `network` itself, which may
    be called as before."""
    peft = _peft()
    wanted = peft.LoraConfig(
        r=settings.rank, lora_alpha=settings.alpha, lora_dropout=0.0,
        target_modules=layers if isinstance(layers, str) else list(layers),
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return peft.get_peft_model(network, wanted)


def load_adapter(network: nn.Module, folder: Path, *, is_trainable: bool = False) -> "PeftModel":
    """The network with adapters that `save_adapter` wrote."""
    return _peft().PeftModel.from_pretrained(network, str(folder), is_trainable=is_trainable)


def save_adapter(tuned: "PeftModel", folder: Path) -> None:
    """Adapters alone, in peft's format: `adapter_config.json` and `adapter_model.safetensors`."""
    tuned.save_pretrained(str(folder))


def merged(tuned: "PeftModel") -> nn.Module:
    """The network with its adapters added to its own weights; the model with adapters is used up."""
    return tuned.merge_and_unload()


def without_adapter(tuned: "PeftModel") -> AbstractContextManager[None]:
    """While open the network is as it was: the reference velocity of DSRO."""
    return tuned.disable_adapter()


def _peft() -> Any:
    mend_torchvision()
    return require("peft", "tuning a generator (extra 'dsro')")
