"""Crops of an observed object for the network: its best views, as training's pictures have them."""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy import ndarray

from hsimul3r.generator.flow.dataset import crop_tensor, view_numbers
from hsimul3r.generator.flow.network import SIZE_NUMBERS, Condition
from hsimul3r.generator.flow.tokens import Outline, outline_numbers
from hsimul3r.generator.objective import MIDDLE_HEIGHT_M, OBJECT, UNKNOWN, best_views, box_centre, object_box
from hsimul3r.generator.protocol import Observation
from hsimul3r.geometry.cameras import camera_centers, depth

NO_EXTENTS = np.ones(3)


@dataclass(frozen=True, kw_only=True)
class CropConfig:
    """How an observation becomes crops."""

    views: int = 3
    """At most so many, those that show most of the object first."""
    size_px: int = 80
    margin: float = 1.15
    """Side of the crop over the longer side of the object's box."""
    has_facing: bool = True
    """Tell the network where a sitter looks."""


@dataclass(frozen=True, kw_only=True)
class Crop:
    """One view of the object."""

    luminance: UInt8[ndarray, "size size"]
    labels: UInt8[ndarray, "size size"]
    world_yaw: float
    """Direction from the object to the camera, 0 at -Y, counterclockwise [rad]."""
    elevation: float
    side_m: float
    """Width of the crop where the object is."""


def make_crops(
    observation: Observation, images: tuple[UInt8[ndarray, "height width 3"], ...], cfg: CropConfig
) -> tuple[Crop, ...]:
    """The best views of the object. Raises `NoObject` where no view has a mask of it."""
    return tuple(_crop(observation, images[view], view, cfg) for view in best_views(observation)[: cfg.views])


def world_yaw(observation: Observation, view: int) -> float:
    """Direction from the object to the camera, 0 at -Y, counterclockwise [rad]."""
    away = camera_centers(observation.cameras)[view] - _place(observation)
    return float(np.arctan2(away[0], -away[1]))


def condition_from(crops: tuple[Crop, ...], facing: float | None) -> Condition:
    """What the network is shown of one object; cameras and widths are known, its turn where `facing` is."""
    turn = facing or 0.0
    outlines = [Outline(extents_m=NO_EXTENTS, yaw=crop.world_yaw - turn, elevation=crop.elevation) for crop in crops]
    numbers = np.stack([outline_numbers(outline) for outline in outlines])[None]
    known = np.array([[1.0, float(facing is not None), 1.0, 0.0]])
    views = view_numbers(numbers, np.array([[crop.side_m for crop in crops]]), known)
    return Condition(
        crops=crop_tensor(np.stack([crop.luminance for crop in crops]), np.stack([crop.labels for crop in crops]))[None],
        is_seen=torch.ones(1, len(crops), dtype=torch.bool),
        views=torch.from_numpy(views).float(),
        size=torch.zeros(1, SIZE_NUMBERS),
    )


def _crop(observation: Observation, image: UInt8[ndarray, "height width 3"], view: int, cfg: CropConfig) -> Crop:
    place, labels = _place(observation), np.asarray(observation.labels[view])
    box = object_box(labels, observation.boxes_px[view])
    side = max(box[2] - box[0], box[3] - box[1], 1.0) * cfg.margin
    corner = 0.5 * (box[:2] + box[2:] - side)
    away = camera_centers(observation.cameras)[view] - place
    distance = float(depth(observation.cameras, view, place))
    cut_labels = _cut(labels, corner, side, cfg.size_px, cv2.INTER_NEAREST, UNKNOWN)
    grey = _cut(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), corner, side, cfg.size_px, cv2.INTER_AREA, 0)
    return Crop(
        luminance=np.where(cut_labels == OBJECT, grey, 0).astype(np.uint8), labels=cut_labels,
        world_yaw=world_yaw(observation, view), elevation=float(np.arctan2(away[2], np.hypot(*away[:2]))),
        side_m=float(side / observation.cameras.focal_px[view] * distance),
    )  # fmt: skip


def _place(observation: Observation) -> Float[ndarray, "3"]:
    """About the object's middle."""
    return np.array([*box_centre(observation), MIDDLE_HEIGHT_M])


def _cut(
    image: UInt8[ndarray, "height width"], corner: Float[ndarray, "2"], side: float, size: int, how: int, outside: int
) -> UInt8[ndarray, "size size"]:
    """A square part of an image, filled up where it leaves the image, in `size` pixels."""
    low = np.round(corner).astype(int)
    wide = max(round(side), 1)
    part = np.full((wide, wide), outside, np.uint8)
    first, last = np.maximum(low, 0), np.minimum(low + wide, [image.shape[1], image.shape[0]])
    rows, columns = slice(first[1] - low[1], last[1] - low[1]), slice(first[0] - low[0], last[0] - low[0])
    part[rows, columns] = image[first[1] : last[1], first[0] : last[0]]
    return cv2.resize(part, (size, size), interpolation=how)
