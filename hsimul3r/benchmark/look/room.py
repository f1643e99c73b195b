"""A furnished room of 6.4 by 6.4 m: plank floor, three kinds of wall, window, shelves, pictures, plants, things on the floor.

The middle (within 1.3 m of the origin, and towards -Y, where the photographer walks) stays free. Nothing in it is a chair, a
sofa or a table. Room frame = world frame.
"""

from collections.abc import Callable, Iterator

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy.spatial.transform import Rotation

from hsimul3r.benchmark.camera.shot import AreaLight, Material, TexturedMesh, box_mapped, quad
from hsimul3r.benchmark.look import textures
from hsimul3r.benchmark.objects.pieces import hull_piece, moved, rounded_box, tapered_bar
from hsimul3r.benchmark.scene import RoomLook

HALF_M = 3.2
BACK_M = 2.1
HEIGHT_M = 2.6
PICTURES = 36
Rng = np.random.Generator


def room(look: RoomLook, rng: Rng) -> tuple[list[TexturedMesh], dict[str, Material], list[AreaLight]]:
    """Meshes, materials and lights of a room, the same for the same `look` and `rng`."""
    meshes = [*_shell(), *_window(rng), *_shelf(rng, x=look.shelf_x), *_pictures(rng), *_floor_things(rng, look)]
    for x, y in look.plants:
        meshes += _plant(rng, x=x, y=y)
    if look.rug_centre is not None:
        meshes.append(_rug(look))
    return meshes, _materials(look, rng), _lights(look)


def _materials(look: RoomLook, rng: Rng) -> dict[str, Material]:
    wall_px, wall_m = (1280, 3150), (HEIGHT_M, 2 * HALF_M)
    makers: dict[str, Callable[[], textures.Image]] = {
        "bricks": lambda: textures.bricks(rng, wall_px, wall_m, look.wall_color),
        "plaster": lambda: textures.plaster(rng, wall_px, look.wall_color),
        "wallpaper": lambda: textures.wallpaper(rng, wall_px, look.palette),
    }
    pictures = {f"picture_{i}": Material(image=textures.picture(rng, (480, 400)), roughness=0.35) for i in range(PICTURES)}
    return pictures | {
        "floor": Material(image=textures.planks(rng, 4096, 2 * HALF_M, look.floor_color), roughness=0.42, bump_m=0.001),
        "wall_back": Material(image=makers[look.walls[0]](), roughness=0.9, bump_m=0.002),
        "wall_left": Material(image=makers[look.walls[1]](), roughness=0.9, bump_m=0.002),
        "wall_right": Material(image=makers[look.walls[2]](), roughness=0.9, bump_m=0.002),
        "wall_front": Material(image=textures.plaster(rng, (640, 1575), (0.8, 0.77, 0.7)), roughness=0.9),
        "ceiling": Material(image=textures.plaster(rng, (512, 512), (0.9, 0.9, 0.87)), roughness=0.9),
        "rug": Material(image=textures.rug(rng, (1000, 1500), look.palette), roughness=0.95, bump_m=0.002),
        "shelf_wood": Material(image=textures.wood(rng, (1024, 512), (0.62, 0.5, 0.36)), roughness=0.5),
        "curtain": Material(image=textures.wallpaper(rng, (800, 800), look.palette[::-1]), roughness=0.9, sheen=0.3),
        "clay": Material(image=textures.plaster(rng, (256, 256), (0.62, 0.34, 0.22)), roughness=0.8),
        "leaf": Material(image=textures.foliage(rng, 256), roughness=0.5),
        "outdoors": Material(image=textures.outdoors(rng, (600, 500)), glow=4.0),
        "paint": Material(image=textures.plaster(rng, (256, 256), (0.86, 0.85, 0.8)), roughness=0.4),
        "lamp": Material(image=np.ones((8, 8, 3)) * (1.0, 0.86, 0.66), glow=6.0),
    }


