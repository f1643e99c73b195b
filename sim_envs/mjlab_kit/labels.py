"""The contacts of a motion, frame by frame, and Eq. 5 of them, on tensors; the standard library, numpy and torch alone."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

FLOOR = "floor"


@dataclass(frozen=True, kw_only=True)
class Labels:
    """Places on links that belong on places on objects (or the floor), and when."""

    links: tuple[str, ...]
    targets: tuple[str, ...]
    """An object's name, or `FLOOR`, whose frame is the world's."""
    keypoint: Tensor
    """(labels, 3), in the link's frame."""
    place: Tensor
    """(labels, 3), in the target's frame."""
    is_held: Tensor
    """(frames, labels)."""

    @classmethod
    def of(cls, facts: dict[str, Any], frames: int, device: str) -> Self:
        """From scene.json, whose frames are those of motion.npz."""
        entries = facts["contacts"]
        time = np.arange(frames)
        held = [(time >= entry["first"]) & (time <= entry["last"]) for entry in entries]
        points = {name: np.array([entry[name] for entry in entries], np.float32) for name in ("keypoint_m", "place_m")}
        return cls(
            links=tuple(entry["link"] for entry in entries),
            targets=tuple(entry["target"] for entry in entries),
            keypoint=torch.tensor(points["keypoint_m"].reshape(-1, 3), device=device),
            place=torch.tensor(points["place_m"].reshape(-1, 3), device=device),
            is_held=torch.tensor(np.array(held, bool).reshape(len(entries), frames).T, device=device),
        )

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Link and target of each contact sensor."""
        return tuple(dict.fromkeys(zip(self.links, self.targets)))


def patch_distance(keypoint_w: Tensor, place_w: Tensor, is_held: Tensor) -> Tensor:
    """Eq. 5, its patch the contact's place: mean squared distance [m^2] over held labels, zero where none is.

    keypoint_w, place_w (envs, labels, 3) in the world, is_held (envs, labels).
    """
    squared = ((keypoint_w - place_w) ** 2).sum(-1) * is_held
    return squared.sum(-1) / is_held.sum(-1).clamp(min=1)


def borne_share(is_touched: Tensor, is_held: Tensor) -> Tensor:
    """Share of the held labels (envs, labels) whose link touches its target; one where none is held."""
    held = is_held.sum(-1)
    share = (is_touched & is_held).sum(-1) / held.clamp(min=1)
    return torch.where(held > 0, share, torch.ones_like(share))


def place_error(position: Tensor, wanted: Tensor, dot: Tensor) -> tuple[Tensor, Tensor]:
    """Distance [m] and angle [rad] of an object from where it should be; `dot` is that of the two quaternions."""
    return (position - wanted).norm(dim=-1), 2 * torch.arccos(dot.abs().clamp(max=1.0))
