"""A furnished room, closed on all sides: floor, four walls, window, shelves, pictures, plants, things on the floor.

Its middle stays free for the scene and the cameras round it: what is taller than a knee stands along the walls. Nothing in it
is a chair, a sofa or a table.
"""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy.spatial.transform import Rotation

from hsimul3r.benchmark.camera.shot import AreaLight, Material, TexturedMesh, box_mapped, quad
from hsimul3r.benchmark.look import swatches
from hsimul3r.benchmark.look.meshes import merged
from hsimul3r.benchmark.objects.pieces import hull_piece, moved, rounded_box, tapered_bar
from hsimul3r.benchmark.scene import Color, Covering, RoomLook, Side

YAW_DEG: dict[Side, float] = {"back": 0.0, "left": 90.0, "front": 180.0, "right": -90.0}
SIDES: tuple[Side, ...] = ("back", "left", "right", "front")
WINDOW_M = (1.5, 0.95, 2.2)
"""Breadth of the window, height of its sill and of its lintel."""
PICTURES = 40
Rng = np.random.Generator
Built = tuple[list[TexturedMesh], dict[str, Material], list[AreaLight]]


def room(look: RoomLook, rng: Rng, *, scale: int = 1) -> Built:
    """Meshes (one a material), materials and lights of a room; `scale` is that of the textures (swatches.py)."""
    meshes = [*_shell(look), *_floor_things(rng, look)]
    for side in SIDES:
        T = _from_wall(look, side)
        meshes += [mesh.moved(T) for mesh in _on_wall(rng, look, side)]
    for x, y in look.plants:
        meshes += _plant(rng, x=x, y=y)
    if look.rug_centre is not None:
        meshes.append(_rug(look.rug_centre, look.rug_yaw_deg))
    return merged(meshes), _materials(look, rng, scale), _lights(look)


def _on_wall(rng: Rng, look: RoomLook, side: Side) -> Iterator[TexturedMesh]:
    """What hangs and stands on a wall, in its frame."""
    if look.window[0] == side:
        yield from _window(rng, look.window[1])
    for at, s in look.shelves:
        if at == side:
            yield from _shelf(rng, x=s)
    for number, (at, s) in enumerate(look.pictures):
        if at == side:
            yield from _framed(rng, number, s)
    yield _box("skirting", "paint", (2 * _half_length(look, side), 0.02, 0.09), (0, -0.01, 0.045), rng)


def _from_wall(look: RoomLook, side: Side) -> Float[ndarray, "4 4"]:
    """From a wall's frame (x to the right, -y into the room, the wall is y = 0) into the world."""
    T = np.eye(4)
    T[:3, :3] = Rotation.from_euler("z", YAW_DEG[side], degrees=True).as_matrix()
    off = look.half_m[1] if side in ("back", "front") else look.half_m[0]
    T[:3, 3] = (*look.centre_m, 0.0) + T[:3, :3] @ (0.0, off, 0.0)
    return T


def _half_length(look: RoomLook, side: Side) -> float:
    return look.half_m[0] if side in ("back", "front") else look.half_m[1]


def _materials(look: RoomLook, rng: Rng, scale: int) -> dict[str, Material]:
    numbers = rng.permutation(swatches.count("picture"))[:PICTURES]
    art = {
        f"picture_{i}": Material(image=swatches.tinted(swatches.sheet("picture", int(n), scale), _WHITE), roughness=0.35)
        for i, n in enumerate(numbers)
    }
    walls = {f"wall_{side}": _wall(*look.walls[side], look, rng, scale) for side in SIDES}
    rough = {"planks": 0.42, "tiles": 0.3, "carpet": 0.97, "concrete": 0.7}[look.floor]

    def grey(kind: str, color: Color, roughness: float) -> Material:
        return Material(image=swatches.tinted(swatches.drawn(kind, rng, scale), color), roughness=roughness)

    rug = swatches.printed(swatches.drawn("rug", rng, scale), look.palette)
    curtain = swatches.printed(swatches.drawn("wallpaper", rng, scale)[:, : 512 * scale], look.palette[::-1])
    wood = (0.62, 0.5, 0.36) if rng.random() < 0.5 else (0.35, 0.25, 0.18)
    return (
        art
        | walls
        | {
            "floor": Material(
                image=swatches.tinted(swatches.drawn(look.floor, rng, scale), look.floor_color), roughness=rough, bump_m=0.001
            ),
            "ceiling": grey("plaster", (0.9, 0.9, 0.87), 0.9),
            "rug": Material(image=rug, roughness=0.95, bump_m=0.002),
            "shelf_wood": grey("wood", wood, 0.5),
            "curtain": Material(image=curtain, roughness=0.9, sheen=0.3),
            "clay": grey("plaster", (0.62, 0.34, 0.22), 0.8),
            "leaf": Material(image=swatches.tinted(swatches.sheet("foliage", 0, scale), _WHITE), roughness=0.5),
            "outdoors": Material(image=swatches.tinted(swatches.drawn("outdoors", rng, scale), _WHITE), glow=4.0),
            "paint": grey("plastic", (0.86, 0.85, 0.8), 0.4),
        }
    )


