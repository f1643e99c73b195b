"""What a case looks like: person, room and objects, drawn from the seed of its spec. Hard cases blend in more."""

import colorsys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

import cv2
import numpy as np
from jaxtyping import Float
from numpy import ndarray

from hsimul3r.benchmark.camera.rig import centre_of, outline
from hsimul3r.benchmark.look.room import SIDES
from hsimul3r.benchmark.objects.pieces import Piece
from hsimul3r.benchmark.scene import (
    CaseSpec,
    Color,
    Covering,
    Difficulty,
    Flooring,
    Haircut,
    Legwear,
    Outfit,
    PersonLook,
    RoomLook,
    Side,
    Staged,
)  # fmt: skip

Rng = np.random.Generator
Option = TypeVar("Option")
Family = str
"""A kind of grey sheet of swatches.py."""
SKIN: Final = np.array(
    [
        [0.88, 0.71, 0.61],
        [0.85, 0.65, 0.53],
        [0.78, 0.57, 0.44],
        [0.69, 0.49, 0.36],
        [0.55, 0.37, 0.26],
        [0.41, 0.27, 0.19],
        [0.30, 0.195, 0.14],
    ]
)
"""Skin from the lightest to the darkest."""
HAIR: Final[tuple[Color, ...]] = (
    (0.05, 0.04, 0.035), (0.09, 0.06, 0.045), (0.18, 0.11, 0.07), (0.30, 0.19, 0.11), (0.45, 0.31, 0.18), (0.66, 0.50, 0.30),
    (0.45, 0.20, 0.09), (0.55, 0.54, 0.52), (0.80, 0.79, 0.77),
)  # fmt: skip
DARK_HAIR = 3
HAIRCUTS: Final[Mapping[str, tuple[Haircut, ...]]] = {
    "male": ("short", "short", "parted", "cropped", "shaved"), "female": ("bun", "ponytail", "bob", "bob", "short"),
}  # fmt: skip
OUTFITS: Final[tuple[Outfit, ...]] = ("tee", "tee", "shirt", "sweater", "longsleeve", "jacket")
LEGWEAR: Final[tuple[Legwear, ...]] = ("trousers", "trousers", "trousers", "shorts")
JEANS: Final[tuple[Color, ...]] = (
    (0.13, 0.17, 0.27), (0.22, 0.29, 0.42), (0.10, 0.10, 0.11), (0.36, 0.31, 0.24), (0.62, 0.55, 0.43), (0.28, 0.30, 0.22),
    (0.45, 0.45, 0.46),
)  # fmt: skip
SHOES: Final[tuple[Color, ...]] = (
    (0.9, 0.9, 0.92),
    (0.12, 0.12, 0.13),
    (0.35, 0.2, 0.12),
    (0.6, 0.15, 0.15),
    (0.2, 0.28, 0.45),
)
WOODS: Final[tuple[Color, ...]] = (
    (0.84, 0.70, 0.50), (0.72, 0.52, 0.33), (0.56, 0.37, 0.22), (0.38, 0.24, 0.14), (0.24, 0.16, 0.11), (0.88, 0.85, 0.80),
)  # fmt: skip
METALS: Final[tuple[Color, ...]] = (
    (0.75, 0.76, 0.78),
    (0.15, 0.15, 0.16),
    (0.45, 0.46, 0.48),
    (0.70, 0.58, 0.36),
    (0.85, 0.85, 0.83),
)
LEATHERS: Final[tuple[Color, ...]] = (
    (0.13, 0.11, 0.10),
    (0.42, 0.25, 0.15),
    (0.62, 0.42, 0.26),
    (0.80, 0.76, 0.68),
    (0.35, 0.10, 0.10),
)
COVERINGS: Final[tuple[Covering, ...]] = ("plaster", "plaster", "paint", "wallpaper", "wallpaper", "bricks")
FLOORS: Final[tuple[Flooring, ...]] = ("planks", "planks", "planks", "tiles", "carpet", "concrete")
WHITE_POINTS: Final = np.array(
    [[2700, 1.0, 0.84, 0.66], [3500, 1.0, 0.90, 0.78], [5000, 1.0, 0.97, 0.93], [6500, 0.97, 0.98, 1.0], [8000, 0.9, 0.95, 1.0]]
)
"""Colour temperature [K] and the colour of a lamp for a camera that balances white half way."""
BLEND: Final[Mapping[Difficulty, float]] = {"easy": 0.0, "medium": 0.2, "hard": 0.5}
"""Chance that an object has the colour of the floor, and the clothes that of a wall."""
CONTRAST = 0.25
"""Least distance in RGB of what shall not blend in."""


