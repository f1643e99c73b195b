"""Objects as tokens: one per slot of a role, and one for the object's extents and its turn to the camera.

A slot holds a part or says that there is none. Numbers are normalised by the extents, so that a token means the same shape at
every size; a part and its mirror image share a token.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from hsimul3r.generator.flow.primitives import KINDS, THINNEST_M, Primitive

Freedom = Literal["upright", "leaning", "free"]


@dataclass(frozen=True, kw_only=True)
class Role:
    """What a part is for, how many an object may have (mirror images not counted), and which way it may be turned."""

    slots: int
    freedom: Freedom


ROLES: Final[dict[str, Role]] = {
    "seat": Role(slots=5, freedom="upright"),
    "top": Role(slots=1, freedom="upright"),
    "base": Role(slots=2, freedom="upright"),
    "leg": Role(slots=4, freedom="free"),
    "column": Role(slots=2, freedom="upright"),
    "foot": Role(slots=5, freedom="free"),
    "castor": Role(slots=5, freedom="upright"),
    "stretcher": Role(slots=4, freedom="free"),
    "apron": Role(slots=3, freedom="upright"),
    "shelf": Role(slots=2, freedom="upright"),
    "panel": Role(slots=2, freedom="upright"),
    "drawer": Role(slots=2, freedom="upright"),
    "back": Role(slots=2, freedom="leaning"),
    "post": Role(slots=1, freedom="free"),
    "slat": Role(slots=6, freedom="free"),
    "cushion": Role(slots=3, freedom="leaning"),
    "arm": Role(slots=2, freedom="upright"),
    "armpost": Role(slots=2, freedom="free"),
}
SLOTS: Final[tuple[str, ...]] = tuple(name for name, role in ROLES.items() for _ in range(role.slots))
TOKENS: Final = len(SLOTS) + 1
"""The last token is that of the extents."""
CHANNELS: Final = 20
"""present, mirrored, kind (3), centre (3), size (3), x axis (3), z axis (3), taper, rounding, bend."""

LOG_EXTENT_MEAN: Final = np.log([0.75, 0.62, 0.78])
LOG_EXTENT_SPREAD: Final = 0.5
ELEVATION_MEAN, ELEVATION_SPREAD = 0.35, 0.2
REPEATS: Final = 3
"""The extents token says each of its six numbers so often: they weigh more, and their noise averages out."""
TAPER_UNIT, BEND_UNIT = 0.5, 0.5
LARGEST_LEAN: Final = 0.6
LARGEST_ROUNDING, LARGEST_BEND = 0.95, 1.2
TAPERS: Final = (0.2, 1.5)


@dataclass(frozen=True, kw_only=True)
class Outline:
    """What the last token says."""

    extents_m: Float[ndarray, "3"]
    yaw: float
    """Turn of the object against the first view: 0 where its front (-Y) looks at the camera [rad]."""
    elevation: float
    """Of the first camera above the object's middle [rad]."""


def encode(primitives: Iterable[Primitive], outline: Outline) -> Float[ndarray, "tokens channels"]:
    """Tokens of an object that stands at the origin (conventions.py). Raises `ValueError` where a role has no slot left."""
    tokens = np.zeros((TOKENS, CHANNELS), np.float32)
    tokens[:-1, 0] = -1.0
    for role, first in _first_slots().items():
        parts = sorted((part for part in primitives if part.role == role), key=_order)
        if len(parts) > ROLES[role].slots:
            raise ValueError(f"{len(parts)} parts are a {role}, there are {ROLES[role].slots} slots")
        for i, part in enumerate(parts):
            tokens[first + i] = _part_token(part, outline.extents_m)
    tokens[-1] = _outline_token(outline)
    return tokens


def decode(tokens: Float[ndarray, "tokens channels"], *, is_squared: bool = True) -> tuple[tuple[Primitive, ...], Outline]:
    """The object that tokens describe, and its outline. `is_squared` turns parts upright whose role allows nothing else."""
    outline = read_outline(tokens[-1])
    parts = [
        _part(token, role, outline.extents_m, is_squared=is_squared)
        for token, role in zip(np.asarray(tokens, float), SLOTS)
        if token[0] > 0.0
    ]
    return tuple(parts), outline