def _lights(look: RoomLook) -> list[AreaLight]:
    window = AreaLight(
        position=(-HALF_M + 0.12, -0.3, 1.6), target=(0.3, 0.0, 0.8), size_m=1.5, power_w=look.window_w, color=(1.0, 0.96, 0.9)
    )
    ceiling = AreaLight(
        position=(0.4, -1.2, HEIGHT_M - 0.05), target=(0.2, -0.4, 0), size_m=1.2, power_w=look.lamp_w, color=(1.0, 0.93, 0.82)
    )
    corner = AreaLight(
        position=(2.6, 1.4, 2.1), target=(0, 0, 0.6), size_m=0.5, power_w=0.3 * look.lamp_w, color=(1.0, 0.85, 0.65)
    )
    return [window, ceiling, corner]


def _shell() -> list[TexturedMesh]:
    a, b, front, h = HALF_M, BACK_M, BACK_M - 2 * HALF_M, HEIGHT_M
    return [
        quad("floor", "floor", np.array([[-a, front, 0], [a, front, 0], [a, b, 0], [-a, b, 0]])),
        quad("ceiling", "ceiling", np.array([[-a, b, h], [a, b, h], [a, front, h], [-a, front, h]])),
        quad("wall_back", "wall_back", np.array([[-a, b, 0], [a, b, 0], [a, b, h], [-a, b, h]])),
        quad("wall_left", "wall_left", np.array([[-a, front, 0], [-a, b, 0], [-a, b, h], [-a, front, h]])),
        quad("wall_right", "wall_right", np.array([[a, b, 0], [a, front, 0], [a, front, h], [a, b, h]])),
        quad("wall_front", "wall_front", np.array([[a, front, 0], [-a, front, 0], [-a, front, h], [a, front, h]])),
        _box("skirting_back", "paint", (2 * a, 0.02, 0.09), (0, b - 0.01, 0.045), np.random.default_rng(0)),
        _box("skirting_left", "paint", (0.02, 2 * a, 0.09), (-a + 0.01, b - a, 0.045), np.random.default_rng(1)),
        _box("skirting_right", "paint", (0.02, 2 * a, 0.09), (a - 0.01, b - a, 0.045), np.random.default_rng(2)),
    ]


def _window(rng: Rng) -> Iterator[TexturedMesh]:
    x, y0, y1, z0, z1 = -HALF_M + 0.015, -0.95, 0.35, 0.95, 2.2
    yield quad("view_out", "outdoors", np.array([[x, y0, z0], [x, y1, z0], [x, y1, z1], [x, y0, z1]]))
    for i, y in enumerate((y0, (y0 + y1) / 2, y1)):
        yield _box(f"mullion_{i}", "paint", (0.06, 0.05, z1 - z0), (x, y, (z0 + z1) / 2), rng)
    for i, z in enumerate((z0, z1)):
        yield _box(f"sill_{i}", "paint", (0.12 if i == 0 else 0.06, y1 - y0 + 0.1, 0.04), (x + 0.02, (y0 + y1) / 2, z), rng)
    for side, y in (("near", y0 - 0.28), ("far", y1 + 0.28)):
        yield _curtain(f"curtain_{side}", x=x + 0.09, y=y)


def _curtain(name: str, *, x: float, y: float) -> TexturedMesh:
    s, z = np.meshgrid(np.linspace(-0.24, 0.24, 60), np.linspace(0.25, 2.38, 6))
    wave = 0.03 * np.sin(2 * np.pi * s / 0.085) + 0.01 * np.sin(2 * np.pi * s / 0.21 + z)
    vertices = np.stack([x + wave, y + s, z], axis=-1).reshape(-1, 3)
    faces = _grid_faces(6, 60)
    uv = np.stack([(s + 0.24) / 0.48 * 0.5, z / 2.4], axis=-1).reshape(-1, 2)[faces]
    return TexturedMesh(name=name, group="room", material="curtain", vertices=vertices, faces=faces, uv=uv, is_smooth=True)


