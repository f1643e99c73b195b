"""What a phone makes of a renderer's picture: distortion, softness, blur, exposure, white balance, vignette, noise, JPEG."""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from jaxtyping import Float, Float32, UInt8
from numpy import ndarray

from hsimul3r.benchmark.camera.lighting import linear_from_srgb, srgb_from_linear
from hsimul3r.benchmark.camera.shot import Picture, View, cameras_of
from hsimul3r.geometry.cameras import undistort

LEVELS = 65535
RADII = 2048


@dataclass(frozen=True, kw_only=True)
class Phone:
    """How a phone's pictures differ from a pinhole's."""

    softness_px: float = 0.5
    """Standard deviation of the lens' blur."""
    vignette: float = 0.18
    """Share of light that the corners lose."""
    white_balance: float = 0.015
    """Standard deviation of the red and blue gain."""
    grain: float = 1.5
    """Standard deviation of the sensor noise in grey levels; as much again is coarser."""
    jpeg_quality: int = 90


def develop(
    picture: Picture,
    view: View,
    rng: np.random.Generator,
    *,
    phone: Phone | None = None,
    smear_px: tuple[float, float] = (0.0, 0.0),
) -> Picture:
    """The photograph that `view` takes, from the picture of `view.pinhole`, with its labels and depth (nearest pixel).

    `smear_px` is how far the picture moves (right, down) while the shutter is open.
    """
    phone = phone or Phone()
    straight, labels, depth = picture.image, picture.labels, picture.depth
    if view.k1:
        x, y = _sources(view.size_px, view.focal_px, view.k1)
        straight = cv2.remap(straight, x, y, cv2.INTER_CUBIC)
        labels, depth = (cv2.remap(layer, x, y, cv2.INTER_NEAREST) for layer in (labels, depth))
    if max(np.abs(smear_px)) >= 0.5:
        straight = cv2.filter2D(straight, -1, _streak(smear_px), borderType=cv2.BORDER_REPLICATE)
    image = cv2.GaussianBlur(straight, (0, 0), phone.softness_px)
    image = _exposed(image, view.exposure, rng.normal(0, phone.white_balance, 2), phone.vignette) + _noise(
        image.shape, phone, rng
    )
    return Picture(image=np.clip(np.rint(image), 0, 255).astype(np.uint8), labels=labels, depth=depth)


def jpeg(image: UInt8[ndarray, "height width 3"], phone: Phone | None = None) -> bytes:
    """An RGB picture as JPEG without any metadata."""
    quality = (phone or Phone()).jpeg_quality
    return cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


@lru_cache(maxsize=4)
def _sources(size_px: tuple[int, int], focal_px: float, k1: float) -> tuple[Float32[ndarray, "height width"], ...]:
    """Column and row of the pinhole's picture where each pixel of the photograph lies."""
    view = View(size_px=size_px, focal_px=focal_px, T_cam_world=np.eye(4), k1=k1)
    centre = view.K[:2, 2]
    grid = np.stack(np.meshgrid(*(np.arange(side) - c for side, c in zip(size_px, centre))), axis=-1)
    radius = np.linalg.norm(grid, axis=-1)
    known = np.linspace(0, radius.max(), RADII)[1:]
    straight = undistort(cameras_of((view,)), 0, np.column_stack([known + centre[0], np.full(RADII - 1, centre[1])]))[:, 0]
    scale = np.interp(radius, known, straight * focal_px / known)
    places = grid * scale[..., None] + view.pinhole.K[:2, 2]
    return tuple(np.ascontiguousarray(places[..., k], np.float32) for k in range(2))


def _streak(smear_px: tuple[float, float]) -> Float[ndarray, "side side"]:
    """Kernel of a straight movement at constant speed."""
    reach = int(np.ceil(max(np.abs(smear_px)) / 2)) + 1
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1))
    for share in np.linspace(-0.5, 0.5, 8 * reach + 1):
        x, y = reach + share * smear_px[0], reach + share * smear_px[1]
        column, row = int(np.floor(x)), int(np.floor(y))
        weights = np.outer([1 - (y - row), y - row], [1 - (x - column), x - column])
        kernel[row : row + 2, column : column + 2] += weights
    return kernel / kernel.sum()


def _exposed(
    image: UInt8[ndarray, "height width 3"], stops: float, balance: Float[ndarray, "2"], vignette: float
) -> Float32[ndarray, "height width 3"]:
    """Grey levels after the light is multiplied by 2^stops, by the gains of red and blue, and falls off towards the corners."""
    height, width = image.shape[:2]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    gains = 2.0**stops * np.array([1 + balance[0], 1.0, 1 + balance[1]])
    falloff = (1 - vignette * (x**2 + y**2) / 2).astype(np.float32)
    light = linear_from_srgb(np.arange(256)[:, None] / 255.0) * gains * LEVELS
    out = np.empty(image.shape, np.float32)
    levels = _levels()
    for c in range(3):
        channel = cv2.LUT(image[..., c], light[:, c].astype(np.float32)) * falloff
        out[..., c] = levels[np.minimum(channel, LEVELS).astype(np.uint16)]
    return out


@lru_cache(maxsize=1)
def _levels() -> Float32[ndarray, "levels"]:
    return (255 * srgb_from_linear(np.arange(LEVELS + 1) / LEVELS)).astype(np.float32)


def _noise(shape: tuple[int, ...], phone: Phone, rng: np.random.Generator) -> Float32[ndarray, "height width 3"]:
    """Fine grain over a coarser one, in grey levels."""
    height, width, _ = shape
    fine = phone.grain * rng.standard_normal((height, width, 3), dtype=np.float32)
    coarse = phone.grain * rng.standard_normal((height // 2 + 1, width // 2 + 1, 3), dtype=np.float32)
    return (
        fine
        + cv2.resize(coarse, (2 * (width // 2 + 1), 2 * (height // 2 + 1)), interpolation=cv2.INTER_LINEAR)[:height, :width]
    )
