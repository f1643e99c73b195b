"""Photographs made ready for the DUSt3R family, and the way back from its pixels."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Shaped, UInt8
from numpy import ndarray
from PIL import Image
from torch import Tensor

PATCH = 16


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A photograph resized and cropped: pixel centre `p` of it is pixel `scale * p + offset` of the photograph."""

    image: Float[Tensor, "1 3 height width"]
    """In -1..1."""
    scale: Float[ndarray, "2"]
    offset_px: Float[ndarray, "2"]

    @property
    def size_px(self) -> tuple[int, int]:
        """(width, height)."""
        return self.image.shape[3], self.image.shape[2]


def prepare(photo: UInt8[ndarray, "height width 3"], size: int = 512) -> Prepared:
    """As the networks were trained: long side `size` and sides cropped to multiples of 16, a square one to 4:3; at size 224
    short side 224 and the middle square of it."""
    height, width = photo.shape[:2]
    wide, high, half_x, half_y = _window(width, height, size)
    kind = Image.Resampling.LANCZOS if wide * high < width * height else Image.Resampling.BICUBIC
    resized = np.asarray(Image.fromarray(photo).resize((wide, high), kind))
    left, top = wide // 2 - half_x, high // 2 - half_y
    window = resized[top : top + 2 * half_y, left : left + 2 * half_x]
    scale = np.array([width / wide, height / high])
    return Prepared(
        image=to_unit_range(window), scale=scale, offset_px=scale * (np.array([left, top]) + 0.5) - 0.5
    )  # fmt: skip


def prepared_size(width: int, height: int, size: int = 512) -> tuple[int, int]:
    """(width, height) of the picture that `prepare` makes of a photograph of this size."""
    *_, half_x, half_y = _window(width, height, size)
    return 2 * half_x, 2 * half_y


def to_unit_range(image: UInt8[ndarray, "height width 3"]) -> Float[Tensor, "1 3 height width"]:
    """Bytes to -1..1, channels first."""
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].float() / 255 * 2 - 1


def prepared_pixels(picture: Shaped[ndarray, "height width *rest"], prepared: Prepared) -> Shaped[ndarray, "high wide *rest"]:
    """What a mask or picture of the photograph's size has at the middle of every prepared pixel."""
    return reduced_pixels(picture, prepared.size_px, prepared.scale, prepared.offset_px)


def reduced_pixels(
    picture: Shaped[ndarray, "height width *rest"], size_px: tuple[int, int], scale: Float[ndarray, "2"],
    offset_px: Float[ndarray, "2"],
) -> Shaped[ndarray, "high wide *rest"]:  # fmt: skip
    """What a picture has at the middle of every pixel of a smaller one, whose pixel p is its pixel scale * p + offset."""
    x, y = (np.round(np.arange(n) * scale[axis] + offset_px[axis]).astype(int) for axis, n in enumerate(size_px))
    return picture[y.clip(0, picture.shape[0] - 1)][:, x.clip(0, picture.shape[1] - 1)]


def _window(width: int, height: int, size: int) -> tuple[int, int, int, int]:
    """(width, height) of the resized photograph, and half the sides of the window about its middle."""
    ratio = size / (min(width, height) if size == 224 else max(width, height))
    wide, high = round(width * ratio), round(height * ratio)
    return wide, high, *_half_sizes(wide, high, is_square=size == 224)


def _half_sizes(width: int, height: int, *, is_square: bool) -> tuple[int, int]:
    if is_square:
        half = min(width // 2, height // 2)
        return half, half
    half_x, half_y = (PATCH // 2 * (2 * (side // 2) // PATCH) for side in (width, height))
    if width == height:
        half_y = PATCH // 2 * (3 * half_x // 4 // (PATCH // 2))
    return half_x, half_y
