"""Random furniture for training: twelve families of many variants, made of primitives, from a seed.

Written for this generator. Nothing here reads the benchmark, whose pieces are for judging only; a test holds that.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.random import Generator as Rng

from hsimul3r.generator.flow.attach import AttachConfig, attach
from hsimul3r.generator.flow.joinery import Back, Parts, bar, base, chance, either, leaned, open_arms, plate
from hsimul3r.generator.flow.primitives import Kind, Primitive, standing, without_mirrors

HELD_OUT_FROM: Final = 1_000_000_000
"""Objects of this seed and up are for validation, those below for training."""
TRIES: Final = 40
AS_MADE: Final = AttachConfig(reach_m=0.0)


@dataclass(frozen=True, kw_only=True)
class Furniture:
    """A random object in its own frame (conventions.py)."""

    category: str
    """One of conventions.OBJECT_CATEGORIES."""
    family: str
    primitives: tuple[Primitive, ...]


def sample_furniture(seed: int) -> Furniture:
    """The object of this seed: the first of its row whose parts are solid and all touch."""
    chosen, family, rng = drawn_family(seed)
    for _ in range(TRIES):
        primitives = standing(family.make(rng))
        is_solid = all(part.half.min() > 0 for part in primitives)
        if is_solid and attach(without_mirrors(primitives), AS_MADE).pieces == 1:
            break
    return Furniture(category=family.category, family=chosen, primitives=primitives)


def drawn_family(seed: int) -> tuple[str, "Family", Rng]:
    """Name of the object's family, the family, and the random numbers that make its member."""
    rng = np.random.default_rng([20, seed])
    names = list(FAMILIES)
    chosen = names[int(rng.choice(len(names), p=[FAMILIES[name].share for name in names]))]
    return chosen, FAMILIES[chosen], rng


def _seat_plate(rng: Rng, width: float, depth: float, top: float, thick: float, *, round_share: float = 0.2) -> Primitive:
    kind: Kind = "cylinder" if chance(rng, round_share) else "box"
    return plate("seat", (0, 0, top - thick / 2), (width, depth, thick), kind=kind, rounding=either(rng, 0.5, 0.1, 0.9))


def _chair(rng: Rng) -> Parts:
    width, depth = rng.uniform(0.38, 0.56), rng.uniform(0.38, 0.54)
    top, thick, rise = rng.uniform(0.40, 0.51), rng.uniform(0.02, 0.09), rng.uniform(0.28, 0.66)
    below = base(rng, width, depth, top - thick, legs=0.66, pedestal=0.06, sled=0.1, tripod=0.03, cantilever=0.1, slabs=0.05)
    back = Back(rng, width=width * rng.uniform(0.8, 1.0), y=depth / 2 - 0.02, z=top - thick, height=rise + thick,
                lean=rng.uniform(0.0, 0.3))  # fmt: skip
    arms = open_arms(rng, width, depth, top) if chance(rng, 0.3) else []
    return [_seat_plate(rng, width, depth, top, thick), *below, *back.any(), *arms]


def _swivel_chair(rng: Rng) -> Parts:
    width, depth = rng.uniform(0.43, 0.55), rng.uniform(0.41, 0.52)
    top, thick = rng.uniform(0.42, 0.56), rng.uniform(0.04, 0.11)
    back = Back(rng, width=width * rng.uniform(0.75, 1.0), y=depth / 2 - 0.02, z=top - 0.5 * thick,
                height=rng.uniform(0.4, 0.75), lean=rng.uniform(0.0, 0.25))  # fmt: skip
    rise = back.solid() if chance(rng, 0.6) else back.panel()
    seat = plate("seat", (0, 0, top - thick / 2), (width, depth, thick), rounding=rng.uniform(0.1, 0.9))
    arms = open_arms(rng, width, depth, top) if chance(rng, 0.6) else []
    return [seat, *base(rng, width, depth, top - thick, star=1.0), *rise, *arms]


