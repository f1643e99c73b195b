"""A tuned embedded generator on disk: its whole weights, ready to use, and the adapters that made them of the base.

<folder>/model.safetensors, config.json   the merged network, as `FlowGenerator.load` and `load_network` take it
<folder>/round_1/adapter                  what a round learnt (peft's format), to be merged in order
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hsimul3r.errors import NoGeneratorWeights
from hsimul3r.files import fresh_folder
from hsimul3r.generator.flow.network import PartFlow
from hsimul3r.generator.flow.weights import HALF, WEIGHTS, load_network, save_network
from stages.adapters.lora import load_adapter, merged, save_adapter

if TYPE_CHECKING:
    from stages.adapters.lora import PeftModel

ADAPTER: Final = "adapter"


def load_tuned(folder: Path) -> PartFlow:
    """The network that `hsimul3r dsro-finetune` left in a folder.

    Raises `NoGeneratorWeights`, `BadWeights` or `WrongWeights`.
    """
    if not (folder / WEIGHTS).exists():
        raise NoGeneratorWeights(folder)
    return load_network(folder)


def save_tuned(network: PartFlow, folder: Path, about: Mapping[str, Any]) -> None:
    """Write a merged network; its weights are half precision already, so that nothing changes on the way."""
    save_network(network, folder, about=dict(about))


def round_folder(folder: Path, number: int) -> Path:
    return folder / f"round_{number}"


def save_round(model: "PeftModel", folder: Path) -> None:
    """What a round learnt, whole or not at all."""
    with fresh_folder(folder / ADAPTER) as partial:
        save_adapter(model, partial)
        (partial / "README.md").unlink(missing_ok=True)


def with_round(network: PartFlow, folder: Path) -> PartFlow:
    """The network with a round's adapter merged into its weights, which are rounded as they are kept on disk."""
    merged(load_adapter(network, folder / ADAPTER))
    return network.to(HALF).float().eval().requires_grad_(False)