def _shelf(rng: Rng, *, x: float) -> Iterator[TexturedMesh]:
    """A bookshelf of 1.0 by 1.9 m at the back wall, filled with books and boxes."""
    y, width, depth, height = BACK_M - 0.16, 1.0, 0.28, 1.9
    for i, side in enumerate((-1, 1)):
        yield _box(f"shelf_side_{i}", "shelf_wood", (0.025, depth, height), (x + side * width / 2, y, height / 2), rng)
    levels = np.linspace(0.08, height - 0.02, 6)
    for i, z in enumerate(levels):
        yield _box(f"shelf_board_{i}", "shelf_wood", (width, depth, 0.025), (x, y, z), rng)
    for i, z in enumerate(levels[:-1]):
        left = x - width / 2 + 0.03
        while left < x + width / 2 - 0.09:
            thick, tall, deep = rng.uniform(0.018, 0.06), rng.uniform(0.19, 0.30), rng.uniform(0.15, 0.23)
            if rng.random() < 0.12:
                left += rng.uniform(0.03, 0.12)
            at = (left + thick / 2, y - 0.02, z + 0.014 + tall / 2)
            yield _box(
                f"book_{i}_{left:.2f}",
                f"picture_{rng.integers(PICTURES)}",
                (thick, deep, tall),
                at,
                rng,
                image_m=rng.uniform(0.25, 0.6),
            )
            left += thick + 0.002


def _pictures(rng: Rng) -> Iterator[TexturedMesh]:
    """Framed pictures on the back and both side walls, of uneven sizes."""
    spots = [("back", s) for s in (-2.6, -1.75, -0.75, 0.2, 1.0, 1.9, 2.7)]
    spots += [
        (wall, s)
        for wall in ("left", "right")
        for s in (-3.4, -2.4, -1.6, 0.9, 1.55)
        if not (wall == "left" and abs(s + 0.3) < 1.2)
    ]
    spots += [("right", -0.6), ("right", 0.2)]
    for i, (wall, s) in enumerate(spots):
        width, height, z = rng.uniform(0.34, 0.62), rng.uniform(0.40, 0.75), rng.uniform(1.25, 1.75)
        yield from _framed(rng, i, wall, s + rng.uniform(-0.08, 0.08), z, (width, height))


def _framed(rng: Rng, number: int, wall: str, s: float, z: float, size: tuple[float, float]) -> Iterator[TexturedMesh]:
    """A picture in a frame at place `s` along a wall (x on the back wall, y on the others), its middle at height `z`.

    Every number is another picture.
    """
    name = f"art_{number}"
    turn, corner = {
        "back": (0.0, (s, BACK_M - 0.02, z)),
        "left": (90.0, (-HALF_M + 0.02, s, z)),
        "right": (-90.0, (HALF_M - 0.02, s, z)),
    }[wall]
    w, h = size[0] / 2, size[1] / 2
    flat = np.array([[-w, -0.016, -h], [w, -0.016, -h], [w, -0.016, h], [-w, -0.016, h]])
    yield quad(name, f"picture_{number}", moved(flat, at=corner, yaw_deg=turn))
    frame = moved(rounded_box((2 * w + 0.05, 0.03, 2 * h + 0.05), 0.004, segments=1), at=corner, yaw_deg=turn)
    piece = hull_piece(f"{name}_frame", "shelf_wood" if rng.random() < 0.5 else "paint", frame)
    yield box_mapped(piece.name, piece.material, piece.shape, rng=rng)


