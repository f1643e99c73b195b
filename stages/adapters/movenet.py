"""MoveNet MultiPose: up to six people in one picture, COCO's 17 keypoints each."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray

from stages.adapters.onnx_session import run_network

MULTIPLE: Final = 32
"""The network takes pictures whose sides are multiples of this."""


@dataclass(frozen=True, kw_only=True)
class PoseEstimate:
    """One person: keypoints in COCO's order (the first 17 of conventions.KEYPOINTS), in the picture's pixels."""

    keypoints_px: Float[ndarray, "17 2"]
    confidence: Float[ndarray, "17"]
    score: float


def estimate_poses(image: UInt8[ndarray, "height width 3"], *, size: int, threshold: float) -> tuple[PoseEstimate, ...]:
    """People in an RGB `image` whose long side is scaled to `size` pixels for the network."""
    height, width = image.shape[:2]
    scale = size / max(height, width)
    small_size = (round(width * scale), round(height * scale))
    padded = np.zeros((*(-(-n // MULTIPLE) * MULTIPLE for n in small_size[::-1]), 3), np.uint8)
    filter_kind = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    padded[: small_size[1], : small_size[0]] = cv2.resize(image, small_size, interpolation=filter_kind)
    (people,) = run_network("movenet_multipose", padded[None].astype(np.int32)).values()
    # A normalised coordinate x covers [0, 1] from border to border; the centre of the first pixel is (0, 0).
    to_px = np.array(padded.shape[1::-1]) / np.array(small_size) * np.array([width, height])
    return tuple(_read(person, to_px) for person in people[0] if person[55] >= threshold)


def _read(person: Float[ndarray, "56"], to_px: Float[ndarray, "2"]) -> PoseEstimate:
    rows = person[:51].reshape(17, 3).astype(np.float64)
    return PoseEstimate(keypoints_px=rows[:, 1::-1] * to_px - 0.5, confidence=rows[:, 2], score=float(person[55]))
