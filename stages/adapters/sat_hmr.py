"""SAT-HMR and MA-HMR with the user's own weights: all people of one photograph as SMPL, in metres.

MA-HMR also sees the focal length, so that one photograph is enough for people, camera and scale; SAT-HMR takes 60 degrees for
the longer side of every photograph.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy import ndarray
from PIL import Image
from torch import Tensor
from torch.nn import functional

from hsimul3r.geometry.rotations import axis_angle_from_matrix
from stages.adapters.networks.checkpoints import Precision, load_network
from stages.adapters.networks.dinov2 import PATCH
from stages.adapters.networks.sat_hmr_net import SIDE, QueriedPeople, SatConfig, SatHmr
from stages.adapters.smpl_people import IMAGE_MEAN, IMAGE_STD, SmplPerson

LICENCES = {
    "sat_hmr": ("SAT-HMR: Apache-2.0 code; its weights predict parameters of SMPL, whose licence is non-commercial",),
    "ma_hmr": ("MA-HMR weights: CC BY-NC 4.0, non-commercial; they predict parameters of SMPL, non-commercial too",),
}
UNUSED = ("human_model.",)
"""SMPL's own tables in the published files."""
HEAD_WIDTH = 64
"""Of DINOv2, whatever its size."""
MULTIPLE = 2 * SIDE
"""Pictures are padded to multiples of this."""


@dataclass(frozen=True, kw_only=True)
class PhotoOfPeople:
    """What one photograph says of its people and its camera, whose principal point is the photograph's middle."""

    focal_px: float
    people: tuple[SmplPerson, ...]
    """Best first."""


@dataclass(frozen=True, kw_only=True)
class FittedPicture:
    """A photograph as the network takes it."""

    image: Float[Tensor, "3 height width"]
    """Normalised; zeros right of and below the photograph."""
    size: tuple[int, int]
    """(height, width) without these."""
    scale: float
    """Pixels of the picture over those of the photograph."""


class SatHmrModel:
    """All people of photographs."""

    def __init__(self, network: SatHmr):
        self.network = network
        self.licences = LICENCES["ma_hmr" if network.config.sees_field_of_view else "sat_hmr"]

    @classmethod
    def load(
        cls, path: Path, model: Literal["sat_hmr", "ma_hmr"], *, precision: Precision = "float32", device: str = "cpu"
    ) -> "SatHmrModel":
        """From the published checkpoint of either. Raises `BadWeights`, `UnsafeWeights`, `WrongWeights`."""
        network = load_network(
            path, lambda found: SatHmr(sizes_of(found.weights, sees_field_of_view=model == "ma_hmr")), model=model,
            precision=precision, device=device, complete=_network_alone,
        )  # fmt: skip
        return cls(network)

    @torch.inference_mode()
    def estimate(self, image: UInt8[ndarray, "height width 3"], *, threshold: float = 0.5) -> PhotoOfPeople:
        """People of at least this confidence."""
        picture = fit_picture(image, self.network.config.input_size)
        parameter = self.network.encoder_pos_embeds
        found = self.network(picture.image.to(parameter.device, parameter.dtype), picture.size)
        focal = float(found.focal_px) / picture.scale
        order = [i for i in found.confidence.argsort(descending=True).tolist() if float(found.confidence[i]) >= threshold]
        side = self.network.config.input_size / picture.scale
        return PhotoOfPeople(focal_px=focal, people=tuple(_person(found, i, focal, side) for i in order))


def sizes_of(weights: Mapping[str, Tensor], *, sees_field_of_view: bool) -> SatConfig:
    """Sizes as the weights have them; a tensor that is missing counts as none, and is told when the weights are loaded."""

    def shape(name: str) -> tuple[int, ...]:
        return tuple(weights[name].shape) if name in weights else (0, 0, HEAD_WIDTH)

    def count(prefix: str) -> int:
        return len({name[len(prefix) :].split(".")[0] for name in weights if name.startswith(prefix)})

    side, _, width = shape("encoder_pos_embeds")
    queries, *_ = shape("tgt_embed.weight")
    return SatConfig(
        input_size=side * PATCH, width=width, depth=count("encoder.blocks."), heads=max(width // HEAD_WIDTH, 1),
        scale_blocks=count("encoder.additional_blocks."), hidden=shape("feature_proj.weight")[0], queries=queries,
        decoder_layers=count("decoder.decoder.layers."), feedforward=shape("decoder.decoder.layers.0.linear1.weight")[0],
        grid_side=shape("z_order_map")[0], sees_field_of_view=sees_field_of_view,
    )  # fmt: skip


def fit_picture(image: UInt8[ndarray, "height width 3"], input_size: int) -> FittedPicture:
    """The photograph with its longer side at the network's size (down to whole coarsest tokens), padded to these."""
    scale = input_size // MULTIPLE * MULTIPLE / max(image.shape[:2])
    height, width = (max(round(n * scale), 1) for n in image.shape[:2])
    resized = np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR), np.float32)
    normal = torch.from_numpy(((resized / 255 - IMAGE_MEAN) / IMAGE_STD).astype(np.float32)).permute(2, 0, 1)
    padded = functional.pad(normal, (0, -width % MULTIPLE, 0, -height % MULTIPLE))
    return FittedPicture(image=padded, size=(height, width), scale=scale)


def _person(found: QueriedPeople, i: int, focal_px: float, side_px: float) -> SmplPerson:
    x, y, width, height = found.boxes[i].double().cpu().numpy() * side_px
    return SmplPerson(
        pose=axis_angle_from_matrix(found.rotations[i].double().cpu().numpy()),
        betas=found.betas[i].double().cpu().numpy(),
        transl=found.translation[i].double().cpu().numpy(),
        focal_px=focal_px,
        box_px=np.array([x - width / 2, y - height / 2, x + width / 2, y + height / 2]),
        score=float(found.confidence[i]),
    )


def _network_alone(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value for name, value in weights.items() if not name.startswith(UNUSED)}