def _tub_chair(rng: Rng) -> Parts:
    """A shell that bends around the sitter."""
    width, depth = rng.uniform(0.5, 0.8), rng.uniform(0.45, 0.7)
    top, thick = rng.uniform(0.36, 0.48), rng.uniform(0.06, 0.16)
    below = base(rng, 0.8 * width, 0.8 * depth, top - thick, legs=0.7, pedestal=0.15, sled=0.15)
    seat = plate("seat", (0, 0, top - thick / 2), (width * 0.92, depth, thick), rounding=either(rng, 0.7, 0.1, 0.8),
                 kind="cylinder" if chance(rng, 0.3) else "box")  # fmt: skip
    bend, shell = -rng.uniform(0.45, 1.1), rng.uniform(0.02, 0.1)
    low = top - thick * rng.uniform(0.3, 1.0)
    y = depth / 2 - shell / 2 + bend * width / 2 / 3
    rise = rng.uniform(0.25, 0.5)
    return [seat, *below, leaned("back", (0, y, low), (width, shell, rise), rng.uniform(0.0, 0.25), bend=bend)]


def _stool(rng: Rng) -> Parts:
    width = rng.uniform(0.26, 0.46)
    depth = width if chance(rng, 0.7) else rng.uniform(0.26, 0.42)
    top, thick = rng.uniform(0.36, 0.82), rng.uniform(0.02, 0.1)
    below = base(rng, width, depth, top - thick, legs=0.5, pedestal=0.15, tripod=0.15, slabs=0.1, sled=0.1)
    seat = _seat_plate(rng, width, depth, top, thick, round_share=0.5)
    back = Back(
        rng, width=0.9 * width, y=depth / 2 - 0.02, z=top - thick, height=rng.uniform(0.15, 0.35), lean=rng.uniform(0, 0.2)
    )
    return [seat, *below, *(back.any() if top > 0.6 and chance(rng, 0.35) else [])]


def _ottoman(rng: Rng) -> Parts:
    width, depth, top = rng.uniform(0.35, 1.1), rng.uniform(0.35, 0.7), rng.uniform(0.32, 0.5)
    low = either(rng, 0.6, 0.03, 0.15)
    kind: Kind = "cylinder" if chance(rng, 0.3) else "box"
    legs = [bar("leg", (width / 2 - 0.06, sy * (depth / 2 - 0.06), 0), (width / 2 - 0.07, sy * (depth / 2 - 0.07), low + 0.02),
                rng.uniform(0.03, 0.05), is_mirrored=True) for sy in (-1.0, 1.0)]  # fmt: skip
    if kind == "cylinder":
        width = depth = min(width, depth) * 1.1
        low = 0.0
    block = plate("seat", (0, 0, (low + top) / 2), (width, depth, top - low), kind=kind, rounding=either(rng, 0.7, 0.05, 0.4))
    return [block, *(legs if low else [])]


def _bench(rng: Rng) -> Parts:
    width, depth = rng.uniform(0.8, 1.9), rng.uniform(0.28, 0.5)
    top, thick = rng.uniform(0.38, 0.5), rng.uniform(0.03, 0.12)
    below = base(rng, width, depth, top - thick, legs=0.5, slabs=0.25, sled=0.15, trestle=0.1)
    boards = int(rng.integers(2, 5)) if chance(rng, 0.3) else 1
    pitch = depth / boards
    deep, rounding = pitch * (0.85 if boards > 1 else 1.0), either(rng, 0.4, 0.1, 0.5)
    ys = [(k + 0.5) * pitch - depth / 2 for k in range(boards)]
    seat = [plate("seat", (0, y, top - thick / 2), (width, deep, thick), rounding=rounding) for y in ys]
    if boards > 1:
        seat.append(plate("apron", (width / 2 - 0.1, 0, top - thick - 0.01), (0.06, 0.98 * depth, 0.04), is_mirrored=True))
    back = Back(rng, width=width, y=depth / 2 - 0.02, z=top - thick, height=rng.uniform(0.3, 0.5), lean=rng.uniform(0.0, 0.3))
    arms = open_arms(rng, width, depth, top) if chance(rng, 0.3) else []
    return [*seat, *below, *([*back.any(), *arms] if chance(rng, 0.5) else [])]


def _sofa(rng: Rng) -> Parts:
    return _upholstered(rng, seats=int(rng.choice([2, 2, 3, 3, 4])))


def _armchair(rng: Rng) -> Parts:
    return _upholstered(rng, seats=1)


