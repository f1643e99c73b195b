"""How well a piece of parametric furniture explains an observation: silhouettes, prior, what it carries, where it faces,
and the room that it leaves to people."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, UInt8
from numpy import ndarray

from hsimul3r.errors import NoObject
from hsimul3r.generator.families import Family
from hsimul3r.generator.protocol import FLESH_STEP_M, Observation, Support
from hsimul3r.geometry.cameras import rays
from hsimul3r.geometry.frusta import (
    LabelCounts,
    count_inside,
    count_labels,
    crop_pinholes,
    pinholes,
    silhouette_energies,
    silhouettes,
)

OBJECT, UNKNOWN = 1, 2
XY_UNIT_M, YAW_UNIT, SHIFT_UNIT_RAD = 0.15, 0.35, 0.0114
"""One unit of the search variable: place, yaw, and a view's shift as an angle seen from the camera."""
MIN_OBJECT_PX = 20
ONE_SEAT_M = 0.9
"""Seats narrower than this are for one sitter."""
FLESH_L = 1000 * FLESH_STEP_M**3
"""What a point of `Observation.flesh` stands for."""
MIDDLE_HEIGHT_M = 0.4
"""Half the height of most furniture."""


@dataclass(frozen=True, kw_only=True)
class Weights:
    """Weights of the terms beside 1 - IoU."""

    shape_prior: float = 0.0005
    out_of_range: float = 0.5
    shift_prior: float = 0.0012
    support: float = 0.06
    support_height_m: float = 0.02
    support_reach_m: float = 0.04
    sitter_back_m: float = 0.09
    """Where a sitter's buttocks are lowest: this far behind the seat's middle."""
    sitter_place_m: float = 0.08
    """Spread of a sitter's place about that, sideways only on seats for one."""
    support_cut: float = 3.0
    """A support farther than this many sigmas is taken for somebody else's."""
    facing: float = 0.02
    room_per_l: float = 0.05
    """Of furniture inside people, in litres."""


@dataclass(frozen=True, kw_only=True)
class Crops:
    """The observation resampled so that the object is equally large in every view."""

    cameras: Float[ndarray, "views 16"]
    labels: UInt8[ndarray, "views size size"]
    """All unknown where a view is not used."""
    shift_unit_px: Float[ndarray, "views"]
    counts: LabelCounts

    @property
    def is_used(self) -> Bool[ndarray, "views"]:
        return (self.labels != UNKNOWN).any(axis=(1, 2))


def object_box(labels: UInt8[ndarray, "height width"], box_px: Float[ndarray, "4"]) -> Float[ndarray, "4"]:
    """Box (x0, y0, x1, y1) around the object's pixels and, where it is finite, the given box."""
    rows, columns = np.nonzero(labels == OBJECT)
    seen = np.array([columns.min(), rows.min(), columns.max(), rows.max()], float)
    if not np.isfinite(box_px).all():
        return seen
    return np.concatenate([np.minimum(seen[:2], box_px[:2]), np.maximum(seen[2:], box_px[2:])])


def is_usable(observation: Observation, view: int) -> bool:
    """True where the view has a camera and enough object pixels."""
    labels = observation.labels[view]
    return (
        bool(observation.cameras.is_registered[view]) and labels is not None and int((labels == OBJECT).sum()) >= MIN_OBJECT_PX
    )


def best_views(observation: Observation) -> list[int]:
    """Views with a mask of the object, those that show most of it first. Raises `NoObject` where there is none."""
    usable = [view for view in range(len(observation.labels)) if is_usable(observation, view)]
    if not usable:
        raise NoObject("No view has a mask of the object.")
    return sorted(usable, key=lambda view: -int((np.asarray(observation.labels[view]) == OBJECT).sum()))


def crop(observation: Observation, *, object_px: int, size: int) -> Crops:
    """Resample every usable view so that the object's longer side measures `object_px` of `size` pixels."""
    views = len(observation.labels)
    corner, step = np.zeros((views, 2)), np.ones(views)
    labels = np.full((views, size, size), UNKNOWN, np.uint8)
    for v, image in enumerate(observation.labels):
        if image is None or not is_usable(observation, v):
            continue
        box = object_box(image, observation.boxes_px[v])
        step[v] = max(box[2] - box[0], box[3] - box[1], 1.0) / object_px
        corner[v] = 0.5 * (box[:2] + box[2:]) - 0.5 * (size - 1) * step[v]
        labels[v] = _resample(image, corner[v], step[v], size)
    labels[(labels == OBJECT).sum(axis=(1, 2)) < MIN_OBJECT_PX] = UNKNOWN
    return Crops(
        cameras=crop_pinholes(pinholes(observation.cameras), corner, step),
        labels=labels,
        shift_unit_px=SHIFT_UNIT_RAD * observation.cameras.focal_px / step,
        counts=count_labels(labels),
    )