@dataclass(frozen=True, kw_only=True)
class Paint:
    """How a material of an object looks."""

    family: Family
    color: Color
    roughness: float


@dataclass(frozen=True, kw_only=True)
class Appearance:
    """The looks of a case; `objects` by name of the object, then of the material."""

    person: PersonLook
    room: RoomLook
    objects: Mapping[str, Mapping[str, Paint]]


ROUGHNESS: Final[Mapping[Family, float]] = {"wood": 0.45, "fabric": 0.95, "leather": 0.45, "metal": 0.3, "plastic": 0.4}


def appearance(spec: CaseSpec, staged: Staged, *, reach_m: float = 3.0) -> Appearance:
    """The looks of a case; cameras stand up to `reach_m` from the middle of the scene."""
    rng = np.random.default_rng([spec.seed, 1])
    room = _room(staged, spec.difficulty, reach_m, rng)
    person = _person(spec, room, rng)
    objects = {item.name: _paints(item.furniture.pieces, room, BLEND[spec.difficulty], rng) for item in staged.objects}
    return Appearance(person=person, room=room, objects=objects)


def family_of(material: str) -> Family:
    """The family of a material's name (`wood_dark` is wood); raises `KeyError` that lists the families."""
    family = material.split("_")[0]
    if family not in ROUGHNESS:
        raise KeyError(f"No look for the material {material!r}; its first word must be one of {list(ROUGHNESS)}.")
    return family


def _pick(options: tuple[Option, ...], rng: Rng) -> Option:
    return options[int(rng.integers(len(options)))]


def _person(spec: CaseSpec, room: RoomLook, rng: Rng) -> PersonLook:
    tone = rng.uniform(0, len(SKIN) - 1)
    skin = np.array([np.interp(tone, range(len(SKIN)), SKIN[:, i]) for i in range(3)])
    hair = np.asarray(HAIR[int(rng.integers(len(HAIR) if tone < 2.5 else DARK_HAIR))]) * rng.uniform(0.85, 1.15)
    is_man, walls = spec.subject.sex == "male", [color for _, color in room.walls.values()]
    if rng.random() < BLEND[spec.difficulty]:
        top = _near(walls[int(rng.integers(len(walls)))], rng)
    else:
        top = _apart(lambda: _vivid(rng), [*walls, room.floor_color])
    return PersonLook(
        skin=_color(skin),
        hair=_color(hair),
        haircut=_pick(HAIRCUTS[spec.subject.sex], rng),
        outfit=_pick(OUTFITS, rng),
        top=top,
        top_accent=_apart(lambda: _vivid(rng), [top]),
        trousers=_near(_pick(JEANS, rng), rng),
        shoes=_pick(SHOES, rng),
        legwear=_pick(LEGWEAR, rng),
        beard=float(rng.choice((0.0, 0.0, 0.4, 0.9))) if is_man else 0.0,
    )


def _paints(pieces: tuple[Piece, ...], room: RoomLook, blend: float, rng: Rng) -> dict[str, Paint]:
    """A paint for every material; a blending object takes the floor's colour in its first."""
    names = list(dict.fromkeys(piece.material for piece in pieces))
    blends, paints = rng.random() < blend, {}
    for i, name in enumerate(names):
        family, taken = family_of(name), [paint.color for paint in paints.values()]
        if blends and i == 0:
            color = _near(room.floor_color, rng)
        else:
            color = _apart(lambda family=family: _stuff(family, rng), [room.floor_color, *taken])
        paints[name] = Paint(family=family, color=color, roughness=ROUGHNESS[family] * rng.uniform(0.8, 1.1))
    return paints


def _stuff(family: Family, rng: Rng) -> Color:
    """A colour that the family comes in."""
    known: Mapping[Family, tuple[Color, ...]] = {"wood": WOODS, "metal": METALS, "leather": LEATHERS}
    if family in known and rng.random() < 0.8:
        return _near(_pick(known[family], rng), rng)
    return _vivid(rng)


