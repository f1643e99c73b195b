"""HMR2.0 of 4D-Humans (Goel et al., ICCV 2023) with the user's own weights: people in given boxes as SMPL."""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy import ndarray
from torch import Tensor

from hsimul3r.geometry.rotations import axis_angle_from_matrix
from stages.adapters.networks.checkpoints import Precision, load_network
from stages.adapters.networks.hmr2_net import Hmr2, Hmr2Config, HmrEstimate
from stages.adapters.smpl_people import IMAGE_MEAN, IMAGE_STD, SmplPerson

LICENCES = ("HMR2.0 (4D-Humans): MIT code; its weights predict parameters of SMPL, whose licence is non-commercial",)
UNUSED = ("smpl.", "discriminator.")
"""Parts of the published file that are not the network: SMPL's own tables, and what only training needs."""
TALL = 4 / 3
"""Height over width of the people the network was shown."""
CROP_FOCAL_PX = 5000.0
"""The network's camera before its crop."""
SMOOTHED_FROM = 1.1


@dataclass(frozen=True, kw_only=True)
class SquareCrop:
    """Where a crop lies in its photograph."""

    centre_px: Float[ndarray, "2"]
    side_px: float


class Hmr2Model:
    """Poses of people in boxes."""

    licences = LICENCES

    def __init__(self, network: Hmr2):
        self.network = network

    @classmethod
    def load(
        cls, path: Path, *, config: Hmr2Config | None = None, precision: Precision = "float32", device: str = "cpu"
    ) -> "Hmr2Model":
        """From the published checkpoint. Raises `BadWeights`, `UnsafeWeights`, `WrongWeights`."""
        sizes = config or Hmr2Config()
        network = load_network(
            path, lambda _: Hmr2(sizes), model="HMR2.0", precision=precision, device=device, complete=_network_alone
        )  # fmt: skip
        return cls(network)

    @torch.inference_mode()
    def estimate(
        self, image: UInt8[ndarray, "height width 3"], boxes_px: Float[ndarray, "people 4"], *, focal_px: float | None = None
    ) -> tuple[SmplPerson, ...]:
        """One person a box (x0, y0, x1, y1). Without the photograph's focal length the network's own habit is taken, and
        distances are wrong by as much as it is."""
        if len(boxes_px) == 0:
            return ()
        size = self.network.config.image_size
        crops = [square_crop(box) for box in boxes_px]
        pictures = torch.stack([crop_picture(image, crop, size) for crop in crops])
        parameter = next(self.network.parameters())
        found = self.network(pictures.to(parameter.device, parameter.dtype))
        focal = focal_px or CROP_FOCAL_PX / size * max(image.shape[:2])
        return tuple(_person(found, i, crop, boxes_px[i], image.shape[:2], focal) for i, crop in enumerate(crops))


def square_crop(box_px: Float[ndarray, "4"]) -> SquareCrop:
    """The square around a box that holds a person as tall as the network expects."""
    width, height = box_px[2:] - box_px[:2]
    return SquareCrop(centre_px=(box_px[:2] + box_px[2:]) / 2, side_px=float(max(height, TALL * width)))


def crop_picture(image: UInt8[ndarray, "height width 3"], crop: SquareCrop, size: int) -> Float[Tensor, "3 size size"]:
    """The crop, normalised; black outside the photograph, smoothed before it is made much smaller."""
    shrinking = crop.side_px / size / 2
    source = image.astype(np.float32)
    if shrinking > SMOOTHED_FROM:
        source = cv2.GaussianBlur(source, (0, 0), (shrinking - 1) / 2)
    scale = size / crop.side_px
    offset = size / 2 - scale * crop.centre_px
    matrix = np.array([[scale, 0, offset[0]], [0, scale, offset[1]]])
    picture = cv2.warpAffine(source, matrix, (size, size), flags=cv2.INTER_LINEAR)
    normal = (picture / 255 - np.array(IMAGE_MEAN)) / np.array(IMAGE_STD)
    return torch.from_numpy(normal.astype(np.float32)).permute(2, 0, 1)


def translation_in_photo(
    camera: Float[ndarray, "3"], crop: SquareCrop, size: tuple[int, int], focal_px: float
) -> Float[ndarray, "3"]:
    """From the weak camera (scale, x, y) of a crop to the photograph's (height, width) camera."""
    scale, x, y = camera
    half_side = scale * crop.side_px / 2
    middle = np.array(size[::-1]) / 2
    return np.array([*(crop.centre_px - middle) / half_side + [x, y], focal_px / half_side])


def _person(
    found: HmrEstimate, i: int, crop: SquareCrop, box_px: ndarray, size: tuple[int, int], focal_px: float
) -> SmplPerson:
    camera = found.camera[i].double().cpu().numpy()
    return SmplPerson(
        pose=axis_angle_from_matrix(found.rotations[i].double().cpu().numpy()),
        betas=found.betas[i].double().cpu().numpy(),
        transl=translation_in_photo(camera, crop, size, focal_px),
        focal_px=focal_px,
        box_px=np.asarray(box_px, float),
        score=1.0,
    )


def _network_alone(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value for name, value in weights.items() if not name.startswith(UNUSED)}
