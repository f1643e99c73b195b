"""BlazePose GHUM (heavy): one person in a turned square region: 33 landmarks in the picture and in metres, and a mask."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray

from hsimul3r.conventions import KEYPOINTS
from stages.adapters.onnx_session import run_network

SIZE: Final = 256
HEATMAP_SIZE: Final = 64
LANDMARKS: Final = 39
"""33 of the body, 2 that define the next region (hip centre, and a point on the circle around the body), 4 unused."""
HIP_CENTRE: Final = 33
BODY_CIRCLE: Final = 34
REGION_SCALE: Final = 1.25
REFINE_WINDOW: Final = 4
REFINE_CONFIDENCE: Final = 0.1

LANDMARK_OF_KEYPOINT: Final = {
    "nose": 0, "left_eye": 2, "right_eye": 5, "left_ear": 7, "right_ear": 8, "left_shoulder": 11, "right_shoulder": 12,
    "left_elbow": 13, "right_elbow": 14, "left_wrist": 15, "right_wrist": 16, "left_hip": 23, "right_hip": 24,
    "left_knee": 25, "right_knee": 26, "left_ankle": 27, "right_ankle": 28, "left_heel": 29, "right_heel": 30,
    "left_toe": 31, "right_toe": 32,
}  # fmt: skip
_ROWS: Final = np.array([LANDMARK_OF_KEYPOINT[name] for name in KEYPOINTS])


@dataclass(frozen=True, kw_only=True)
class Region:
    """A square of the picture, `side_px` wide, whose upward direction is turned by `angle` clockwise."""

    centre_px: Float[ndarray, "2"]
    side_px: float
    angle: float

    @classmethod
    def around(cls, centre_px: Float[ndarray, "2"], top_px: Float[ndarray, "2"]) -> "Region":
        """The region of a body whose hips lie at `centre_px` and whose enclosing circle has its top at `top_px`."""
        dx, dy = top_px - centre_px
        return cls(centre_px=centre_px, side_px=2 * REGION_SCALE * float(np.hypot(dx, dy)), angle=float(np.arctan2(dx, -dy)))

    def picture_from_crop(self) -> Float[ndarray, "2 3"]:
        """Affine map from crop pixels (0 to SIZE) to picture pixels."""
        turn = _turn(self.angle) * (self.side_px / SIZE)
        middle = np.full(2, (SIZE - 1) / 2)
        return np.concatenate([turn, (self.centre_px - turn @ middle)[:, None]], axis=1)


@dataclass(frozen=True, kw_only=True)
class BodyEstimate:
    """One person, keypoints named by conventions.KEYPOINTS."""

    keypoints_px: Float[ndarray, "21 2"]
    visibility: Float[ndarray, "21"]
    skeleton_m: Float[ndarray, "21 3"]
    """Metres from the hip centre in the axes (right, down, forward) of a camera that looks at it."""
    presence: float
    region: Region
    next_region: Region
    mask: Float[ndarray, "256 256"]
    """Probability of the person's pixels in the crop; `region.picture_from_crop` says where they lie."""


def estimate_body(image: UInt8[ndarray, "height width 3"], region: Region) -> BodyEstimate:
    """The person in `region` of an RGB `image`."""
    to_picture = region.picture_from_crop()
    outputs = run_network("blazepose_heavy", (_cut(image, to_picture)[None] / 255).astype(np.float32))
    landmarks = outputs["Identity"].reshape(LANDMARKS, 5).astype(np.float64)
    # Landmark coordinates run from border to border of the crop; pixel centres lie half a pixel inside.
    crop_px = _refine(landmarks[:, :2], outputs["Identity_3"][0]) - 0.5
    picture_px = crop_px @ to_picture[:, :2].T + to_picture[:, 2]
    world = outputs["Identity_4"].reshape(LANDMARKS, 3).astype(np.float64)
    world[:, :2] = world[:, :2] @ _turn(region.angle).T
    return BodyEstimate(
        keypoints_px=picture_px[_ROWS],
        visibility=_sigmoid(landmarks[_ROWS, 3]),
        skeleton_m=world[_ROWS],
        presence=float(outputs["Identity_1"].item()),
        region=region,
        next_region=Region.around(picture_px[HIP_CENTRE], picture_px[BODY_CIRCLE]),
        mask=_sigmoid(outputs["Identity_2"][0, :, :, 0]),
    )


def _cut(image: UInt8[ndarray, "height width 3"], to_picture: Float[ndarray, "2 3"]) -> UInt8[ndarray, "256 256 3"]:
    """The region's pixels; a picture much finer than the crop is reduced first, so that nothing aliases."""
    factor = float(np.hypot(*to_picture[:, 0])) / 1.5
    if factor > 1.3:
        image = cv2.resize(image, None, fx=1 / factor, fy=1 / factor, interpolation=cv2.INTER_AREA)
        to_picture = np.concatenate([to_picture[:, :2] / factor, ((to_picture[:, 2] + 0.5) / factor - 0.5)[:, None]], axis=1)
    return cv2.warpAffine(image, to_picture, (SIZE, SIZE), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)


def _refine(points: Float[ndarray, "39 2"], heatmaps: Float[ndarray, "64 64 39"]) -> Float[ndarray, "39 2"]:
    """Each landmark moved to its heatmap's centre of mass in a window around it, where the heatmap is sure of it."""
    refined = points.copy()
    cells = np.floor(points / SIZE * HEATMAP_SIZE).astype(int)
    for i, (x, y) in enumerate(cells):
        if not (0 <= x < HEATMAP_SIZE and 0 <= y < HEATMAP_SIZE):
            continue
        x0, y0 = max(0, x - REFINE_WINDOW), max(0, y - REFINE_WINDOW)
        weights = _sigmoid(heatmaps[y0 : y + REFINE_WINDOW + 1, x0 : x + REFINE_WINDOW + 1, i])
        if weights.max() < REFINE_CONFIDENCE:
            continue
        rows, columns = np.mgrid[: weights.shape[0], : weights.shape[1]]
        centre = np.array([(weights * (columns + x0)).sum(), (weights * (rows + y0)).sum()]) / weights.sum()
        refined[i] = centre / HEATMAP_SIZE * SIZE
    return refined


def _turn(angle: float) -> Float[ndarray, "2 2"]:
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def _sigmoid(x: Float[ndarray, "..."]) -> Float[ndarray, "..."]:
    return 1 / (1 + np.exp(-np.clip(x.astype(np.float64), -50, 50)))