@dataclass(frozen=True, kw_only=True)
class _Couch:
    """Measures of something upholstered."""

    seats: int
    width: float
    depth: float
    seat_top: float
    legs: float
    """Height of its legs, 0 for none."""
    back_top: float
    arm_top: float
    arm: float
    """Width of an arm, 0 for none."""
    back: float
    """Thickness of the back."""
    cushion: float

    @property
    def inner(self) -> float:
        return self.width - 2 * self.arm


def _couch(rng: Rng, seats: int) -> _Couch:
    arm = rng.uniform(0.05, 0.25) if chance(rng, 0.9) else 0.0
    return _Couch(
        seats=seats, width=seats * rng.uniform(0.5, 0.74) + 2 * arm, depth=rng.uniform(0.62, 1.0),
        seat_top=rng.uniform(0.36, 0.48), legs=either(rng, 0.75, 0.04, 0.2), arm_top=rng.uniform(0.48, 0.7), arm=arm,
        back_top=rng.uniform(0.62, 1.1 if seats == 1 else 0.98), back=rng.uniform(0.1, 0.28), cushion=rng.uniform(0.08, 0.18),
    )  # fmt: skip


def _upholstered(rng: Rng, *, seats: int) -> Parts:
    c = _couch(rng, seats)
    lean, soft = rng.uniform(0.0, 0.25), either(rng, 0.7, 0.1, 0.6)
    floor = c.legs
    base_top = c.seat_top - c.cushion
    parts = [plate("base", (0, 0, (floor + base_top) / 2), (c.inner + 0.4 * c.arm, c.depth - 0.01, base_top - floor))]
    if c.arm:
        x = c.width / 2 - c.arm / 2
        parts.append(
            plate("arm", (x, 0, (floor + c.arm_top) / 2), (c.arm, c.depth, c.arm_top - floor), rounding=soft, is_mirrored=True)
        )
    foot = (0.0, c.depth / 2 - c.back / 2, floor + 0.01)
    parts.append(leaned("back", foot, (c.inner + c.arm, c.back, c.back_top - floor), 0.5 * lean, rounding=soft))
    parts += _cushions(rng, c, lean) + (_couch_legs(rng, c) if floor else [])
    if seats == 1 and c.arm and c.back_top > 0.85 and chance(rng, 0.5):
        tall = c.back_top - c.arm_top
        wing = (c.arm * 0.6, c.depth * rng.uniform(0.25, 0.5), tall)
        at = (c.width / 2 - c.arm / 2, c.depth / 2 - wing[1] / 2 + 0.02, c.arm_top + tall / 2 - 0.02)
        parts.append(plate("panel", at, wing, rounding=soft, is_mirrored=True))
    if seats > 1 and chance(rng, 0.12):
        parts += _chaise(rng, c)
    return parts


def _columns(seats: int, inner: float) -> list[tuple[float, bool]]:
    """Middles of the places for one, and whether each stands for its mirror image too."""
    wide = inner / seats
    xs = [(k + 0.5) * wide - inner / 2 for k in range(seats)]
    return [(max(x, 0.0), x > 1e-6) for x in xs if x > -1e-6]


def _cushions(rng: Rng, c: _Couch, lean: float) -> Parts:
    slit, soft = rng.uniform(0.0, 0.015), rng.uniform(0.1, 0.6)
    wide, deep = c.inner / c.seats - slit, c.depth - c.back
    has_backs, thick = chance(rng, 0.55), rng.uniform(0.08, 0.17)
    parts: Parts = []
    for x, is_pair in _columns(c.seats, c.inner):
        middle = c.seat_top - c.cushion / 2 - 0.005
        parts.append(
            plate("seat", (x, -c.back / 2, middle), (wide, deep, c.cushion + 0.01), rounding=soft, is_mirrored=is_pair)
        )
        if has_backs:
            foot = (x, c.depth / 2 - c.back - thick / 2 + 0.02, c.seat_top - 0.02)
            size = (wide, thick, (c.back_top - c.seat_top) * rng.uniform(0.8, 1.05))
            parts.append(leaned("cushion", foot, size, lean, rounding=soft, is_mirrored=is_pair))
    return parts