_WHITE: Color = (swatches.GREY, swatches.GREY, swatches.GREY)


def _wall(covering: Covering, color: Color, look: RoomLook, rng: Rng, scale: int) -> Material:
    if covering == "wallpaper":
        image = swatches.printed(swatches.drawn("wallpaper", rng, scale), (color, *look.palette[1:]))
    else:
        image = swatches.tinted(swatches.drawn("plaster" if covering == "paint" else covering, rng, scale), color)
    if covering == "paint":
        image = 0.75 * swatches.mean_color(image) + 0.25 * image
    return Material(image=image, roughness=0.9, bump_m=0.0 if covering == "paint" else 0.002)


def _lights(look: RoomLook) -> list[AreaLight]:
    (x, y), T = look.centre_m, _from_wall(look, look.window[0])

    def beside_window(s: float, depth: float, z: float) -> tuple[float, float, float]:
        px, py, pz = (T[:3, :3] @ (s, -depth, z) + T[:3, 3]).tolist()
        return px, py, pz

    lamp = x + look.lamp_at[0], y + look.lamp_at[1]
    reach = 2 * look.half_m[1 if look.window[0] in ("back", "front") else 0]
    return [
        AreaLight(
            position=beside_window(look.window[1], 0.12, 1.6), target=(x, y, 0.8), size_m=1.5, power_w=look.window_w,
            color=look.window_color,
        ),
        AreaLight(
            position=(*lamp, look.height_m - 0.05), target=(*lamp, 0.0), size_m=1.2, power_w=look.lamp_w, color=look.lamp_color
        ),
        AreaLight(
            position=beside_window(-look.window[1], reach - 0.7, 2.1), target=(x, y, 0.6), size_m=0.6,
            power_w=0.4 * look.lamp_w, color=look.lamp_color,
        ),
    ]  # fmt: skip


def _shell(look: RoomLook) -> Iterator[TexturedMesh]:
    (x, y), (a, b), h = look.centre_m, look.half_m, look.height_m
    tile = np.array([2 * a, 2 * b]) / swatches.FLOOR_M
    floor = quad("floor", "floor", np.array([[x - a, y - b, 0], [x + a, y - b, 0], [x + a, y + b, 0], [x - a, y + b, 0]]))
    yield TexturedMesh(
        name="floor", group="room", material="floor", vertices=floor.vertices, faces=floor.faces, uv=floor.uv * tile
    )
    ceiling = np.array([[x - a, y + b, h], [x + a, y + b, h], [x + a, y - b, h], [x - a, y - b, h]])
    yield quad("ceiling", "ceiling", ceiling)
    for side in SIDES:
        half = _half_length(look, side)
        wall = quad("wall", f"wall_{side}", np.array([[-half, 0, 0], [half, 0, 0], [half, 0, h], [-half, 0, h]]))
        yield wall.moved(_from_wall(look, side))