def _room(staged: Staged, difficulty: Difficulty, reach_m: float, rng: Rng) -> RoomLook:
    points = outline(staged)
    centre, hull = centre_of(points), cv2.convexHull(points[:, :2].astype(np.float32))
    half = tuple(max(3.5, reach_m + 0.55) + rng.uniform(0.0, 0.35) for _ in range(2))
    walls: dict[Side, tuple[Covering, Color]] = {}
    tones = (_wall_color(rng), _wall_color(rng))
    for side in SIDES:
        covering: Covering = _pick(COVERINGS, rng)
        walls[side] = covering, _brick(rng) if covering == "bricks" else tones[int(rng.integers(2))]
    floor: Flooring = _pick(FLOORS, rng)
    places = _Places(half_m=(half[0], half[1]), rng=rng)
    window = places.window()
    shelves = places.shelves(int(rng.integers(1, 4)))
    middle = (float(centre[0]), float(centre[1]))
    warmth = rng.uniform(4800, 7500)
    brightness = rng.uniform(0.75, 1.25)
    return RoomLook(
        walls=walls,
        palette=(tones[0], _vivid(rng), _vivid(rng), _vivid(rng)),
        floor=floor,
        floor_color=_floor_color(floor, rng),
        window=window,
        shelves=shelves,
        pictures=places.pictures(int(rng.integers(9, 20))),
        plants=_shifted(places.corners(int(rng.integers(1, 4))), middle),
        clutter=_shifted(places.along_walls(int(rng.integers(3, 8))), middle),
        magazines=_around(hull, middle, int(rng.integers(2, 7)), (0.25, 2.6), rng),
        obstacles=_around(hull, middle, int(rng.integers(1, 3)), (0.35, 1.9), rng) if difficulty == "hard" else (),
        rug_centre=(middle[0] + rng.uniform(-1, 1), middle[1] + rng.uniform(-1, 1)) if rng.random() < 0.5 else None,
        rug_yaw_deg=float(rng.uniform(0, 180)),
        centre_m=middle,
        half_m=(half[0], half[1]),
        height_m=float(rng.uniform(2.5, 2.9)),
        window_w=100 * brightness * rng.uniform(0.6, 1.2),
        window_color=_white(warmth),
        lamp_w=45 * brightness * rng.uniform(0.6, 1.4),
        lamp_color=_white(rng.uniform(2700, 4200)),
        lamp_at=(float(rng.uniform(-1.2, 1.2)), float(rng.uniform(-1.2, 1.2))),
    )


@dataclass(frozen=True, kw_only=True)
class _Places:
    """Hands out places on the walls and in the corners of an empty room, none twice."""

    half_m: tuple[float, float]
    rng: Rng
    taken: dict[Side, list[tuple[float, float]]] = field(default_factory=lambda: {side: [] for side in SIDES})
    """Stretches of the walls that are given away."""

    def window(self) -> tuple[Side, float]:
        return self._slot(half_width=1.3, spread=0.25) or ("left", 0.0)

    def shelves(self, count: int) -> tuple[tuple[Side, float], ...]:
        found = (self._slot(half_width=0.6, spread=0.8) for _ in range(count))
        return tuple(slot for slot in found if slot)

    def pictures(self, count: int) -> tuple[tuple[Side, float], ...]:
        found = (self._slot(half_width=0.37, spread=0.9) for _ in range(count))
        return tuple(slot for slot in found if slot)

    def along_walls(self, count: int) -> tuple[tuple[float, float], ...]:
        """Places on the floor by the walls, in the middle of the room's frame."""
        places = []
        for _ in range(count):
            side: Side = _pick(SIDES, self.rng)
            s = self.rng.uniform(-2.4, 2.4)
            if all(abs(s - (low + high) / 2) > (high - low) / 2 + 0.1 for low, high in self.taken[side] if high - low > 1):
                off = self._off(side) - 0.28
                places.append({"back": (s, off), "left": (-off, s), "right": (off, -s), "front": (-s, -off)}[side])
        return tuple(places)

    def corners(self, count: int) -> tuple[tuple[float, float], ...]:
        signs = self.rng.permutation([(-1, -1), (-1, 1), (1, -1), (1, 1)])[:count]
        return tuple((float(x * (self.half_m[0] - 0.5)), float(y * (self.half_m[1] - 0.5))) for x, y in signs)

    def _off(self, side: Side) -> float:
        return self.half_m[1] if side in ("back", "front") else self.half_m[0]

    def _slot(self, *, half_width: float, spread: float) -> tuple[Side, float] | None:
        """A free stretch of a wall, or None after twenty tries."""
        for _ in range(20):
            side: Side = _pick(SIDES, self.rng)
            length = self.half_m[0] if side in ("back", "front") else self.half_m[1]
            s = float(self.rng.uniform(-1, 1) * spread * (length - half_width - 0.1))
            if all(s + half_width < low or s - half_width > high for low, high in self.taken[side]):
                self.taken[side].append((s - half_width, s + half_width))
                return side, s
        return None


