"""Human3R (Chen et al. 2025) with the user's own weights, online: a photograph in; its camera, pointmap and people out.

People are SMPL-X in the first camera's frame, with identities over the video. The licence forbids commercial use: the weights
are never part of the project.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from numpy import ndarray
from torch import Tensor

from hsimul3r.conventions import SMPLX_JOINTS
from hsimul3r.geometry.rotations import axis_angle_from_matrix
from hsimul3r.importers.human3r import NETWORK_JOINTS
from stages.adapters.cut3r import SeenFrame, SeenPerson, Sight, pack_state, seen_frame, unpack_state
from stages.adapters.networks.checkpoints import Precision, load_network
from stages.adapters.networks.human3r_net import Human3r, Human3rState, Pool, SeenPeople
from stages.adapters.networks.pictures import prepare
from stages.adapters.networks.sizes import human3r_sizes

LICENCES = ("Human3R weights: CC BY-NC-SA 4.0, non-commercial",)


class Human3rStream:
    """Frames in, one by one; `look` answers for each from all before it."""

    def __init__(self, network: Human3r, *, size: int = 512, is_gated: bool = False):
        self.network, self.size, self.is_gated = network, size, is_gated
        with torch.inference_mode():
            self.state = network.begin()

    @torch.inference_mode()
    def look(
        self, photo: UInt8[ndarray, "height width 3"], *, update: bool = True, reset: bool = False
    ) -> tuple[SeenFrame, tuple[SeenPerson, ...], Bool[ndarray, "height width"]]:
        """The frame, its people, and their pixels in the prepared picture; the switches are those of `Cut3rStream.look`."""
        prepared = prepare(photo, self.size)
        image = prepared.image.to(self.network.pose_token.device)
        out, people, self.state = self.network.see(image, self.state, update=update, reset=reset, is_gated=self.is_gated)
        frame = seen_frame(prepared, out)
        return frame, seen_people(people, frame), people_mask(people, frame)

    @torch.inference_mode()
    def watch(self, photo: UInt8[ndarray, "height width 3"]) -> Sight:
        """As the next frame of a video."""
        frame, people, is_person = self.look(photo)
        return Sight(frame=frame, people=people, is_person=is_person)

    def kept(self) -> dict[str, Tensor]:
        """What is carried to the next frame."""
        return {**pack_state(self.state.scene), "people": self.state.pool.tokens, "ids": self.state.pool.ids}

    def restore(self, kept: Mapping[str, Tensor]) -> None:
        """Go on from where `kept` was asked."""
        device = self.network.pose_token.device
        pool = Pool(tokens=kept["people"].to(device), ids=kept["ids"].to(device))
        self.state = Human3rState(scene=unpack_state(kept, device), pool=pool)


def load_human3r(path: Path, *, precision: Precision = "float32", device: str = "cpu") -> Human3r:
    """The network with the user's weights. Raises `BadWeights`, `UnsafeWeights` or `WrongWeights`."""
    return load_network(path, lambda c: Human3r(human3r_sizes(c)), model="Human3R", precision=precision, device=device)


def seen_people(people: SeenPeople, frame: SeenFrame) -> tuple[SeenPerson, ...]:
    """The network's people in the first camera's frame, joints by name."""
    R, t = frame.T_first_cam[:3, :3], frame.T_first_cam[:3, 3]
    rotations = people.rotations.double().cpu().numpy()
    rotations[:, 0] = R @ rotations[:, 0]
    pose = np.zeros((len(rotations), len(SMPLX_JOINTS), 3))
    pose[:, [SMPLX_JOINTS.index(name) for name in NETWORK_JOINTS]] = axis_angle_from_matrix(rotations)
    heads = people.head.double().cpu().numpy() @ R.T + t
    pixels = _from_square(people.detections.places_px.double().cpu().numpy(), people, frame)
    pixels = pixels * frame.prepared.scale + frame.prepared.offset_px
    columns = (
        people.ids.tolist(),
        pose,
        people.shape.double().cpu().numpy(),
        heads,
        pixels,
        people.detections.scores_of_people(),
    )
    return tuple(
        SeenPerson(person=person, pose=pose, betas=betas, head_first=head, head_px=pixel, score=score)
        for person, pose, betas, head, pixel, score in zip(*columns)
    )


def people_mask(people: SeenPeople, frame: SeenFrame) -> Bool[ndarray, "height width"]:
    """Pixels of the prepared picture that show people."""
    wide, high = frame.prepared.size_px
    mask = people.detections.mask.cpu().numpy() > 0.5
    side, longest = len(mask), max(wide, high)
    column = (np.arange(wide) + 0.5 + (longest - wide) / 2) * side / longest
    row = (np.arange(high) + 0.5 + (longest - high) / 2) * side / longest
    return mask[row.astype(int)][:, column.astype(int)]


def _from_square(
    places_px: Float[ndarray, "people 2"], people: SeenPeople, frame: SeenFrame
) -> Float[ndarray, "people 2"]:  # fmt: skip
    """Places in the detector's square, counted from its corner, as pixels of the prepared picture."""
    size = np.array(frame.prepared.size_px)
    longest = size.max()
    return places_px * longest / len(people.detections.mask) - (longest - size) / 2 - 0.5
