"""Solids that furniture is put together from: boxes, cylinders and bent boards, rounded and tapered, as convex pieces."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final, Literal

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from hsimul3r.artifacts import ConvexPart
from hsimul3r.geometry.mesh import convex_part

Kind = Literal["box", "cylinder", "bent"]
KINDS: Final[tuple[Kind, ...]] = ("box", "cylinder", "bent")
RING: Final = 16
BEND_PIECES: Final = 5
BEND_OVERLAP: Final = 0.02
"""Neighbouring pieces of a bent board overlap by this part of its half width."""
THINNEST_M: Final = 0.004
SHARP: Final = 0.02
"""Roundings below this are not modelled."""
MIRROR: Final = np.array([-1.0, 1.0, 1.0])
SIGNS: Final = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)
OCTANT: Final = np.array(
    [[1, 0, 0], [0, 1, 0], [0, 0, 1], *([np.sqrt(0.5) * (i != k) for i in range(3)] for k in range(3)), 3 * [1 / np.sqrt(3)]]
)
"""Points of the unit sphere between three axes."""


@dataclass(frozen=True, kw_only=True)
class Primitive:
    """One part in the object's frame (conventions.py).

    Its own frame has the origin in its middle. `taper` scales its section (x, y) at the lower end of z, 1 at the upper end;
    `rounding` is the radius of its edges as a share of its smallest half size; a "bent" board is moved by
    bend * half_x * (u^2 - 1/3) along its y, u = x / half_x in [-1, 1].
    """

    role: str
    """A key of tokens.ROLES: what the part is for."""
    kind: Kind
    centre: Float[ndarray, "3"]
    half: Float[ndarray, "3"]
    R: Float[ndarray, "3 3"]
    """Maps the part's own axes to the object's."""
    taper: float = 1.0
    rounding: float = 0.0
    bend: float = 0.0
    is_mirrored: bool = False
    """Stands for itself and for its mirror image in the plane x = 0."""


def mirror_image(primitive: Primitive) -> Primitive:
    """The part on the other side of x = 0. Every kind is its own mirror image in its own x, so that rotations stay proper."""
    return replace(
        primitive,
        centre=primitive.centre * MIRROR,
        R=MIRROR[:, None] * primitive.R * MIRROR[None, :],
        is_mirrored=False,
    )


def without_mirrors(primitives: Iterable[Primitive]) -> tuple[Primitive, ...]:
    """Every part by itself."""
    found: list[Primitive] = []
    for primitive in primitives:
        single = replace(primitive, is_mirrored=False)
        found += [single, mirror_image(single)] if primitive.is_mirrored else [single]
    return tuple(found)


def clouds(primitive: Primitive) -> tuple[Float[ndarray, "points 3"], ...]:
    """Points whose convex hulls are the part's pieces, in the object's frame; the mirror image is left out."""
    if primitive.kind == "bent" and primitive.bend != 0.0:
        own = _bent(primitive)
    elif primitive.kind == "cylinder":
        own = (_cylinder(primitive),)
    else:
        own = (_box(primitive.half, primitive.rounding),)
    return tuple(_tapered(points, primitive) @ primitive.R.T + primitive.centre for points in own)


def convex_parts(primitives: Iterable[Primitive]) -> tuple[ConvexPart, ...]:
    """All convex pieces of an object, mirror images too."""
    return tuple(
        convex_part(points, primitive.role) for primitive in without_mirrors(primitives) for points in clouds(primitive)
    )


def bounds(primitives: Iterable[Primitive]) -> tuple[Float[ndarray, "3"], Float[ndarray, "3"]]:
    """Lowest and highest corner of the object's box."""
    points = np.concatenate([points for primitive in without_mirrors(primitives) for points in clouds(primitive)])
    return points.min(axis=0), points.max(axis=0)


def extents(primitives: Iterable[Primitive]) -> Float[ndarray, "3"]:
    """Width, depth and height of the object's box [m]."""
    low, high = bounds(primitives)
    return high - low


def standing(primitives: Sequence[Primitive]) -> tuple[Primitive, ...]:
    """Moved onto the floor and, in y, to the middle of its box. In x too where the object is not its own mirror image."""
    low, high = bounds(primitives)
    has_mirror = any(primitive.is_mirrored for primitive in primitives)
    by = np.array([0.0 if has_mirror else -(low[0] + high[0]) / 2, -(low[1] + high[1]) / 2, -low[2]])
    return tuple(replace(primitive, centre=primitive.centre + by) for primitive in primitives)


def volume(primitive: Primitive) -> float:
    """Volume of the part without its rounding [m3]; the mirror image is left out."""
    section = 1.0 if primitive.kind != "cylinder" else np.pi / 4
    return float(8 * primitive.half.prod() * section * (1 + primitive.taper + primitive.taper**2) / 3)


def _box(half: Float[ndarray, "3"], rounding: float) -> Float[ndarray, "points 3"]:
    if rounding < SHARP:
        return SIGNS * half
    radius = rounding * half.min()
    return np.concatenate([signs * (half - radius + radius * OCTANT) for signs in SIGNS])


def _cylinder(primitive: Primitive) -> Float[ndarray, "points 3"]:
    angles = 2 * np.pi * (np.arange(RING) + 0.5) / RING
    ring = np.column_stack([np.cos(angles), np.sin(angles)])
    hx, hy, hz = primitive.half
    radius = primitive.rounding * primitive.half.min() if primitive.rounding >= SHARP else 0.0
    levels = [(hz, radius), (hz - 0.3 * radius, 0.3 * radius), (hz - radius, 0.0)] if radius > 0 else [(hz, 0.0)]
    return np.concatenate(
        [
            np.column_stack([ring * (hx - inset, hy - inset), np.full(RING, sign * z)])
            for z, inset in levels
            for sign in (-1.0, 1.0)
        ]
    )


def _bent(primitive: Primitive) -> tuple[Float[ndarray, "points 3"], ...]:
    """Straight pieces along x, their joints on the bent middle line and turned half way."""
    hx, hy, hz = primitive.half
    bounds_u = np.linspace(-1.0, 1.0, BEND_PIECES + 1)
    pieces = []
    for a, b in pairwise(bounds_u):
        u = np.array([a - BEND_OVERLAP * (a > -1), b + BEND_OVERLAP * (b < 1)])
        middle = np.column_stack([u * hx, primitive.bend * hx * (u**2 - 1 / 3), np.zeros(2)])
        slope = 2 * primitive.bend * u
        across = np.column_stack([-slope, np.ones(2), np.zeros(2)]) / np.sqrt(1 + slope**2)[:, None]
        pieces.append(
            np.concatenate(
                [middle + sy * hy * across + np.array([0.0, 0.0, sz * hz]) for sy in (-1.0, 1.0) for sz in (-1.0, 1.0)]
            )
        )
    return tuple(pieces)


def _tapered(points: Float[ndarray, "points 3"], primitive: Primitive) -> Float[ndarray, "points 3"]:
    upper = 0.5 * (points[:, 2:] / primitive.half[2] + 1)
    return points * np.concatenate(
        [np.repeat(primitive.taper + (1 - primitive.taper) * upper, 2, axis=1), 1 + 0 * upper], axis=1
    )
