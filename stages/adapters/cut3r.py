"""CUT3R (Wang et al., CVPR 2025) with the user's own weights, online: a photograph in, its camera and pointmap out.

What it has seen is kept in a state of fixed size, so a video may be as long as it likes. Its licence forbids commercial use:
the weights are never part of the project.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from numpy import ndarray
from torch import Tensor

from hsimul3r.geometry.pointmap_start import focal_of_pointmap
from hsimul3r.geometry.rotations import matrix_from_quaternion
from stages.adapters.networks.checkpoints import Precision, load_network
from stages.adapters.networks.cut3r_net import Cut3r, FrameOutput, RecurrentState
from stages.adapters.networks.pictures import Prepared, prepare
from stages.adapters.networks.sizes import cut3r_sizes

LICENCES = ("CUT3R weights (CUT3R/CUT3R): CC BY-NC-SA 4.0, non-commercial",)


@dataclass(frozen=True, kw_only=True)
class SeenFrame:
    """One photograph as the network sees it; pixels are those of the `prepared` picture."""

    prepared: Prepared
    T_first_cam: Float[ndarray, "4 4"]
    """This camera in the frame of the first."""
    focal_px: float
    """Of the prepared picture, its axis in the middle."""
    points: Float[ndarray, "height width 3"]
    """In the first camera's frame."""
    confidence: Float[ndarray, "height width"]


@dataclass(frozen=True, kw_only=True)
class SeenPerson:
    """One person in one photograph."""

    person: int
    """The same number for the same person over the video."""
    pose: Float[ndarray, "55 3"]
    """Axis-angle per SMPL-X joint; the root's turns the template into the first camera's frame. Eyes are at rest."""
    betas: Float[ndarray, "10"]
    """Of the licensed SMPL-X model, not of the embedded body."""
    head_first: Float[ndarray, "3"]
    """Place of the head joint in the first camera's frame."""
    head_px: Float[ndarray, "2"]
    """Where it was detected, in the photograph."""
    score: float


@dataclass(frozen=True, kw_only=True)
class Sight:
    """A frame of a video, its people, and their pixels in the prepared picture. CUT3R sees nobody."""

    frame: SeenFrame
    people: tuple[SeenPerson, ...]
    is_person: Bool[ndarray, "height width"]


class Cut3rStream:
    """Frames in, one by one; `look` answers for each from all before it."""

    def __init__(self, network: Cut3r, *, size: int = 512, is_gated: bool = False):
        self.network, self.size, self.is_gated = network, size, is_gated
        with torch.inference_mode():
            self.state = network.start()

    @torch.inference_mode()
    def look(self, photo: UInt8[ndarray, "height width 3"], *, update: bool = True, reset: bool = False) -> SeenFrame:
        """`update=False` answers without learning from the photograph, `reset` forgets everything after it."""
        prepared = prepare(photo, self.size)
        image = prepared.image.to(self.network.pose_token.device)
        out, self.state = self.network.step(image, self.state, update=update, reset=reset, is_gated=self.is_gated)
        return seen_frame(prepared, out)

    @torch.inference_mode()
    def watch(self, photo: UInt8[ndarray, "height width 3"]) -> "Sight":
        """As the next frame of a video."""
        frame = self.look(photo)
        return Sight(frame=frame, people=(), is_person=np.zeros(frame.confidence.shape, bool))

    def kept(self) -> dict[str, Tensor]:
        """What is carried to the next frame."""
        return pack_state(self.state)

    def restore(self, kept: Mapping[str, Tensor]) -> None:
        """Go on from where `kept` was asked."""
        self.state = unpack_state(kept, self.network.pose_token.device)


def pack_state(state: RecurrentState) -> dict[str, Tensor]:
    """The state as named tensors."""
    return {"tokens": state.tokens, "memory": state.memory, "has_begun": torch.tensor([state.has_begun])}


def unpack_state(kept: Mapping[str, Tensor], device: torch.device) -> RecurrentState:
    """The state that `pack_state` packed."""
    return RecurrentState(
        tokens=kept["tokens"].to(device), memory=kept["memory"].to(device), has_begun=bool(kept["has_begun"].item())
    )


def load_cut3r(path: Path, *, precision: Precision = "float32", device: str = "cpu") -> Cut3r:
    """The network with the user's weights. Raises `BadWeights`, `UnsafeWeights` or `WrongWeights`."""
    return load_network(path, lambda c: Cut3r(cut3r_sizes(c)), model="CUT3R", precision=precision, device=device)


def seen_frame(prepared: Prepared, out: FrameOutput) -> SeenFrame:
    """The network's answer as arrays."""
    pose = out.camera_pose[0].double().cpu().numpy()
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = matrix_from_quaternion(pose[3:]), pose[:3]
    return SeenFrame(
        prepared=prepared,
        T_first_cam=T,
        focal_px=focal_of_pointmap(out.own_view.points[0].cpu().numpy()),
        points=out.world.points[0].cpu().numpy(),
        confidence=out.world.confidence[0].cpu().numpy(),
    )