def read_outline(token: Float[ndarray, "channels"]) -> Outline:
    """What the last token says."""
    value = np.asarray(token, float)[: 6 * REPEATS].reshape(REPEATS, 6).mean(axis=0)
    return Outline(
        extents_m=np.exp(np.clip(LOG_EXTENT_SPREAD * value[:3] + LOG_EXTENT_MEAN, np.log(0.05), np.log(5.0))),
        yaw=float(np.arctan2(value[3], value[4])),
        elevation=float(ELEVATION_SPREAD * value[5] + ELEVATION_MEAN),
    )


def outline_numbers(outline: Outline) -> Float[ndarray, "6"]:
    """Normalised extents, the turn as sine and cosine, the elevation."""
    return np.array(
        [
            *(np.log(outline.extents_m) - LOG_EXTENT_MEAN) / LOG_EXTENT_SPREAD,
            np.sqrt(2) * np.sin(outline.yaw),
            np.sqrt(2) * np.cos(outline.yaw),
            (outline.elevation - ELEVATION_MEAN) / ELEVATION_SPREAD,
        ]
    )


def squared(R: Float[ndarray, "3 3"], freedom: Freedom) -> Float[ndarray, "3 3"]:
    """The turn that a role allows, nearest to R for small turns."""
    if freedom == "upright":
        return np.eye(3)
    if freedom == "leaning":
        lean = float(np.clip(np.arctan2(-R[1, 2], R[2, 2]), -LARGEST_LEAN, LARGEST_LEAN))
        return leaning(lean)
    return R


def leaning(angle: float) -> Float[ndarray, "3 3"]:
    """Rotation about x; a negative angle leans the upper end backwards (+Y)."""
    cos, sin = np.cos(angle), np.sin(angle)
    return np.array([[1.0, 0.0, 0.0], [0.0, cos, -sin], [0.0, sin, cos]])


def _first_slots() -> dict[str, int]:
    return {role: SLOTS.index(role) for role in ROLES}


def _order(part: Primitive) -> tuple[float, ...]:
    """Slots are filled from below, from the front, from the left."""
    return tuple(np.round(part.centre[[2, 1, 0]], 2))


def _part_token(part: Primitive, extents_m: Float[ndarray, "3"]) -> Float[ndarray, "channels"]:
    place = 2 * part.centre / extents_m - (0.0, 0.0, 1.0)
    size = 2 * np.sqrt(2 * part.half / extents_m.max()) - 1
    kind = [1.0 if part.kind == kind else -1.0 for kind in KINDS]
    shape = ((part.taper - 1) / TAPER_UNIT, part.rounding, part.bend / BEND_UNIT)
    return np.array([1.0, 1.0 if part.is_mirrored else -1.0, *kind, *place, *size, *part.R[:, 0], *part.R[:, 2], *shape])


def _part(token: Float[ndarray, "channels"], role: str, extents_m: Float[ndarray, "3"], *, is_squared: bool) -> Primitive:
    R = _rotation(token[11:14], token[14:17])
    half = (0.5 * np.maximum(token[8:11] + 1, 0.0)) ** 2 * extents_m.max() / 2
    kind = KINDS[int(token[2:5].argmax())]
    return Primitive(
        role=role,
        kind=kind,
        centre=(token[5:8] + np.array([0.0, 0.0, 1.0])) * extents_m / 2,
        half=np.clip(half, THINNEST_M, 2 * extents_m.max()),
        R=squared(R, ROLES[role].freedom) if is_squared else R,
        taper=float(np.clip(1 + TAPER_UNIT * token[17], *TAPERS)),
        rounding=float(np.clip(token[18], 0.0, LARGEST_ROUNDING)),
        bend=float(np.clip(BEND_UNIT * token[19], -LARGEST_BEND, LARGEST_BEND)) if kind == "bent" else 0.0,
        is_mirrored=bool(token[1] > 0.0),
    )


def _rotation(x: Float[ndarray, "3"], z: Float[ndarray, "3"]) -> Float[ndarray, "3 3"]:
    """The rotation whose z axis is `z` and whose x axis is as near to `x` as it can be; the identity where neither says."""
    if np.linalg.norm(z) < 1e-6:
        return np.eye(3)
    z = z / np.linalg.norm(z)
    x = x - (x @ z) * z
    if np.linalg.norm(x) < 1e-6:
        x = np.eye(3)[int(np.abs(z).argmin())]
        x = x - (x @ z) * z
    x = x / np.linalg.norm(x)
    return np.column_stack([x, np.cross(z, x), z])


def _outline_token(outline: Outline) -> Float[ndarray, "channels"]:
    token = np.zeros(CHANNELS)
    token[: 6 * REPEATS] = np.tile(outline_numbers(outline), REPEATS)
    return token