def _couch_legs(rng: Rng, c: _Couch) -> Parts:
    thick, taper = rng.uniform(0.035, 0.07), 1.0 if chance(rng, 0.5) else rng.uniform(0.5, 0.9)
    kind: Kind = "box" if chance(rng, 0.6) else "cylinder"
    x, y, splay = c.width / 2 - thick - 0.01, c.depth / 2 - thick - 0.01, either(rng, 0.3, 0.0, 0.04)
    return [
        bar(
            "leg", (x + splay, sy * (y + splay), 0), (x, sy * y, c.legs + 0.02), thick, kind=kind, taper=taper, is_mirrored=True
        )
        for sy in (-1.0, 1.0)
    ]


def _chaise(rng: Rng, c: _Couch) -> Parts:
    """One place is longer than the others."""
    side, wide, more = rng.choice([-1.0, 1.0]), c.inner / c.seats, rng.uniform(0.4, 0.8)
    x, y = side * (c.inner / 2 - wide / 2), -c.depth / 2 - more / 2 + 0.02
    block = plate("base", (x, y, (c.legs + c.seat_top) / 2), (wide, more + 0.04, c.seat_top - c.legs), rounding=0.2)
    if not c.legs:
        return [block]
    return [block, plate("leg", (x, y - more / 2 + 0.06, c.legs / 2 + 0.01), (wide * 0.8, 0.05, c.legs + 0.02))]


def _table(rng: Rng) -> Parts:
    width, depth, height = _table_size(rng)
    is_round, thick = chance(rng, 0.3), rng.uniform(0.018, 0.07)
    if is_round and chance(rng, 0.7):
        width = depth = min(width, 1.3)
    inside = 0.72 if is_round else 1.0
    kinds = {"legs": 0.55, "pedestal": 0.2 if width < 1.3 else 0.0, "slabs": 0.1, "tripod": 0.1 if width < 0.9 else 0.0,
             "sled": 0.1, "trestle": 0.1 if width > 0.9 else 0.0}  # fmt: skip
    top = plate("top", (0, 0, height - thick / 2), (width, depth, thick), kind="cylinder" if is_round else "box",
                rounding=either(rng, 0.4, 0.1, 0.8))  # fmt: skip
    parts = [top, *base(rng, width * inside, depth * inside, height - thick, **kinds)]
    return parts + (_aprons(rng, width, depth, height - thick) if not is_round and chance(rng, 0.4) else []) + (
        [_shelf(rng, inside * width, inside * depth, height)] if chance(rng, 0.2) else []
    )  # fmt: skip


def _table_size(rng: Rng) -> tuple[float, float, float]:
    kind = rng.random()
    if kind < 0.35:
        return rng.uniform(0.8, 2.1), rng.uniform(0.6, 1.05), rng.uniform(0.68, 0.78)
    if kind < 0.7:
        return rng.uniform(0.6, 1.4), rng.uniform(0.4, 0.85), rng.uniform(0.28, 0.52)
    return rng.uniform(0.32, 0.6), rng.uniform(0.32, 0.6), rng.uniform(0.38, 1.1)


def _aprons(rng: Rng, width: float, depth: float, below: float) -> Parts:
    tall, x, y = rng.uniform(0.04, 0.12), 0.44 * width, 0.43 * depth
    sides = plate("apron", (x, 0, below - tall / 2), (0.022, 2 * y, tall), is_mirrored=True)
    return [sides, *(plate("apron", (0, sy * y, below - tall / 2), (2 * x, 0.022, tall)) for sy in (-1.0, 1.0))]


def _shelf(rng: Rng, width: float, depth: float, height: float) -> Primitive:
    return plate("shelf", (0, 0, height * rng.uniform(0.15, 0.45)), (0.92 * width, 0.92 * depth, rng.uniform(0.012, 0.03)))


