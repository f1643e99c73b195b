"""Furniture of the benchmark, modelled piece by piece; not the parametric families that the pipeline fits.

Every piece is convex, so that a body's penetration is closed-form, and pieces overlap slightly, so that their union is one
watertight mesh. Object frame of conventions.py: +Z up, origin on the floor under the centre
of the box, the sitter looks along -Y.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray
from scipy.spatial.transform import Rotation

from hsimul3r.artifacts import ConvexPart
from hsimul3r.geometry.mesh import convex_part

Points = Float[ndarray, "points 3"]
Place = Sequence[float] | Float[ndarray, "3"]


@dataclass(frozen=True, kw_only=True)
class Piece:
    """A convex piece of one material."""

    name: str
    material: str
    shape: ConvexPart


SurfaceKind = Literal["seat", "bed", "top", "back", "arm", "rail", "rung", "handle"]
"""What a surface is for: a seat is one person's place, a bed is long enough to lie on, a back is leaned against, a rail is a
chair's upper edge that hands hold from behind."""


@dataclass(frozen=True, kw_only=True)
class Surface:
    """A flat place on a piece of furniture that a person uses, in the object's frame.

    `across` and `along` = normal x across are unit tangents; `size_m` are the full extents along them. `across` of a seat, an
    arm, a rung or a rail runs along +X (left to right of a sitter it is -X); the normal points to the person.
    """

    name: str
    kind: SurfaceKind
    centre: Float[ndarray, "3"]
    normal: Float[ndarray, "3"]
    across: Float[ndarray, "3"]
    size_m: tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Furniture:
    """An object in its own frame. `support_height_m` is the height of the seat or top that a body uses."""

    name: str
    category: str
    pieces: tuple[Piece, ...]
    support_height_m: float
    density_kg_m3: float
    surfaces: tuple[Surface, ...] = ()
    friction: float = 0.8
    mesh: tuple[Points, Int[ndarray, "faces 3"]] | None = None
    """The watertight surface where it is not the union of the pieces (scanned or foreign meshes)."""

    def piece(self, name: str) -> Piece:
        """The piece called `name`; raises `KeyError` that lists the names."""
        for piece in self.pieces:
            if piece.name == name:
                return piece
        raise KeyError(f"{self.name} has no piece {name!r}, only {[piece.name for piece in self.pieces]}")


def hull_piece(name: str, material: str, points: Points) -> Piece:
    """The convex hull of `points` as a piece."""
    return Piece(name=name, material=material, shape=convex_part(points, name))


def rounded_box(size: Sequence[float], bevel: float, *, segments: int = 3) -> Points:
    """Corners of a box of full `size`, centred at 0, whose edges are rounded with radius `bevel` (metres)."""
    half = np.asarray(size) / 2 - bevel
    angles = np.linspace(0.0, np.pi / 2, segments + 1)
    octant = np.array([[np.cos(a) * np.cos(b), np.sin(a) * np.cos(b), np.sin(b)] for a in angles for b in angles])
    signs = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)])
    return np.concatenate([sign * (half + bevel * octant) for sign in signs])


def cushion(size: Sequence[float], bevel: float, *, crown: float) -> Points:
    """A `rounded_box` whose top and bottom bulge by `crown` metres in the middle."""
    width, depth, height = size
    grid = np.linspace(-1.0, 1.0, 9)
    x, y = (a.ravel() for a in np.meshgrid(grid, grid))
    bulge = crown * (1 - x**2) * (1 - y**2)
    dome = np.column_stack([x * (width / 2 - bevel), y * (depth / 2 - bevel), height / 2 + bulge])
    return np.concatenate([rounded_box(size, bevel, segments=4), dome, dome * (1, 1, -1)])


