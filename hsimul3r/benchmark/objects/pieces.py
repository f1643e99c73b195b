"""Furniture of the benchmark, modelled piece by piece; not the parametric families that the pipeline fits.

Every piece is convex, so that a body's penetration is closed-form, and pieces overlap slightly, so that their union is one
watertight mesh. Object frame of conventions.py: +Z up, origin on the floor under the centre
of the box, the sitter looks along -Y.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray
from scipy.spatial.transform import Rotation

from hsimul3r.artifacts import ConvexPart
from hsimul3r.geometry.mesh import convex_part, solid, union

Points = Float[ndarray, "points 3"]
Place = Sequence[float] | Float[ndarray, "3"]


@dataclass(frozen=True, kw_only=True)
class Piece:
    """A convex piece of one material."""

    name: str
    material: str
    shape: ConvexPart
    body: str = ""
    """Pieces of one bent or turned body share its name: `skins` draws them as one surface."""


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


def hull_piece(name: str, material: str, points: Points, *, body: str = "") -> Piece:
    """The convex hull of `points` as a piece."""
    return Piece(name=name, material=material, shape=convex_part(points, name), body=body)


def rounded_box(size: Sequence[float], bevel: float, *, segments: int = 3) -> Points:
    """Corners of a box of full `size`, centred at 0, whose edges are rounded with radius `bevel` (metres)."""
    half = np.asarray(size) / 2 - bevel
    angles = np.linspace(0.0, np.pi / 2, segments + 1)
    octant = np.array([[np.cos(a) * np.cos(b), np.sin(a) * np.cos(b), np.sin(b)] for a in angles for b in angles])
    signs = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)])
    return np.concatenate([sign * (half + bevel * octant) for sign in signs])


def cushion(size: Sequence[float], bevel: float, *, crown: float, segments: int = 4, grid: int = 9) -> Points:
    """A `rounded_box` whose top and bottom bulge by `crown` metres in the middle, over `grid` x `grid` points."""
    width, depth, height = size
    line = np.linspace(-1.0, 1.0, grid)
    x, y = (a.ravel() for a in np.meshgrid(line, line))
    bulge = crown * (1 - x**2) * (1 - y**2)
    dome = np.column_stack([x * (width / 2 - bevel), y * (depth / 2 - bevel), height / 2 + bulge])
    return np.concatenate([rounded_box(size, bevel, segments=segments), dome, dome * (1, 1, -1)])


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
        hull_piece(f"{name}_{i}", material, np.concatenate([shear[i] - (grow * (i > 0), 0, 0), shear[i + 1]]), body=name)
        for i in range(5)
    ]


def block(
    name: str,
    material: str,
    size: Sequence[float],
    *,
    at: Sequence[float],
    bevel: float = 0.003,
    tilt_deg: float = 0.0,
    yaw_deg: float = 0.0,
    segments: int = 3,
) -> Piece:
    """A `rounded_box` of full `size` around `at`, turned about X by `tilt_deg` (negative leans it backwards), then about Z."""
    return hull_piece(
        name, material, moved(rounded_box(size, bevel, segments=segments), at=at, tilt_deg=tilt_deg, yaw_deg=yaw_deg)
    )


def board(
    name: str,
    material: str,
    size: Sequence[float],
    *,
    at: Sequence[float],
    bevel: float = 0.004,
    tilt_deg: float = 0.0,
    yaw_deg: float = 0.0,
) -> Piece:
    """A `block` with chamfered edges."""
    return block(name, material, size, at=at, bevel=bevel, tilt_deg=tilt_deg, yaw_deg=yaw_deg, segments=1)


def pillow(
    name: str,
    material: str,
    size: Sequence[float],
    *,
    at: Sequence[float],
    bevel: float = 0.04,
    crown: float = 0.012,
    tilt_deg: float = 0.0,
) -> Piece:
    """A cushion around `at` that lies on its large sides; tilt it by -90 degrees or so to stand it up."""
    points = cushion(size, bevel, crown=crown, segments=3, grid=5)
    return hull_piece(name, material, moved(points, at=at, tilt_deg=tilt_deg))


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


def level_ring(centre: Place, size: Sequence[float] | Float[ndarray, "2"], sides: int) -> Points:
    """Points on a horizontal ellipse of full `size`."""
    angles = 2 * np.pi * (np.arange(sides) + 0.5) / sides
    flat = np.column_stack([np.cos(angles) * size[0] / 2, np.sin(angles) * size[1] / 2, np.zeros(sides)])
    return np.asarray(centre, float) + flat


def disc(
    name: str,
    material: str,
    size: Sequence[float],
    *,
    top: Sequence[float],
    thickness: float,
    bevel: float = 0.006,
    sides: int = 28,
) -> Piece:
    """A level elliptic plate of full `size` under the point `top`, its edges chamfered."""
    steps = ((0.0, bevel), (bevel, 0.0), (thickness - bevel, 0.0), (thickness, bevel))
    centre, full = np.asarray(top, float), np.asarray(size, float)
    rings = [level_ring(centre - (0, 0, depth), full - 2 * inset, sides) for depth, inset in steps]
    return hull_piece(name, material, np.concatenate(rings))


def loft(name: str, material: str, sections: Sequence[Points]) -> list[Piece]:
    """A convex piece between each two neighbouring sections. Neighbours share a section, and a tip overlaps the one before."""
    pieces, tip = [], np.empty((0, 3))
    for i, (low, high) in enumerate(itertools.pairwise(sections)):
        pieces.append(hull_piece(f"{name}_{i}", material, np.concatenate([low, tip, high]), body=name))
        tip = _tip(high, towards=low)
    return pieces


def turned(
    name: str, material: str, start: Place, end: Place, profile: Sequence[tuple[float, float]], *, sides: int = 10
) -> list[Piece]:
    """A turned leg or column between two points: `profile` lists (place in [0, 1], radius); sections are level."""
    low, high = np.asarray(start, float), np.asarray(end, float)
    rings = [level_ring(low + place * (high - low), (2 * radius, 2 * radius), sides) for place, radius in profile]
    return loft(name, material, rings)


def arc(centre: Place, u: Place, v: Place, start_deg: float, end_deg: float, count: int) -> Points:
    """`count` points centre + cos(angle) u + sin(angle) v."""
    angles = np.radians(np.linspace(start_deg, end_deg, count))[:, None]
    return np.asarray(centre, float) + np.cos(angles) * np.asarray(u, float) + np.sin(angles) * np.asarray(v, float)


def tube(name: str, material: str, path: Sequence[Place] | Points, radius: float, *, sides: int = 8) -> list[Piece]:
    """A bent tube along a path of points, its joints mitred."""
    points = np.asarray(path, float)
    tangents = _tangents(points)
    side = np.cross(tangents[0], (0.0, 0.0, 1.0) if abs(tangents[0, 2]) < 0.99 else (0.0, 1.0, 0.0))
    angles = 2 * np.pi * np.arange(sides)[:, None] / sides
    sections = []
    for point, tangent in zip(points, tangents):
        side = side - (side @ tangent) * tangent
        side /= np.linalg.norm(side)
        sections.append(point + radius * (np.cos(angles) * side + np.sin(angles) * np.cross(tangent, side)))
    return loft(name, material, sections)


def ribbon(
    name: str,
    material: str,
    path: Sequence[Place] | Points,
    *,
    across: Sequence[Place] | Place | Points,
    thickness: float | Sequence[float] | Float[ndarray, "points"],
    bevel: float = 0.0,
) -> list[Piece]:
    """A bent board along a path; `across` is its full width as a vector, at each point or one for all, `bevel` its chamfer."""
    points = np.asarray(path, float)
    wide = np.broadcast_to(np.asarray(across, float), points.shape)
    normals = np.cross(_tangents(points), wide)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    thick = np.broadcast_to(np.asarray(thickness, float), len(points))
    inset = 1 - 2 * bevel / np.linalg.norm(wide, axis=1)
    corners = ((1, -1), (1, 1), (-1, 1), (-1, -1))
    sections = []
    for i, point in enumerate(points):
        full, short, half = wide[i] / 2, wide[i] / 2 * inset[i], normals[i] * thick[i] / 2
        outer = [point + a * full + b * half * (1 - 2 * bevel / thick[i]) for a, b in corners]
        sections.append(np.array([*outer, *(point + a * short + b * half for a, b in corners if bevel > 0)]))
    return loft(name, material, sections)


def shell(name: str, material: str, grid: Float[ndarray, "rows columns 3"], thickness: float) -> list[Piece]:
    """A bent plate below or behind a grid of points: a convex piece for each cell, with tips into those before it."""
    along, across = np.gradient(grid, axis=0), np.gradient(grid, axis=1)
    normals = np.cross(along, across)
    normals /= np.linalg.norm(normals, axis=2, keepdims=True)
    layers = np.stack([grid, grid + thickness * normals])
    pieces = []
    for i in range(grid.shape[0] - 1):
        for j in range(grid.shape[1] - 1):
            cell = layers[:, i : i + 2, j : j + 2]
            points = [cell.reshape(-1, 3)]
            if i > 0:
                points.append(_tip(cell[:, 0].reshape(-1, 3), towards=layers[:, i - 1, j : j + 2].reshape(-1, 3)))
            if j > 0:
                points.append(_tip(cell[:, :, 0].reshape(-1, 3), towards=layers[:, i : i + 2, j - 1].reshape(-1, 3)))
            pieces.append(hull_piece(f"{name}_{i}_{j}", material, np.concatenate(points), body=name))
    return pieces


def _tip(section: Points, *, towards: Points) -> Float[ndarray, "1 3"]:
    """The point two millimetres from the middle of a section into the piece that ends at the section `towards`."""
    way = towards.mean(0) - section.mean(0)
    return (section.mean(0) + 0.002 * way / np.linalg.norm(way))[None]


def plate_x(outline_yz: Sequence[tuple[float, float]], *, x: float, thickness: float, bevel: float = 0.004) -> Points:
    """A convex outline (y, z) as an upright plate around `x`, its rim chamfered."""
    outline = np.asarray(outline_yz, float)
    arms = outline - outline.mean(0)
    small = outline - bevel * arms / np.linalg.norm(arms, axis=1, keepdims=True)
    layers = ((outline, thickness / 2 - bevel), (small, thickness / 2))
    return np.concatenate([
        np.column_stack([np.full(len(rim), x + side * half), rim]) for side in (-1, 1) for rim, half in layers
    ])  # fmt: skip


def both_sides(pieces: Sequence[Piece]) -> list[Piece]:
    """Pieces of the right side (+X) and their mirror images, named after their sides."""
    right = [replace(piece, name=f"{piece.name}_right", body=piece.body and f"{piece.body}_right") for piece in pieces]
    left = [
        Piece(
            name=f"{piece.name}_left",
            material=piece.material,
            body=piece.body and f"{piece.body}_left",
            shape=ConvexPart(vertices=piece.shape.vertices * (-1, 1, 1), faces=piece.shape.faces[:, ::-1].copy()),
        )
        for piece in pieces
    ]
    return right + left


def skins(pieces: Sequence[Piece]) -> list[Piece]:
    """Pieces as they are drawn: those of one body merged to one surface, which need not be convex, the others as they are."""
    groups: dict[str, list[Piece]] = {}
    for piece in pieces:
        groups.setdefault(piece.body or piece.name, []).append(piece)
    return [same[0] if len(same) == 1 else _merged_skin(name, same) for name, same in groups.items()]


def _merged_skin(name: str, pieces: Sequence[Piece]) -> Piece:
    vertices, faces = union([piece.shape for piece in pieces], name)
    return Piece(name=name, material=pieces[0].material, shape=ConvexPart(vertices=vertices, faces=faces))


def _tangents(points: Points) -> Points:
    """Unit directions along a path; at a joint the middle of its two neighbours."""
    steps = np.diff(points, axis=0)
    steps /= np.linalg.norm(steps, axis=1, keepdims=True)
    joints = steps[:-1] + steps[1:]
    tangents = np.concatenate([steps[:1], joints, steps[-1:]])
    return tangents / np.linalg.norm(tangents, axis=1, keepdims=True)


def surface(name: str, kind: SurfaceKind, *, at: Sequence[float], size: tuple[float, float], pitch_deg: float = 0.0) -> Surface:
    """A surface across +X: level at pitch 0, at 90 upright and facing -Y; a back that leans by 10 degrees has pitch 80."""
    pitch = np.radians(pitch_deg)
    normal = np.array([0.0, -np.sin(pitch), np.cos(pitch)])
    return Surface(
        name=name, kind=kind, centre=np.asarray(at, float), normal=normal, across=np.array([1.0, 0.0, 0.0]), size_m=size
    )


def weighing(
    mass_kg: float,
    *,
    name: str,
    category: str,
    pieces: Sequence[Piece],
    surfaces: Sequence[Surface],
    support_height_m: float,
    friction: float = 0.8,
) -> Furniture:
    """Furniture of a whole mass: its density is that of the hollow, stuffed and solid parts together."""
    volume = solid(*union([piece.shape for piece in pieces], name)).volume_m3
    return Furniture(
        name=name,
        category=category,
        pieces=tuple(pieces),
        support_height_m=support_height_m,
        density_kg_m3=mass_kg / volume,
        surfaces=tuple(surfaces),
        friction=friction,
    )
