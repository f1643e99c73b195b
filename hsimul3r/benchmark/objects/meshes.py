"""Foreign meshes as furniture of the benchmark: the gate, and the ones that are shipped.

The gate takes any triangle soup (open, self-overlapping, any unit, y or z up) and gives a closed, metric, z-up mesh that stands
on z = 0 with the sitter looking along -Y, convex pieces for the engine and the surfaces that people use; or it refuses.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
from jaxtyping import Float, Int
from manifold3d import Manifold
from numpy import ndarray
from scipy.spatial import ConvexHull, QhullError

from hsimul3r.artifacts import ConvexPart
from hsimul3r.benchmark.objects import usable
from hsimul3r.benchmark.objects.pieces import Furniture, Piece, Surface
from hsimul3r.errors import GateRefused
from hsimul3r.geometry.decompose import convex_pieces
from hsimul3r.geometry.mesh import convex_part, manifold_of, solid, surface_of
from hsimul3r.geometry.solidify import solidify

Mesh = tuple[Float[ndarray, "vertices 3"], Int[ndarray, "faces 3"]]

LARGEST_M, SMALLEST_M, FLATTEST_M = 3.5, 0.2, 0.02
"""Furniture's longest side is between the first two; none of its sides is under the third."""
LOOSE: Final = 0.03
"""Part of the volume that may come off the main body, and is left out."""
PLANED_M: Final = (0.004, 0.008, 0.014, 0.022, 0.03)
"""Cut off below, so that all feet stand on one plane: the least after which it stands."""
FOOTING_M: Final = 0.03
"""How far inside the polygon of its feet the centre of mass must be."""
TOLERANCES_M: Final = (0.0015, 0.0025, 0.004)
"""Of the simplified surface; the next is tried while there are more than MOST_FACES."""
MOST_FACES: Final = 6000
NODES: Final = 2.5e6
"""Of the grid behind the gate: cells of about 5 mm for a chair, 9 mm for a sofa."""
ONE_PLACE_M: Final = 0.65
"""Width of a sofa's seat for one person."""
MASS_KG: Final[Mapping[str, float]] = {
    "chair": 7.0, "armchair": 22.0, "sofa": 50.0, "stool": 4.0, "bench": 15.0, "table": 22.0, "desk": 30.0,
}  # fmt: skip
MATERIAL: Final[Mapping[str, str]] = {"armchair": "fabric", "sofa": "fabric"}
SHIPPED_FILE: Final = Path(__file__).with_name("infinigen.npz")


@dataclass(frozen=True, kw_only=True)
class Soup:
    """Triangles as somebody wrote them."""

    vertices: Float[ndarray, "vertices 3"]
    faces: Int[ndarray, "faces 3"]
    unit_m: float = 1.0
    up: Literal["y", "z"] = "z"
    box_m: tuple[float, float, float] | None = None
    """Width (x), depth (y) and height (z) that the object has after it is turned z-up, where they are known otherwise."""


def gated_mesh(name: str, soup: Soup, *, nodes: float = NODES) -> Mesh:
    """Watertight, metric, z-up, standing on z = 0, origin under the middle of its box. Raises `GateRefused`."""
    vertices, faces = _metric(name, soup)
    size = np.ptp(vertices, axis=0)
    if not SMALLEST_M <= size.max() <= LARGEST_M:
        raise GateRefused(name, f"is not furniture-sized: its longest side is {size.max():.3g} m")
    if size.min() < FLATTEST_M:
        raise GateRefused(name, f"is flat: its shortest side is {1000 * size.min():.1f} mm")
    closed = solidify(vertices, faces, nodes=nodes)
    if not len(closed[1]):
        raise GateRefused(name, "is empty: nothing in it has an inside")
    body = _main_body(name, manifold_of(*closed, name))
    for tolerance in TOLERANCES_M:
        body = body.simplify(tolerance)
        if body.num_tri() <= MOST_FACES:
            break
    vertices, faces = surface_of(_planed(name, body), name)
    return _standing(vertices), faces


def gated_furniture(name: str, category: str, soup: Soup, *, pieces: int = 48, nodes: float = NODES) -> Furniture:
    """A foreign mesh ready for people: gated, turned to its front, with surfaces and at most `pieces` convex pieces.

    Raises `GateRefused`, also where no seat or top is found.
    """
    vertices, faces = gated_mesh(name, soup, nodes=nodes)
    heights = usable.heights_from_above(vertices, faces)
    level = _level(name, category, vertices, heights)
    quarters = usable.quarter_turns_to_front(heights, level, has_back=category in usable.SEATS)
    vertices = _standing(usable.turned_about_z(vertices, quarters))
    return furniture_of(name, category, (vertices, faces), convex_pieces(vertices, faces, limit=pieces))


def furniture_of(name: str, category: str, mesh: Mesh, parts: tuple[ConvexPart, ...]) -> Furniture:
    """Furniture from a gated mesh that faces its front, and its convex pieces."""
    surfaces = _surfaces(name, category, *mesh)
    material = MATERIAL.get(category, "wood")
    return Furniture(
        name=name,
        category=category,
        pieces=tuple(Piece(name=f"piece_{i}", material=material, shape=part) for i, part in enumerate(parts)),
        support_height_m=float(surfaces[0].centre[2]),
        density_kg_m3=MASS_KG[category] / solid(*mesh).volume_m3,
        surfaces=surfaces,
        mesh=mesh,
    )