def _window(rng: Rng, s: float) -> Iterator[TexturedMesh]:
    breadth, z0, z1 = WINDOW_M
    left, right, y = s - breadth / 2, s + breadth / 2, -0.015
    yield quad("view_out", "outdoors", np.array([[left, y, z0], [right, y, z0], [right, y, z1], [left, y, z1]]))
    for i, x in enumerate((left, s, right)):
        yield _box(f"mullion_{i}", "paint", (0.05, 0.06, z1 - z0), (x, y, (z0 + z1) / 2), rng)
    for i, z in enumerate((z0, z1)):
        yield _box(f"sill_{i}", "paint", (breadth + 0.1, 0.12 if i == 0 else 0.06, 0.04), (s, y - 0.02, z), rng)
    for side, x in (("near", left - 0.28), ("far", right + 0.28)):
        yield _curtain(f"curtain_{side}", x=x, y=y - 0.09)


def _curtain(name: str, *, x: float, y: float) -> TexturedMesh:
    s, z = np.meshgrid(np.linspace(-0.24, 0.24, 60), np.linspace(0.25, 2.38, 6))
    wave = 0.03 * np.sin(2 * np.pi * s / 0.085) + 0.01 * np.sin(2 * np.pi * s / 0.21 + z)
    vertices = np.stack([x + s, y - wave, z], axis=-1).reshape(-1, 3)
    faces = _grid_faces(6, 60)
    uv = np.stack([(s + 0.24) / 0.48 * 0.5, z / 2.4], axis=-1).reshape(-1, 2)[faces]
    return TexturedMesh(name=name, group="room", material="curtain", vertices=vertices, faces=faces, uv=uv, is_smooth=True)


def _shelf(rng: Rng, *, x: float) -> Iterator[TexturedMesh]:
    """A bookshelf filled with books and boxes."""
    width, depth, height = rng.uniform(0.7, 1.1), 0.26, rng.uniform(1.2, 2.0)
    y = -depth / 2 - 0.02
    for i, side in enumerate((-1, 1)):
        yield _box(f"shelf_side_{i}", "shelf_wood", (0.025, depth, height), (x + side * width / 2, y, height / 2), rng)
    levels = np.linspace(0.08, height - 0.02, round(height / 0.37) + 1)
    for i, z in enumerate(levels):
        yield _box(f"shelf_board_{i}", "shelf_wood", (width, depth, 0.025), (x, y, z), rng)
    for z in levels[:-1]:
        left = x - width / 2 + 0.03
        while left < x + width / 2 - 0.09:
            thick, tall, deep = rng.uniform(0.02, 0.07), rng.uniform(0.19, 0.29), rng.uniform(0.15, 0.23)
            if rng.random() < 0.15:
                left += rng.uniform(0.03, 0.2)
                continue
            at = (left + thick / 2, y - 0.02, z + 0.014 + tall / 2)
            yield _thing(rng, (thick, deep, tall), at, image_m=rng.uniform(0.25, 0.6))
            left += thick + 0.002


def _framed(rng: Rng, number: int, s: float) -> Iterator[TexturedMesh]:
    """A picture in a frame at place `s` along a wall; every number is another picture."""
    w, h, z = rng.uniform(0.15, 0.33), rng.uniform(0.18, 0.38), rng.uniform(1.3, 1.75)
    flat = np.array([[s - w, -0.036, z - h], [s + w, -0.036, z - h], [s + w, -0.036, z + h], [s - w, -0.036, z + h]])
    yield quad(f"art_{number}", f"picture_{number % PICTURES}", flat)
    frame = (2 * w + 0.05, 0.03, 2 * h + 0.05)
    yield _box(f"frame_{number}", "shelf_wood" if rng.random() < 0.5 else "paint", frame, (s, -0.02, z), rng)


def _floor_things(rng: Rng, look: RoomLook) -> Iterator[TexturedMesh]:
    """Piles of crates and parcels along the walls, some nearer, and small flat things."""
    for x, y in look.clutter:
        yield from _pile(rng, x, y, levels=int(rng.integers(1, 4)))
    for x, y in look.obstacles:
        yield from _pile(rng, x, y, levels=int(rng.integers(2, 4)))
    for x, y in look.magazines:
        flat = moved(rounded_box((0.21, 0.29, 0.008), 0.001, segments=1), at=(x, y, 0.005), yaw_deg=rng.uniform(0, 180))
        piece = hull_piece("magazine", f"picture_{rng.integers(PICTURES)}", flat)
        yield box_mapped(piece.name, piece.material, piece.shape, rng=rng, image_m=0.3)