def _around(
    hull: ndarray, middle: tuple[float, float], count: int, limits_m: tuple[float, float], rng: Rng
) -> tuple[tuple[float, float], ...]:
    """Places apart from each other, `limits_m[0]` or more off the scene's ground plan, within `limits_m[1]` of its middle."""
    places: list[tuple[float, float]] = []
    for _ in range(40 * count):
        x, y = (np.asarray(middle) + rng.uniform(-limits_m[1], limits_m[1], 2)).tolist()
        off = -cv2.pointPolygonTest(hull, (x, y), True)
        is_near = np.hypot(x - middle[0], y - middle[1]) < limits_m[1]
        if off > limits_m[0] and is_near and all(np.hypot(x - a, y - b) > 0.5 for a, b in places):
            places.append((x, y))
        if len(places) == count:
            break
    return tuple(places)


def _shifted(places: tuple[tuple[float, float], ...], by: tuple[float, float]) -> tuple[tuple[float, float], ...]:
    return tuple((x + by[0], y + by[1]) for x, y in places)


def _wall_color(rng: Rng) -> Color:
    """Mostly light and muted, now and then strong."""
    strong = rng.random() < 0.3
    return _hsv(rng.random(), rng.uniform(0.25, 0.45) if strong else rng.uniform(0.02, 0.22), rng.uniform(0.45, 0.92))


def _brick(rng: Rng) -> Color:
    return _hsv(rng.uniform(0.0, 0.09), rng.uniform(0.15, 0.6), rng.uniform(0.5, 0.85))


def _floor_color(floor: Flooring, rng: Rng) -> Color:
    if floor == "planks":
        return _near(_pick(WOODS, rng), rng)
    if floor == "carpet":
        return _hsv(rng.random(), rng.uniform(0.05, 0.4), rng.uniform(0.3, 0.75))
    return _hsv(rng.uniform(0.02, 0.15), rng.uniform(0.02, 0.3), rng.uniform(0.4, 0.85))


def _vivid(rng: Rng) -> Color:
    """A dyed cloth's or a paint's colour: strong ones are darker."""
    value = rng.uniform(0.12, 0.9)
    return _hsv(rng.random(), rng.uniform(0.03, 0.8 - 0.3 * value), value)


def _near(color: Color, rng: Rng) -> Color:
    return _color(np.asarray(color) * rng.uniform(0.85, 1.12) * (1 + rng.uniform(-0.05, 0.05, 3)))


def _apart(draw: Callable[[], Color], others: Sequence[Color]) -> Color:
    """The first draw that is CONTRAST away from all `others`, or the one furthest away of twelve."""
    draws = [draw() for _ in range(12)]
    distances = [min(float(np.linalg.norm(np.subtract(color, other))) for other in others) for color in draws]
    return next((color for color, d in zip(draws, distances) if d > CONTRAST), draws[int(np.argmax(distances))])


def _hsv(hue: float, saturation: float, value: float) -> Color:
    return colorsys.hsv_to_rgb(hue, saturation, value)


def _white(kelvin: float) -> Color:
    return _color(np.array([np.interp(kelvin, WHITE_POINTS[:, 0], WHITE_POINTS[:, i]) for i in (1, 2, 3)]))


def _color(values: Float[ndarray, "3"]) -> Color:
    r, g, b = np.clip(values, 0.02, 1.0).tolist()
    return r, g, b