def _surfaces(name: str, category: str, vertices: ndarray, faces: ndarray) -> tuple[Surface, ...]:
    heights, low = usable.heights_from_above(vertices, faces), vertices[:, :2].min(axis=0)
    level = _level(name, category, vertices, heights)
    if category not in usable.SEATS:
        return (usable.level_surface("top", "top", usable.flattest(heights, low, level)),)
    places = usable.places(level, max(1, round(level.size_m[0] / ONE_PLACE_M)) if category in ("sofa", "bench") else 1)
    seats = [
        usable.level_surface(f"seat{place}", "seat", usable.flattest(heights, low, part)) for place, part in places.items()
    ]
    backs = [usable.back_surface(f"back{place}", vertices, faces, part) for place, part in places.items()]
    return (*seats, *(back for back in backs if back))


def _level(name: str, category: str, vertices: ndarray, heights: ndarray) -> usable.Level:
    limits = usable.SEAT_HEIGHTS_M if category in usable.SEATS else usable.TOP_HEIGHTS_M
    level = usable.level_of(heights, vertices[:, :2].min(axis=0), limits)
    if level is None:
        raise GateRefused(name, f"has no {'seat' if category in usable.SEATS else 'top'} between {limits[0]} and {limits[1]} m")
    return level


def _metric(name: str, soup: Soup) -> Mesh:
    """Metres and z up; only what faces use."""
    faces = np.asarray(soup.faces, np.int64).reshape(-1, 3)
    if not len(faces):
        raise GateRefused(name, "is empty: it has no faces")
    if faces.min() < 0 or faces.max() >= len(soup.vertices):
        raise GateRefused(name, "has faces whose vertices do not exist")
    used, faces = np.unique(faces, return_inverse=True)
    vertices = np.asarray(soup.vertices, float)[used] * soup.unit_m
    if not np.isfinite(vertices).all():
        raise GateRefused(name, "has vertices that are not finite")
    if soup.up == "y":
        vertices = vertices[:, [0, 2, 1]] * (1.0, -1.0, 1.0)
    if soup.box_m is not None:
        vertices = (vertices - vertices.min(axis=0)) * (soup.box_m / np.maximum(np.ptp(vertices, axis=0), 1e-9))
    return vertices, faces.reshape(-1, 3)


def _main_body(name: str, whole: Manifold) -> Manifold:
    """The largest connected body; raises `GateRefused` where more than LOOSE of the volume is not on it."""
    bodies = sorted(whole.decompose(), key=lambda body: -body.volume())
    loose = 1.0 - bodies[0].volume() / whole.volume()
    if loose > LOOSE:
        raise GateRefused(name, f"falls apart: {len(bodies)} bodies, {100 * loose:.0f}% of the volume off the largest")
    return bodies[0]


def _planed(name: str, body: Manifold) -> Manifold:
    """The body without what is lowest, so that legs of unequal length stand; raises `GateRefused` where it would fall over."""
    floor = body.bounding_box()[2]
    for depth in PLANED_M:
        planed = body.trim_by_plane((0.0, 0.0, 1.0), floor + depth)
        vertices, faces = surface_of(planed, name)
        try:
            feet = ConvexHull(vertices[vertices[:, 2] < floor + depth + 1e-6, :2])
        except (QhullError, ValueError):
            continue
        centre = solid(vertices, faces).centroid[:2]
        if (feet.equations[:, :2] @ centre + feet.equations[:, 2]).max() < -FOOTING_M:
            return planed
    raise GateRefused(name, "does not stand: its centre of mass is not over its feet")


def _standing(vertices: Float[ndarray, "vertices 3"]) -> Float[ndarray, "vertices 3"]:
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    return vertices - [(low[0] + high[0]) / 2, (low[1] + high[1]) / 2, low[2]]


def shipped_meshes() -> tuple[str, ...]:
    """Names of the foreign meshes that come with the benchmark."""
    with np.load(SHIPPED_FILE, allow_pickle=False) as file:
        return tuple(key.removesuffix(".category") for key in file.files if key.endswith(".category"))


def shipped_furniture(name: str) -> Furniture:
    """A foreign mesh that comes with the benchmark, one of `shipped_meshes()`."""
    with np.load(SHIPPED_FILE, allow_pickle=False) as file:
        step = float(file["step_m"])
        stored = {key.removeprefix(f"{name}."): file[key] for key in file.files if key.startswith(f"{name}.")}
    mesh = stored["vertices"] * step, stored["faces"].astype(np.int32)
    points = np.split(stored["pieces"] * step, np.cumsum(stored["piece_sizes"])[:-1])
    parts = tuple(convex_part(p, f"{name} piece {i}") for i, p in enumerate(points))
    return furniture_of(name, str(stored["category"]), mesh, parts)
