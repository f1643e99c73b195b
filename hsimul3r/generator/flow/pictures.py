"""Crops of random furniture as photos show it: shaded, half hidden by people, with masks that are not quite right."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int, UInt8
from numpy import ndarray
from numpy.random import Generator as Rng
from scipy.ndimage import gaussian_filter

from hsimul3r.artifacts import ConvexPart
from hsimul3r.generator.flow.furniture import Furniture
from hsimul3r.generator.flow.primitives import clouds, without_mirrors
from hsimul3r.generator.objective import OBJECT, UNKNOWN
from hsimul3r.generator.synthetic import SITTER, STANDER
from hsimul3r.geometry.masks import signed_distance_image
from hsimul3r.geometry.mesh import convex_part
from hsimul3r.geometry.rotations import rotation_about_z
from hsimul3r.geometry.silhouette import rasterize_depth

CROP_PX: Final = 80
OVERSAMPLED: Final = 2
MARGIN: Final = (1.06, 1.25)
"""Side of a crop over the longer side of the object's box in it."""


MOST_HIDDEN: Final = 0.65
"""A person who hides more of the object than this is left out."""


@dataclass(frozen=True, kw_only=True)
class Model:
    """An object to look at: the triangles of its parts, and which part each is of."""

    vertices: Float[ndarray, "vertices 3"]
    faces: Int[ndarray, "faces 3"]
    part: Int[ndarray, "faces"]
    seat_m: float | None
    """Height of the seat, None where nobody sits on it."""


@dataclass(frozen=True, kw_only=True)
class Look:
    """Where a camera stands."""

    yaw: float
    """0 where it sees the object's front, growing counterclockwise seen from above [rad]."""
    elevation: float
    distance_m: float
    """From the middle of the object's box."""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """One crop and what is known of its camera."""

    luminance: UInt8[ndarray, "size size"]
    labels: UInt8[ndarray, "size size"]
    """0 background, 1 object, 2 unknown (people in front)."""
    look: Look
    side_m: float
    """Width of the crop where the object is [m]."""


def model_of(furniture: Furniture) -> Model:
    """The parts' triangles, not united."""
    single = without_mirrors(furniture.primitives)
    parts: list[tuple[int, ConvexPart]] = [
        (i, convex_part(points, primitive.role)) for i, primitive in enumerate(single) for points in clouds(primitive)
    ]
    first = np.cumsum([0, *(len(part.vertices) for _, part in parts)])
    seats = [primitive.centre[2] + primitive.half[2] for primitive in single if primitive.role == "seat"]
    return Model(
        vertices=np.concatenate([part.vertices for _, part in parts]),
        faces=np.concatenate([part.faces + start for (_, part), start in zip(parts, first)]),
        part=np.concatenate([np.full(len(part.faces), i) for i, part in parts]),
        seat_m=float(max(seats)) if seats else None,
    )


def random_looks(rng: Rng, count: int) -> tuple[Look, ...]:
    """Cameras around the object, at eye level or so."""
    turns = rng.uniform(-np.pi, np.pi) + np.cumsum([0.0, *np.radians(rng.uniform(25, 110, count - 1))])
    return tuple(
        Look(
            yaw=float(np.arctan2(np.sin(turn), np.cos(turn))),
            elevation=float(np.radians(rng.uniform(2.0, 42.0))),
            distance_m=float(rng.uniform(1.6, 4.5)),
        )
        for turn in turns
    )


def take_picture(model: Model, look: Look, rng: Rng, *, size: int = CROP_PX) -> Picture:
    """The crop of one view, with a person in the way in half of them."""
    low, high = model.vertices.min(axis=0), model.vertices.max(axis=0)
    middle = (low + high) / 2
    distance = max(look.distance_m, 1.1 * float(np.linalg.norm(high - low)))
    T = look_at(Look(yaw=look.yaw, elevation=look.elevation, distance_m=distance), middle)
    seen = model.vertices @ T[:3, :3].T + T[:3, 3]
    rays = seen[:, :2] / seen[:, 2:]
    corner, side = _window(rays, rng)
    fine = OVERSAMPLED * size
    uv = (rays - corner) / side * fine - 0.5
    _, face = rasterize_depth(uv, seen[:, 2], model.faces, height=fine, width=fine)
    shaded = shade(model, face, seen, rng)
    luminance = cv2.resize(shaded, (size, size), interpolation=cv2.INTER_AREA)
    mask = cv2.resize((face >= 0).astype(np.float32), (size, size), interpolation=cv2.INTER_AREA) > 0.5
    person = _person(model, T, corner, side, rng, size) & (rng.random() < 0.5)
    if (mask & person).sum() > MOST_HIDDEN * mask.sum():
        person[:] = False
    labels = _labels(mask, person, rng)
    return Picture(
        luminance=np.where(labels == OBJECT, np.clip(luminance * 255, 0, 255), 0).astype(np.uint8),
        labels=labels, look=look, side_m=float(side * distance),
    )  # fmt: skip