def _pile(rng: Rng, x: float, y: float, *, levels: int) -> Iterator[TexturedMesh]:
    base = 0.0
    for _ in range(levels):
        size = (rng.uniform(0.2, 0.38), rng.uniform(0.18, 0.34), rng.uniform(0.1, 0.19))
        at = (x, y, base + size[2] / 2)
        yield _thing(rng, size, at, image_m=rng.uniform(0.35, 0.6), yaw_deg=rng.uniform(-40, 40))
        base += size[2]


def _plant(rng: Rng, *, x: float, y: float) -> Iterator[TexturedMesh]:
    """A potted plant with arched leaves."""
    piece = hull_piece("pot", "clay", tapered_bar((x, y, 0), (x, y, 0.3), (0.24, 0.24), (0.34, 0.34), sides=24))
    yield box_mapped(piece.name, "clay", piece.shape, rng=rng, is_smooth=True)
    length = rng.uniform(0.5, 0.95)
    for i in range(int(rng.integers(22, 40))):
        yield _leaf(rng, f"leaf_{i}", np.array([x, y, 0.3]), length)


def _leaf(rng: Rng, name: str, root: Float[ndarray, "3"], longest: float) -> TexturedMesh:
    along, across = np.meshgrid(np.linspace(0, 1, 8), (-1.0, 0.0, 1.0), indexing="ij")
    length, breadth, rise = rng.uniform(0.4, 1.0) * longest, rng.uniform(0.03, 0.07), rng.uniform(0.6, 1.35)
    reach = length * along * np.cos(rise)
    z = length * along * np.sin(rise) - 0.45 * length * along**2.5 * np.cos(rise) - 0.01 * across**2
    local = np.stack([reach, across * breadth * np.sin(np.pi * np.clip(along, 0.03, 1) ** 0.8), z], axis=-1).reshape(-1, 3)
    vertices = Rotation.from_euler("z", rng.uniform(0, 2 * np.pi)).apply(local) + root + rng.uniform(-0.05, 0.05, 3) * (1, 1, 0)
    faces = _grid_faces(8, 3)
    uv = np.stack([0.5 + 0.5 * across, along], axis=-1).reshape(-1, 2)[faces]
    return TexturedMesh(name=name, group="room", material="leaf", vertices=vertices, faces=faces, uv=uv, is_smooth=True)


def _rug(centre: tuple[float, float], yaw_deg: float) -> TexturedMesh:
    flat = np.array([[-1.1, -0.75, 0.0], [1.1, -0.75, 0.0], [1.1, 0.75, 0.0], [-1.1, 0.75, 0.0]])
    return quad("rug", "rug", moved(flat, at=(*centre, 0.002), yaw_deg=yaw_deg))


def _thing(rng: Rng, size: tuple[float, ...], at: tuple[float, ...], *, image_m: float, yaw_deg: float = 0.0) -> TexturedMesh:
    """A book or parcel, printed with a piece of one of the room's pictures."""
    corners = moved(rounded_box(size, min(0.004, min(size) / 4), segments=1), at=at, yaw_deg=yaw_deg)
    piece = hull_piece("thing", f"picture_{rng.integers(PICTURES)}", corners)
    return box_mapped(piece.name, piece.material, piece.shape, rng=rng, image_m=image_m)


def _box(name: str, material: str, size: tuple[float, ...], at: tuple[float, ...], rng: Rng) -> TexturedMesh:
    piece = hull_piece(name, material, moved(rounded_box(size, min(0.003, min(size) / 4), segments=1), at=at))
    return box_mapped(name, material, piece.shape, rng=rng)


def _grid_faces(rows: int, columns: int) -> ndarray:
    """Triangles of a grid of rows x columns vertices."""
    corner = (np.arange(rows - 1)[:, None] * columns + np.arange(columns - 1)).ravel()
    lower = np.column_stack([corner, corner + 1, corner + columns + 1])
    upper = np.column_stack([corner, corner + columns + 1, corner + columns])
    return np.concatenate([lower, upper])
