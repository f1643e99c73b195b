"""An interrupted training on disk: weights, averaged weights and the optimiser's moments, without pickle."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from safetensors.torch import save
from torch import Tensor
from torch.optim import AdamW

from hsimul3r.errors import BadWeights
from hsimul3r.files import write_whole_bytes
from hsimul3r.generator.flow.network import PartFlow
from hsimul3r.generator.flow.weights import read_tensors

STATE: Final = "state.safetensors"
STEP: Final = "step"
MOMENTS: Final = ("exp_avg", "exp_avg_sq", "step")


@dataclass(kw_only=True)
class TrainingState:
    """What a step changes."""

    network: PartFlow
    averaged: PartFlow
    optimiser: AdamW
    step: int


def save_state(folder: Path, state: TrainingState) -> None:
    """One file, written whole."""
    tensors = {f"network.{name}": value for name, value in state.network.state_dict().items()}
    tensors |= {f"averaged.{name}": value for name, value in state.averaged.state_dict().items()}
    for index, moments in state.optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{index}.{name}": moments[name] for name in MOMENTS}
    tensors[STEP] = torch.tensor(state.step)
    write_whole_bytes(folder / STATE, save({name: value.contiguous() for name, value in tensors.items()}))


def load_state(folder: Path, begin: Callable[[], TrainingState]) -> TrainingState:
    """The state in the folder, or a new one. Raises `BadWeights` where the file does not fit."""
    state, path = begin(), folder / STATE
    if not path.exists():
        return state
    tensors = read_tensors(path)
    try:
        state.network.load_state_dict(_under("network.", tensors))
        state.averaged.load_state_dict(_under("averaged.", tensors))
        count = len(list(state.network.parameters()))
        moments = {i: {name: tensors[f"optimiser.{i}.{name}"] for name in MOMENTS} for i in range(count)}
    except (RuntimeError, KeyError) as error:
        raise BadWeights(path, f"it is of another training ({str(error).splitlines()[0]})") from error
    state.optimiser.load_state_dict({"state": moments, "param_groups": state.optimiser.state_dict()["param_groups"]})
    state.step = int(tensors[STEP])
    return state


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
