"""Golden tensors of a published model: a tiny random instance, what its official code computed, and how far ours may be off."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch
from safetensors.torch import load_file
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Golden:
    """One folder of golden tensors."""

    config: dict[str, Any]
    weights: dict[str, Tensor]
    io: dict[str, Tensor]

    @classmethod
    def read(cls, folder: Path) -> Self:
        config = json.loads((folder / "config.json").read_text())
        weights, io = (load_file(folder / f"{name}.safetensors") for name in ("weights", "io"))
        return cls(config=config, weights=weights, io=io)


@dataclass(frozen=True, kw_only=True)
class Compared:
    """A tensor of ours beside the golden one."""

    name: str
    difference: float
    tolerance: float
    official_only: bool = False
    """True for a tensor with the official code's float16 rounding, which ours leaves out: held to a wider tolerance."""

    @property
    def holds(self) -> bool:
        return self.difference <= self.tolerance


Check = Callable[[Golden], Iterator[Compared]]


def compared(golden: Golden, name: str, ours: Tensor, tolerance: float, *, official_only: bool = False) -> Compared:
    """Largest difference from `golden.io[name]`; infinite where the shapes differ."""
    theirs = golden.io[name]
    same = ours.shape == theirs.shape
    difference = float((ours.detach().double() - theirs.double()).abs().max()) if same and theirs.numel() else float("inf")
    return Compared(name=name, difference=difference, tolerance=tolerance, official_only=official_only)


def without_gradient(check: Check) -> Check:
    """`check` under torch.no_grad."""

    def run(golden: Golden) -> Iterator[Compared]:
        with torch.no_grad():
            yield from list(check(golden))

    return run