def tapered_bar(start: Place, end: Place, start_size: Sequence[float], end_size: Sequence[float], *, sides: int = 4) -> Points:
    """A bar between two points with horizontal end sections: rectangles of full sizes (sides=4), or ellipses of many sides."""
    phase = np.pi / sides
    angles = phase + 2 * np.pi * np.arange(sides) / sides
    ring = np.column_stack([np.cos(angles), np.sin(angles)]) / (2 * np.cos(phase) if sides == 4 else 2)
    sections = [
        np.column_stack([np.asarray(centre)[:2] + ring * np.asarray(size), np.full(sides, np.asarray(centre)[2])])
        for centre, size in ((start, start_size), (end, end_size))
    ]
    return np.concatenate(sections)


def moved(points: Points, *, at: Sequence[float], tilt_deg: float = 0.0, yaw_deg: float = 0.0) -> Points:
    """Points turned about X by `tilt_deg`, then about Z by `yaw_deg`, then shifted to `at`."""
    turn = Rotation.from_euler("xz", (tilt_deg, yaw_deg), degrees=True)
    return turn.apply(points) + np.asarray(at)


def curved_rail(
    name: str, material: str, *, span: float, bow: float, at: Sequence[float], section: Sequence[float]
) -> list[Piece]:
    """A horizontal rail along X in five straight pieces, bowed backwards by `bow` in the middle, tilted with the back."""
    x = np.linspace(-span / 2, span / 2, 6)
    y = bow * (1 - (2 * x / span) ** 2)
    depth, height = section
    joints = [np.array([[x[i], y[i] + s * depth / 2, z * height / 2] for s in (-1, 1) for z in (-1, 1)]) for i in range(6)]
    lean = np.array([0.0, 0.16, 0.0])
    shear = [j + lean * j[:, 2:3] + np.asarray(at) for j in joints]
    grow = 0.004
    return [
        hull_piece(f"{name}_{i}", material, np.concatenate([shear[i] - (grow * (i > 0), 0, 0), shear[i + 1]])) for i in range(5)
    ]


def block(
    name: str, material: str, size: Sequence[float], *, at: Sequence[float], bevel: float = 0.003, tilt_deg: float = 0.0
) -> Piece:
    """A `rounded_box` of full `size` around `at`, turned about X by `tilt_deg` (negative leans it backwards)."""
    return hull_piece(name, material, moved(rounded_box(size, bevel), at=at, tilt_deg=tilt_deg))


def wooden_bar(name: str, start: Place, end: Place, sizes: tuple[Sequence[float], Sequence[float]]) -> Piece:
    """A rectangular `tapered_bar` of wood; `sizes` are its sections at the start and at the end."""
    return hull_piece(name, "wood", tapered_bar(start, end, *sizes))


def round_bar(start: Place, end: Place, radius: float, *, end_radius: float | None = None, sides: int = 10) -> Points:
    """A bar between two points whose sections are square to it: a rod, or a cone where `end_radius` differs."""
    ends = np.asarray(start, float), np.asarray(end, float)
    axis = (ends[1] - ends[0]) / np.linalg.norm(ends[1] - ends[0])
    side = np.cross(axis, (0.0, 0.0, 1.0) if abs(axis[2]) < 0.99 else (0.0, 1.0, 0.0))
    side /= np.linalg.norm(side)
    angles = 2 * np.pi * np.arange(sides) / sides
    ring = np.cos(angles)[:, None] * side + np.sin(angles)[:, None] * np.cross(axis, side)
    return np.concatenate([ends[0] + radius * ring, ends[1] + (radius if end_radius is None else end_radius) * ring])


def surface(name: str, kind: SurfaceKind, *, at: Sequence[float], size: tuple[float, float], pitch_deg: float = 0.0) -> Surface:
    """A surface across +X: level at pitch 0, at 90 upright and facing -Y; a back that leans by 10 degrees has pitch 80."""
    pitch = np.radians(pitch_deg)
    normal = np.array([0.0, -np.sin(pitch), np.cos(pitch)])
    return Surface(
        name=name, kind=kind, centre=np.asarray(at, float), normal=normal, across=np.array([1.0, 0.0, 0.0]), size_m=size
    )
