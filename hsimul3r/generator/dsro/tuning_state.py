"""An interrupted tuning on disk: the adapter, the best one so far, the optimiser's moments and what was measured."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import torch
from safetensors.torch import save
from torch import Tensor, nn
from torch.optim import AdamW

from hsimul3r.errors import BadWeights
from hsimul3r.files import write_whole_bytes
from hsimul3r.generator.dsro.losses import ErrorRatios
from hsimul3r.generator.flow.training_state import moments_of, restore_moments, under
from hsimul3r.generator.flow.weights import read_tensors

STATE: Final = "state.safetensors"


@dataclass(kw_only=True)
class TuningState:
    """What a step changes."""

    network: nn.Module
    """With adapters in it; only these are trainable."""
    optimiser: AdamW
    ratios: ErrorRatios = field(default_factory=ErrorRatios)
    step: int = 0
    best: dict[str, Tensor] = field(default_factory=dict)
    """The adapter of the best check."""
    best_step: int = 0
    best_score: float = float("-inf")
    stopped: bool = False
    """By the guard or for want of progress."""

    def adapter(self) -> dict[str, Tensor]:
        """The trainable weights by name."""
        return {name: value for name, value in self.network.named_parameters() if value.requires_grad}

    def keep(self, score: float) -> None:
        """The adapter as it is now is the best so far."""
        self.best = {name: value.detach().clone() for name, value in self.adapter().items()}
        self.best_step, self.best_score = self.step, score

    @torch.no_grad()
    def return_to_best(self) -> None:
        """Put the best adapter back."""
        for name, value in self.adapter().items():
            value.copy_(self.best[name])


def save_tuning(folder: Path, state: TuningState) -> None:
    """One file, written whole."""
    tensors = {f"adapter.{name}": value.detach() for name, value in state.adapter().items()}
    tensors |= {f"best.{name}": value for name, value in state.best.items()}
    tensors |= moments_of(state.optimiser, "optimiser.")
    tensors |= {f"ratios.{name}": torch.tensor(value, dtype=torch.float64) for name, value in state.ratios.sums.items()}
    numbers = (state.step, state.best_step, state.best_score, state.stopped)
    tensors["numbers"] = torch.tensor(numbers, dtype=torch.float64)
    write_whole_bytes(folder / STATE, save({name: value.contiguous() for name, value in tensors.items()}))


def load_tuning(folder: Path, state: TuningState) -> None:
    """Take in the state of the folder, where there is one. Raises `BadWeights` where it does not fit."""
    path = folder / STATE
    if not path.exists():
        return
    tensors = read_tensors(path)
    try:
        with torch.no_grad():
            for name, value in state.adapter().items():
                value.copy_(tensors[f"adapter.{name}"])
        restore_moments(state.optimiser, "optimiser.", tensors)
        step, best_step, state.best_score, stopped = tensors["numbers"].tolist()
    except (RuntimeError, KeyError, ValueError) as error:
        raise BadWeights(path, f"it is of another tuning ({str(error).splitlines()[0]})") from error
    state.step, state.best_step, state.stopped = int(step), int(best_step), bool(stopped)
    state.best = under("best.", tensors)
    state.ratios.sums = {name: tuple(value.tolist()) for name, value in under("ratios.", tensors).items()}