def box_centre(observation: Observation) -> Float[ndarray, "2"]:
    """Where on the floor the object stands: the point nearest to the rays through its boxes' middles.

    Without any, below the first seat or foot that needs support.
    """
    normal, right, views = np.zeros((3, 3)), np.zeros(3), 0
    for v, box in enumerate(_boxes(observation)):
        if np.isfinite(box).all():
            origin, direction = rays(observation.cameras, v, 0.5 * (box[:2] + box[2:]))
            across = np.eye(3) - np.outer(direction, direction)
            normal, right, views = normal + across, right + across @ origin, views + 1
    if views < 2 and observation.supports:
        return observation.supports[0].point[:2]
    normal[2, 2] += 0.1
    right[2] += 0.1 * MIDDLE_HEIGHT_M
    return np.linalg.solve(normal, right)[:2]


def _boxes(observation: Observation) -> Float[ndarray, "views 4"]:
    """Boxes of the object's pixels and, where none can be used, the given ones; nan without a camera."""
    boxes = np.where(observation.cameras.is_registered[:, None], observation.boxes_px, np.nan)
    for v, image in enumerate(observation.labels):
        if image is not None and is_usable(observation, v):
            boxes[v] = object_box(image, observation.boxes_px[v])
    return boxes


class Objective:
    """Energy of a population of search variables z (n, 3 + parameters [+ 2 views]).

    z = (x, y) in units of 15 cm from the start, yaw in units of .35 from the start, the shape in sigmas of its prior, and,
    where `has_shifts`, one 2D shift per view. E = mean(1 - IoU) + prior - support - facing + room.
    """

    def __init__(
        self, family: Family, crops: Crops, observation: Observation, *, start: Float[ndarray, "3"], weights: Weights,
        has_shifts: bool,
    ):  # fmt: skip
        self.family, self.crops, self.weights, self.start = family, crops, weights, start
        self.has_shifts, self.observation = has_shifts, observation
        self.shape_size = 3 + len(family.parameters)
        self.size = self.shape_size + (2 * len(crops.labels) if has_shifts else 0)
        self._free_shifts = without_translation(crops.cameras, crops.is_used, start) if has_shifts else np.zeros((0, 0))
        self._low = np.array([parameter.low for parameter in family.parameters])
        self._range = np.array([parameter.high for parameter in family.parameters]) - self._low

    def moved(self, crops: Crops) -> "Objective":
        """The same object seen in other crops, with a shift per view."""
        return Objective(
            self.family, crops, self.observation, start=self.start, weights=self.weights, has_shifts=True
        )  # fmt: skip

    def poses(self, z: Float[ndarray, "n size"]) -> Float[ndarray, "n 3"]:
        """Place and yaw (x, y, yaw)."""
        return self.start + z[:, :3] * np.array([XY_UNIT_M, XY_UNIT_M, YAW_UNIT])

    def values(self, z: Float[ndarray, "n size"]) -> Float[ndarray, "n parameters"]:
        """Shape parameters, held in their ranges."""
        return self._low + self._range * np.clip(self._unit(z), 0.0, 1.0)

    def shifts(self, z: Float[ndarray, "n size"]) -> Float[ndarray, "n views 2"]:
        """Shift of each view [px of its crop]."""
        if not self.has_shifts:
            return np.zeros((len(z), len(self.crops.labels), 2))
        free = z[:, self.shape_size :] @ self._free_shifts
        return free.reshape(len(z), -1, 2) * self.crops.shift_unit_px[:, None]

    def shift_derivatives(self) -> Float[ndarray, "shifts views 2"]:
        """Change of every view's shift [px of its crop] by each shift variable."""
        return self._free_shifts.reshape(len(self._free_shifts), -1, 2) * self.crops.shift_unit_px[:, None]

    def masks(self, z: Float[ndarray, "size"]) -> Bool[ndarray, "views size size"]:
        """Silhouettes of one object in the crops."""
        size = self.crops.labels.shape[1]
        rows = self.family.rows(self.values(z[None]))[0]
        return silhouettes(rows, self.poses(z[None])[0], self.crops.cameras, self.shifts(z[None])[0], height=size, width=size)

    def __call__(self, z: Float[ndarray, "n size"]) -> Float[ndarray, "n"]:
        values, poses, crops = self.values(z), self.poses(z), self.crops
        rows = self.family.rows(values)
        energy = silhouette_energies(rows, poses, self.shifts(z), crops.cameras, crops.counts)
        energy += self.weights.room_per_l * FLESH_L * count_inside(rows, poses, self.observation.flesh)
        return energy + self._prior(z) + self._support(values, poses) + self._facing(poses)

    def _unit(self, z: Float[ndarray, "n size"]) -> Float[ndarray, "n parameters"]:
        return 0.5 + 0.25 * z[:, 3 : self.shape_size]

    def _prior(self, z: Float[ndarray, "n size"]) -> Float[ndarray, "n"]:
        unit = self._unit(z)
        outside = unit - np.clip(unit, 0.0, 1.0)
        penalty = self.weights.out_of_range * (outside**2).sum(1)
        penalty += self.weights.shape_prior * (z[:, 3 : self.shape_size] ** 2).sum(1)
        return penalty + self.weights.shift_prior * (z[:, self.shape_size :] ** 2).sum(1)

    def _support(self, values: Float[ndarray, "n parameters"], poses: Float[ndarray, "n 3"]) -> Float[ndarray, "n"]:
        """Reward for every body part that finds the seat or top below it, none where that is far."""
        names = [parameter.name for parameter in self.family.parameters]
        height = values[:, names.index(self.family.support)]
        half = 0.5 * np.stack([values[:, names.index("width")], values[:, names.index("depth")]], axis=1)
        total = np.zeros(len(values))
        for support in self.observation.supports:
            if _can_carry(self.family, support):
                total -= self._support_reward(support, height, half, poses)
        return total

    def _support_reward(
        self, support: Support, height: Float[ndarray, "n"], half: Float[ndarray, "n 2"], poses: Float[ndarray, "n 3"]
    ) -> Float[ndarray, "n"]:
        w = self.weights
        cos, sin = np.cos(poses[:, 2]), np.sin(poses[:, 2])
        dx, dy = support.point[0] - poses[:, 0], support.point[1] - poses[:, 1]
        local = np.stack([cos * dx + sin * dy, cos * dy - sin * dx], axis=1)
        squared = (np.maximum(np.abs(local) - half, 0.0).sum(1) / w.support_reach_m) ** 2
        squared += ((height - support.point[2]) / w.support_height_m) ** 2
        if support.kind == "seat" and self.family.is_seat:
            sideways = np.where(half[:, 0] < 0.5 * ONE_SEAT_M, local[:, 0], 0.0)
            squared += (sideways**2 + (local[:, 1] - w.sitter_back_m) ** 2) / w.sitter_place_m**2
        return w.support * np.maximum(1.0 - squared / w.support_cut**2, 0.0)

    def _facing(self, poses: Float[ndarray, "n 3"]) -> Float[ndarray, "n"]:
        if self.observation.facing is None or not self.family.is_seat:
            return np.zeros(len(poses))
        return -self.weights.facing * 0.5 * (1.0 + np.cos(poses[:, 2] - self.observation.facing))


