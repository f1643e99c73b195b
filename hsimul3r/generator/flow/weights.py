"""The embedded generator on disk: `model.safetensors` and `config.json` in a folder."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from hsimul3r.errors import BadWeights, WrongWeights
from hsimul3r.generator.flow.network import NetworkConfig, PartFlow
from hsimul3r.generator.flow.tokens import CHANNELS, TOKENS

WEIGHTS, CONFIG = "model.safetensors", "config.json"
NAME: Final = "part_flow"
HALF: Final = torch.float16


def save_network(network: PartFlow, folder: Path, *, about: dict[str, Any] | None = None) -> None:
    """Write the weights (half precision) and the sizes; `about` says how they were made."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: value.detach().to(HALF).contiguous() for name, value in network.state_dict().items()}
    save_file(weights, folder / WEIGHTS)
    config = {"model": NAME, "tokens": TOKENS, "channels": CHANNELS, "network": asdict(network.cfg), "about": about or {}}
    (folder / CONFIG).write_text(json.dumps(config, indent=2) + "\n")


def load_network(folder: Path) -> PartFlow:
    """The network of a folder, ready to sample. Raises `BadWeights` or `WrongWeights`."""
    weights, config = read_tensors(folder / WEIGHTS), _read_config(folder / CONFIG)
    if (config.get("model"), config.get("tokens"), config.get("channels")) != (NAME, TOKENS, CHANNELS):
        raise WrongWeights(folder, "the embedded generator", "they were made for another set of parts")
    network = PartFlow(NetworkConfig(**config["network"]))
    try:
        network.load_state_dict({name: value.float() for name, value in weights.items()})
    except RuntimeError as error:
        raise WrongWeights(folder, "the embedded generator", str(error).splitlines()[0]) from error
    return network.eval()


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a .safetensors file. Raises `BadWeights`."""
    if not path.is_file():
        raise BadWeights(path, "there is no such file")
    try:
        return load_file(path)
    except SafetensorError as error:
        raise BadWeights(path, f"it is not whole ({error})") from error


def _read_config(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text())
    except (OSError, json.JSONDecodeError) as error:
        raise BadWeights(path, f"it cannot be read ({error})") from error
