"""Rotations as networks give them: six numbers, made orthonormal by Gram and Schmidt (Zhou et al., CVPR 2019)."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional


def from_columns(six: Float[Tensor, "*batch 6"]) -> Float[Tensor, "*batch 3 3"]:
    """The first three numbers are the first column, the next three the second (HMR2)."""
    return _orthonormal(six[..., :3], six[..., 3:])


def from_interleaved(six: Float[Tensor, "*batch 6"]) -> Float[Tensor, "*batch 3 3"]:
    """Numbers are read as three rows of two: the columns alternate (SAT-HMR, MA-HMR)."""
    return _orthonormal(six[..., 0::2], six[..., 1::2])


def _orthonormal(first: Float[Tensor, "*batch 3"], second: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3"]:
    x = functional.normalize(first, dim=-1)
    y = functional.normalize(second - (x * second).sum(-1, keepdim=True) * x, dim=-1)
    return torch.stack([x, y, torch.linalg.cross(x, y)], -1)