def look_at(look: Look, middle: Float[ndarray, "3"]) -> Float[ndarray, "4 4"]:
    """T_cam_object of a camera that looks at `middle` (+X right, +Y down, +Z forward)."""
    away = np.array(
        [np.sin(look.yaw) * np.cos(look.elevation), -np.cos(look.yaw) * np.cos(look.elevation), np.sin(look.elevation)]
    )
    right = np.cross(-away, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    T = np.eye(4)
    T[:3, :3] = np.stack([right, np.cross(-away, right), -away])
    T[:3, 3] = -T[:3, :3] @ (middle + look.distance_m * away)
    return T


def _window(rays: Float[ndarray, "vertices 2"], rng: Rng) -> tuple[Float[ndarray, "2"], float]:
    """Corner and side of a square around the object, not quite centred, in units of x/z."""
    low, high = rays.min(axis=0), rays.max(axis=0)
    side = float((high - low).max()) * rng.uniform(*MARGIN)
    middle = (low + high) / 2 + side * rng.uniform(-0.03, 0.03, 2)
    return middle - side / 2, side


def shade(
    model: Model, face: Int[ndarray, "fine fine"], seen: Float[ndarray, "vertices 3"], rng: Rng
) -> Float[ndarray, "fine fine"]:
    """Grey values of matt parts under one lamp and light from all sides; parts differ in colour, and have some grain."""
    corners = seen[model.faces]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
    normal *= np.sign(-(normal * corners.mean(axis=1)).sum(axis=1, keepdims=True) + 1e-12)
    lamp = np.array([rng.normal(), -abs(rng.normal()) - 0.3, -rng.uniform(0.2, 1.5)])
    lamp /= np.linalg.norm(lamp)
    ambient = rng.uniform(0.25, 0.6)
    lit = ambient + (1 - ambient) * np.maximum(normal @ lamp, 0.0) + 0.12 * np.maximum(-normal[:, 1], 0.0)
    count = int(model.part.max()) + 1
    colour = np.clip(rng.uniform(0.25, 1.0) * rng.uniform(0.75, 1.25, count), 0.1, 1.0)
    if rng.random() < 0.4:
        colour[rng.random(count) < 0.4] = rng.uniform(0.15, 1.0)
    grain = gaussian_filter(rng.normal(size=face.shape), (rng.uniform(0.5, 3.0), rng.uniform(0.5, 6.0)))
    grey = (lit * colour[model.part])[face] * (1.0 + rng.uniform(0.0, 0.09) * grain / grain.std())
    return np.where(face >= 0, np.clip(grey, 0.0, 1.0), 0.0).astype(np.float32)


def _person(
    model: Model, T: Float[ndarray, "4 4"], corner: Float[ndarray, "2"], side: float, rng: Rng, size: int
) -> Bool[ndarray, "size size"]:
    """Silhouette of somebody who sits on the object or stands near it."""
    sits = model.seat_m is not None and rng.random() < 0.6
    half = np.ptp(model.vertices, axis=0)[:2] / 2
    turn = rng.uniform(0.0, 2 * np.pi)
    place = np.array([np.cos(turn), np.sin(turn)]) * (half + rng.uniform(0.1, 0.5))
    at = np.array([rng.uniform(-0.6, 0.6) * max(half[0] - 0.25, 0.0), rng.uniform(-0.1, 0.05), model.seat_m]) if sits else None
    body = np.array([*place, 0.0]) if at is None else at
    R = rotation_about_z(rng.normal(0.0, 0.15) if sits else rng.uniform(0.0, 2 * np.pi))
    return _capsules(SITTER if sits else STANDER, R, body, T, corner, side, size)


def _capsules(
    capsules: Sequence[tuple], R: Float[ndarray, "3 3"], at: Float[ndarray, "3"], T: Float[ndarray, "4 4"],
    corner: Float[ndarray, "2"], side: float, size: int,
) -> Bool[ndarray, "size size"]:  # fmt: skip
    mask = np.zeros((size, size), np.uint8)
    for start, end, radius in capsules:
        seen = (np.array([start, end]) @ R.T + at) @ T[:3, :3].T + T[:3, 3]
        if seen[:, 2].min() < 0.2:
            continue
        a, b = np.round((seen[:, :2] / seen[:, 2:] - corner) / side * size - 0.5).astype(int)
        thickness = 2 * radius / seen[:, 2].mean() / side * size
        cv2.line(mask, (int(a[0]), int(a[1])), (int(b[0]), int(b[1])), 1, max(1, round(thickness)))
    return mask > 0


def _labels(mask: Bool[ndarray, "size size"], person: Bool[ndarray, "size size"], rng: Rng) -> UInt8[ndarray, "size size"]:
    """The mask with a border that wanders by up to about a pixel, and the person's pixels unknown."""
    sigma = rng.uniform(0.0, 0.9)
    wander = gaussian_filter(rng.normal(size=mask.shape), 2.5)
    labels = (signed_distance_image(mask, 10.0) < sigma * wander / wander.std()).astype(np.uint8)
    wide = cv2.dilate(person.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    labels[wide] = UNKNOWN
    return labels