def _desk(rng: Rng) -> Parts:
    width, depth, height, thick = (
        rng.uniform(0.9, 1.7),
        rng.uniform(0.45, 0.8),
        rng.uniform(0.69, 0.78),
        rng.uniform(0.018, 0.05),
    )
    top, below = plate("top", (0, 0, height - thick / 2), (width, depth, thick)), height - thick
    parts = [top]
    if chance(rng, 0.25):
        wide = rng.uniform(0.28, 0.4)
        parts.append(plate("drawer", (width / 2 - wide / 2, 0, below / 2), (wide, 0.95 * depth, below), is_mirrored=True))
    else:
        side, wide, low = rng.choice([-1.0, 1.0]), rng.uniform(0.28, 0.45), either(rng, 0.3, 0.2, 0.55)
        parts.append(plate("drawer", (side * (width / 2 - wide / 2), 0, (low + below) / 2), (wide, 0.95 * depth, below - low)))
        parts += _desk_sides(rng, width, depth, below, side=0.0 if low else -side)
    if chance(rng, 0.5):
        tall = below * rng.uniform(0.25, 0.9)
        parts.append(plate("panel", (0, 0.42 * depth, below - tall / 2), (0.94 * width, 0.02, tall)))
    return parts


def _desk_sides(rng: Rng, width: float, depth: float, below: float, *, side: float) -> Parts:
    """Legs or a panel where no drawers stand; `side` 0 means both sides."""
    thick, both = rng.uniform(0.025, 0.06), side == 0.0
    x = (side or 1.0) * (width / 2 - thick / 2 - 0.005)
    if chance(rng, 0.5):
        return [plate("leg", (x, 0, below / 2), (thick, 0.95 * depth, below), is_mirrored=both)]
    return [
        plate("leg", (x, sy * (depth / 2 - thick), below / 2), (thick, thick, below), is_mirrored=both) for sy in (-1.0, 1.0)
    ]


def _box(rng: Rng) -> Parts:
    """Boxes, cabinets, low shelves."""
    width, depth, height = rng.uniform(0.3, 1.4), rng.uniform(0.28, 0.7), rng.uniform(0.25, 1.2)
    low = either(rng, 0.5, 0.03, 0.2)
    parts = [plate("base", (0, 0, (low + height) / 2), (width, depth, height - low), rounding=either(rng, 0.2, 0.02, 0.15))]
    if low:
        thick = rng.uniform(0.025, 0.06)
        x, y = width / 2 - thick, depth / 2 - thick
        parts += [bar("leg", (x, sy * y, 0), (x, sy * y, low + 0.01), thick, is_mirrored=True) for sy in (-1.0, 1.0)]
    if chance(rng, 0.4):
        parts.append(plate("top", (0, 0, height + 0.01), (width * rng.uniform(1.0, 1.1), depth * rng.uniform(1.0, 1.1), 0.025)))
    return parts


def _steps(rng: Rng) -> Parts:
    """A step stool: treads between two cheeks."""
    width, height, depth = rng.uniform(0.34, 0.55), rng.uniform(0.35, 0.7), rng.uniform(0.3, 0.5)
    thick, treads = rng.uniform(0.018, 0.035), int(rng.integers(1, 3))
    cheek = plate(
        "leg", (width / 2 - thick / 2 - 0.01, 0, height / 2 - thick / 2), (thick, depth, height - thick), is_mirrored=True
    )
    top = plate("top", (0, 0, height - thick / 2), (width, depth * 1.02, thick))
    steps = [
        plate("shelf", (0, -depth / 2 - 0.04 + 0.06 * k, height * (k + 1) / (treads + 1)), (width - 0.02, 0.24, thick))
        for k in range(treads)
    ]
    return [top, cheek, *steps]


@dataclass(frozen=True, kw_only=True)
class Family:
    category: str
    share: float
    """Of all objects."""
    make: Callable[[Rng], Parts]


FAMILIES: Final[dict[str, Family]] = {
    "chair": Family(category="chair", share=0.27, make=_chair),
    "swivel_chair": Family(category="chair", share=0.07, make=_swivel_chair),
    "tub_chair": Family(category="armchair", share=0.05, make=_tub_chair),
    "armchair": Family(category="armchair", share=0.09, make=_armchair),
    "sofa": Family(category="sofa", share=0.14, make=_sofa),
    "bench": Family(category="bench", share=0.07, make=_bench),
    "stool": Family(category="stool", share=0.07, make=_stool),
    "ottoman": Family(category="stool", share=0.03, make=_ottoman),
    "table": Family(category="table", share=0.13, make=_table),
    "desk": Family(category="desk", share=0.04, make=_desk),
    "box": Family(category="box", share=0.03, make=_box),
    "steps": Family(category="stool", share=0.01, make=_steps),
}