def _floor_things(rng: Rng, look: RoomLook) -> Iterator[TexturedMesh]:
    """Crates, parcels and piles of books along the walls, and small flat things nearer to the middle."""
    for i, (x, y) in enumerate(look.clutter):
        for level in range(rng.integers(1, 4)):
            size = (rng.uniform(0.2, 0.42), rng.uniform(0.18, 0.36), rng.uniform(0.08, 0.26))
            base = 0.17 * level
            shape = moved(rounded_box((size[0], size[1], 0.17), 0.006), at=(x, y, base + 0.085), yaw_deg=rng.uniform(-40, 40))
            piece = hull_piece(f"crate_{i}_{level}", f"picture_{rng.integers(PICTURES)}", shape)
            yield box_mapped(piece.name, piece.material, piece.shape, rng=rng, image_m=rng.uniform(0.35, 0.6))
    for i, (x, y) in enumerate(look.magazines):
        flat = moved(rounded_box((0.21, 0.29, 0.008), 0.001, segments=1), at=(x, y, 0.005), yaw_deg=rng.uniform(0, 180))
        piece = hull_piece(f"magazine_{i}", f"picture_{rng.integers(PICTURES)}", flat)
        yield box_mapped(piece.name, piece.material, piece.shape, rng=rng, image_m=0.3)


def _plant(rng: Rng, *, x: float, y: float) -> Iterator[TexturedMesh]:
    """A potted plant with arched leaves."""
    piece = hull_piece(f"pot_{x:.1f}", "clay", tapered_bar((x, y, 0), (x, y, 0.3), (0.24, 0.24), (0.34, 0.34), sides=24))
    yield box_mapped(piece.name, "clay", piece.shape, rng=rng, is_smooth=True)
    for i in range(34):
        yield _leaf(rng, f"leaf_{x:.1f}_{i}", np.array([x, y, 0.3]))


def _leaf(rng: Rng, name: str, root: Float[ndarray, "3"]) -> TexturedMesh:
    along, across = np.meshgrid(np.linspace(0, 1, 8), (-1.0, 0.0, 1.0), indexing="ij")
    length, breadth, rise = rng.uniform(0.35, 0.95), rng.uniform(0.03, 0.07), rng.uniform(0.6, 1.35)
    reach = length * along * np.cos(rise)
    z = length * along * np.sin(rise) - 0.45 * length * along**2.5 * np.cos(rise) - 0.01 * across**2
    local = np.stack([reach, across * breadth * np.sin(np.pi * np.clip(along, 0.03, 1) ** 0.8), z], axis=-1).reshape(-1, 3)
    vertices = Rotation.from_euler("z", rng.uniform(0, 2 * np.pi)).apply(local) + root + rng.uniform(-0.05, 0.05, 3) * (1, 1, 0)
    faces = _grid_faces(8, 3)
    uv = np.stack([0.5 + 0.5 * across, along], axis=-1).reshape(-1, 2)[faces]
    return TexturedMesh(name=name, group="room", material="leaf", vertices=vertices, faces=faces, uv=uv, is_smooth=True)


def _rug(look: RoomLook) -> TexturedMesh:
    (x, y), turn = look.rug_centre or (0.0, 0.0), look.rug_yaw_deg
    flat = np.array([[-1.1, -0.75, 0.0], [1.1, -0.75, 0.0], [1.1, 0.75, 0.0], [-1.1, 0.75, 0.0]])
    return quad("rug", "rug", moved(flat, at=(x, y, 0.001), yaw_deg=turn))


def _box(
    name: str, material: str, size: tuple[float, ...], at: tuple[float, ...], rng: Rng, *, image_m: float = 1.0
) -> TexturedMesh:
    piece = hull_piece(name, material, moved(rounded_box(size, min(0.003, min(size) / 4), segments=1), at=at))
    return box_mapped(name, material, piece.shape, rng=rng, image_m=image_m)


def _grid_faces(rows: int, columns: int) -> ndarray:
    """Triangles of a grid of rows x columns vertices."""
    corner = (np.arange(rows - 1)[:, None] * columns + np.arange(columns - 1)).ravel()
    lower = np.column_stack([corner, corner + 1, corner + columns + 1])
    upper = np.column_stack([corner, corner + columns + 1, corner + columns])
    return np.concatenate([lower, upper])
