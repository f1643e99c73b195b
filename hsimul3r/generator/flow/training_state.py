"""An interrupted training on disk: weights, averaged weights and the optimisers' moments, without pickle."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from safetensors.torch import save
from torch import Tensor
from torch.optim import Optimizer

from hsimul3r.errors import BadWeights
from hsimul3r.files import write_whole_bytes
from hsimul3r.generator.flow.network import PartFlow
from hsimul3r.generator.flow.weights import read_tensors

STATE: Final = "state.safetensors"
STEP: Final = "step"


@dataclass(kw_only=True)
class TrainingState:
    """What a step changes."""

    network: PartFlow
    averaged: PartFlow
    optimisers: tuple[Optimizer, ...]
    step: int


def save_state(folder: Path, state: TrainingState) -> None:
    """One file, written whole."""
    tensors = {f"network.{name}": value for name, value in state.network.state_dict().items()}
    tensors |= {f"averaged.{name}": value for name, value in state.averaged.state_dict().items()}
    for number, optimiser in enumerate(state.optimisers):
        tensors |= moments_of(optimiser, f"optimiser{number}.")
    tensors[STEP] = torch.tensor(state.step)
    write_whole_bytes(folder / STATE, save({name: value.contiguous() for name, value in tensors.items()}))


def load_state(folder: Path, begin: Callable[[], TrainingState]) -> TrainingState:
    """The state in the folder, or a new one. Raises `BadWeights` where the file does not fit."""
    state, path = begin(), folder / STATE
    if not path.exists():
        return state
    tensors = read_tensors(path)
    try:
        state.network.load_state_dict(under("network.", tensors))
        state.averaged.load_state_dict(under("averaged.", tensors))
        for number, optimiser in enumerate(state.optimisers):
            restore_moments(optimiser, f"optimiser{number}.", tensors)
        state.step = int(tensors[STEP])
    except (RuntimeError, KeyError) as error:
        raise BadWeights(path, f"it is of another training ({str(error).splitlines()[0]})") from error
    return state


def moments_of(optimiser: Optimizer, prefix: str) -> dict[str, Tensor]:
    """What an optimiser remembers of every parameter, by its place."""
    rows = optimiser.state_dict()["state"].items()
    return {f"{prefix}{row}.{name}": moment for row, moments in rows for name, moment in moments.items()}


def restore_moments(optimiser: Optimizer, prefix: str, tensors: dict[str, Tensor]) -> None:
    """Take in what `moments_of` gave. Raises `KeyError` where a parameter has none."""
    groups = optimiser.state_dict()["param_groups"]
    found: dict[int, dict[str, Tensor]] = defaultdict(dict)
    for name, value in under(prefix, tensors).items():
        row, moment = name.split(".")
        found[int(row)][moment] = value
    moments = {row: found.pop(row) for group in groups for row in group["params"]}
    optimiser.load_state_dict({"state": moments, "param_groups": groups})


def under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors whose names begin so, without that."""
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