def _can_carry(family: Family, support: Support) -> bool:
    """Hands rest on tops; a chair's seat is for sitting and stepping on."""
    return not (family.is_seat and support.kind == "hand")


def without_translation(
    cameras: Float[ndarray, "views 16"], is_used: Bool[ndarray, "views"], start: Float[ndarray, "3"]
) -> Float[ndarray, "shifts shifts"]:
    """Projection of the views' shifts that takes away what moving the object over the floor would do as well."""
    rotation, offset = cameras[:, :12].reshape(-1, 3, 4)[:, :, :3], cameras[:, :12].reshape(-1, 3, 4)[:, :, 3]
    point = rotation @ np.array([start[0], start[1], MIDDLE_HEIGHT_M]) + offset
    ray = point[:, :2] / point[:, 2:]
    by_place = (rotation[:, :2, :2] - ray[:, :, None] * rotation[:, 2:, :2]) / point[:, 2, None, None]
    columns = (by_place * is_used[:, None, None]).reshape(-1, 2)
    return np.eye(len(columns)) - columns @ np.linalg.pinv(columns)


def _resample(image: UInt8[ndarray, "height width"], corner: ndarray, step: float, size: int) -> UInt8[ndarray, "size size"]:
    columns = np.round(corner[0] + step * np.arange(size)).astype(int)
    rows = np.round(corner[1] + step * np.arange(size)).astype(int)
    cropped = image[np.clip(rows, 0, image.shape[0] - 1)][:, np.clip(columns, 0, image.shape[1] - 1)].copy()
    cropped[(rows < 0) | (rows >= image.shape[0])] = UNKNOWN
    cropped[:, (columns < 0) | (columns >= image.shape[1])] = UNKNOWN
    return cropped
