"""Furniture of the benchmark, modelled piece by piece; not the parametric families that the pipeline fits.

Every piece is convex, so that a body's penetration is closed-form, and pieces overlap slightly, so that their union is one
watertight mesh. Object frame of conventions.py: +Z up, origin on the floor under the centre
of the box, the sitter looks along -Y.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
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


SurfaceKind = Literal["seat", "top", "back", "arm", "rail", "rung", "handle"]


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


def _block(
    name: str, material: str, size: Sequence[float], *, at: Sequence[float], bevel: float = 0.003, tilt_deg: float = 0.0
) -> Piece:
    return hull_piece(name, material, moved(rounded_box(size, bevel), at=at, tilt_deg=tilt_deg))


def _bar(name: str, start: Place, end: Place, sizes: tuple[Sequence[float], Sequence[float]]) -> Piece:
    return hull_piece(name, "wood", tapered_bar(start, end, *sizes))


def dining_chair() -> Furniture:
    """A wooden chair: upholstered seat, aprons, tapered legs, raked posts, four slats and a curved top rail. Seat at 0.46 m."""
    seat_top, half_w, front, back = 0.46, 0.205, -0.215, 0.205
    pad = moved(cushion((0.425, 0.42, 0.036), 0.014, crown=0.004), at=(0, -0.01, seat_top - 0.022))
    pieces = [
        _block("seat_frame", "wood", (0.45, 0.45, 0.03), at=(0, 0, seat_top - 0.035), bevel=0.008),
        hull_piece("seat", "fabric", pad),
    ]
    for side, x in (("left", -half_w), ("right", half_w)):
        pieces += _chair_side(side, x, (front, back), seat_top)
    for name, y in (("apron_front", front + 0.025), ("apron_back", back)):
        pieces.append(_block(name, "wood", (0.40, 0.02, 0.055), at=(0, y, seat_top - 0.07)))
    pieces += curved_rail("rail_top", "wood", span=0.424, bow=0.028, at=(0, back + 0.066, 0.865), section=(0.022, 0.075))
    pieces += curved_rail("rail_low", "wood", span=0.41, bow=0.022, at=(0, back + 0.015, 0.555), section=(0.018, 0.035))
    for i, x in enumerate((-0.125, -0.042, 0.042, 0.125)):
        bow = 0.026 * (1 - (2 * x / 0.42) ** 2)
        low, high = (x, back + 0.014 + bow, 0.55), (x * 1.02, back + 0.062 + bow, 0.85)
        pieces.append(_bar(f"slat_{i}", low, high, ((0.034, 0.013), (0.042, 0.013))))
    return Furniture(
        name="dining_chair", category="chair", pieces=tuple(pieces), support_height_m=seat_top, density_kg_m3=560.0
    )


def _chair_side(side: str, x: float, ends: tuple[float, float], seat_top: float) -> list[Piece]:
    """Legs, raked post and apron of one side of the dining chair."""
    (front, back), foot = ends, x + np.sign(x) * 0.012
    low, high = (x, back + 0.03, 0.66), (x, back + 0.075, 0.90)
    legs = (0.026, 0.026), (0.040, 0.040)
    return [
        _bar(f"leg_front_{side}", (foot, front + 0.02, 0), (x, front + 0.025, seat_top - 0.04), legs),
        _bar(f"leg_back_{side}", (foot, back + 0.05, 0), (x, back, seat_top - 0.03), ((0.026, 0.03), (0.036, 0.042))),
        _bar(f"post_low_{side}", (x, back, seat_top - 0.05), low, ((0.036, 0.042), (0.032, 0.032))),
        _bar(f"post_high_{side}", (x, back + 0.03, 0.655), high, ((0.032, 0.032), (0.028, 0.024))),
        _block(f"apron_{side}", "wood", (0.02, 0.40, 0.055), at=(x, -0.005, seat_top - 0.07)),
    ]


def two_seat_sofa() -> Furniture:
    """A two-seat sofa: box base, crowned seat cushions, leaning back cushions, round-topped arms, short tapered legs."""
    width, arm, seat_top, depth = 1.62, 0.17, 0.44, 0.86
    inner = width - 2 * arm
    back_at = (0, depth / 2 - 0.12, 0.48)
    pieces = [
        _block("base", "fabric", (width - 0.04, depth - 0.05, 0.17), at=(0, 0.01, 0.205), bevel=0.02),
        _block("back", "fabric", (width - 0.06, 0.16, 0.56), at=back_at, bevel=0.05, tilt_deg=-7),
    ]
    for side, sign in (("left", -1), ("right", 1)):
        x, arm_x = sign * (inner / 4), sign * (width - arm) / 2
        seat = cushion((inner / 2 + 0.006, 0.63, 0.17), 0.035, crown=0.006)
        pillow = cushion((inner / 2 - 0.012, 0.17, 0.42), 0.05, crown=0.0)
        pieces += [
            hull_piece(f"seat_{side}", "fabric", moved(seat, at=(x, -0.095, seat_top - 0.091))),
            hull_piece(f"pillow_{side}", "fabric", moved(pillow, at=(x, 0.235, seat_top + 0.18), tilt_deg=-13)),
            _block(f"arm_{side}", "fabric", (arm, depth - 0.06, 0.44), at=(arm_x, -0.005, 0.355), bevel=0.045),
            _block(f"arm_top_{side}", "fabric", (arm + 0.03, depth - 0.04, 0.09), at=(arm_x, -0.005, 0.575), bevel=0.04),
        ]
        for end, y in (("front", -depth / 2 + 0.08), ("back", depth / 2 - 0.09)):
            foot, head = (sign * (width / 2 - 0.08), y, 0), (sign * (width / 2 - 0.09), y, 0.14)
            pieces.append(_bar(f"leg_{end}_{side}", foot, head, ((0.034, 0.034), (0.055, 0.055))))
    return Furniture(name="two_seat_sofa", category="sofa", pieces=tuple(pieces), support_height_m=seat_top, density_kg_m3=60.0)


def dining_table() -> Furniture:
    """A table with chamfered top, aprons, tapered legs and an H stretcher. Top at 0.75 m."""
    top, half_x, half_y = 0.75, 0.60, 0.36
    pieces = [_block("top", "wood", (1.34, 0.82, 0.032), at=(0, 0, top - 0.016), bevel=0.009)]
    for x in (-half_x, half_x):
        pieces.append(_block(f"apron_x{x:+.1f}", "wood", (0.022, 2 * half_y, 0.09), at=(x, 0, top - 0.072)))
        pieces.append(_block(f"stretcher_x{x:+.1f}", "wood", (0.024, 2 * half_y, 0.04), at=(x, 0, 0.20)))
        for y in (-half_y, half_y):
            sizes = (0.040, 0.040), (0.066, 0.066)
            pieces.append(_bar(f"leg_{x:+.1f}_{y:+.1f}", (x, y, 0), (x, y, top - 0.028), sizes))
    apron = 2 * half_x, 0.022, 0.09
    pieces += [_block(f"apron_y{y:+.1f}", "wood", apron, at=(0, y, top - 0.072)) for y in (-half_y, half_y)]
    pieces.append(_block("stretcher", "wood", (2 * half_x, 0.024, 0.04), at=(0, 0, 0.20)))
    return Furniture(name="dining_table", category="table", pieces=tuple(pieces), support_height_m=top, density_kg_m3=620.0)


def step_stool() -> Furniture:
    """A low stool with rounded top, four splayed tapered legs and stretchers. Top at 0.31 m."""
    top, reach_x, reach_y, splay = 0.31, 0.155, 0.105, 0.035
    pieces = [
        _block("top", "wood", (0.42, 0.32, 0.034), at=(0, 0, top - 0.017), bevel=0.012),
        _block("panel", "wood", (0.33, 0.23, 0.05), at=(0, 0, top - 0.055), bevel=0.006),
    ]
    corner = {}
    for x in (-1, 1):
        for y in (-1, 1):
            foot = np.array([x * (reach_x + splay), y * (reach_y + splay), 0.0])
            head = np.array([x * reach_x, y * reach_y, top - 0.025])
            corner[x, y] = foot + (head - foot) * 0.36
            pieces.append(_bar(f"leg_{x:+d}_{y:+d}", foot, head, ((0.028, 0.028), (0.044, 0.044))))
    rise = np.array([0.0, 0.0, 0.04])
    rails = {f"y{y:+d}": (corner[-1, y], corner[1, y]) for y in (-1, 1)}
    rails |= {f"x{x:+d}": (corner[x, -1] + rise, corner[x, 1] + rise) for x in (-1, 1)}
    pieces += [hull_piece(f"stretcher_{name}", "wood", _round_bar(*ends, 0.011)) for name, ends in rails.items()]
    return Furniture(name="step_stool", category="stool", pieces=tuple(pieces), support_height_m=top, density_kg_m3=600.0)


FURNITURE: dict[str, Callable[[], Furniture]] = {
    "dining_chair": dining_chair,
    "two_seat_sofa": two_seat_sofa,
    "dining_table": dining_table,
    "step_stool": step_stool,
}


def build_furniture(name: str) -> Furniture:
    """The piece of furniture called `name`, moved so that its origin is under the centre of its box."""
    loose = FURNITURE[name]()
    corners = np.concatenate([piece.shape.vertices for piece in loose.pieces])
    centre = (corners.min(0) + corners.max(0)) / 2 * (1, 1, 0)
    pieces = tuple(
        replace(piece, shape=ConvexPart(vertices=piece.shape.vertices - centre, faces=piece.shape.faces))
        for piece in loose.pieces
    )
    return replace(loose, pieces=pieces)


def _round_bar(start: Float[ndarray, "3"], end: Float[ndarray, "3"], radius: float) -> Points:
    """A bar of ten sides between two points."""
    axis = (end - start) / np.linalg.norm(end - start)
    side = np.cross(axis, (0.0, 0.0, 1.0))
    side /= np.linalg.norm(side)
    angles = 2 * np.pi * np.arange(10) / 10
    ring = radius * (np.cos(angles)[:, None] * side + np.sin(angles)[:, None] * np.cross(axis, side))
    return np.concatenate([start + ring, end + ring])
