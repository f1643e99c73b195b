"""Building blocks of random furniture: plates, bars, what stands below a seat or top, what rises behind it.

Fronts look along -Y; pairs are one part with a mirror image, given on the side x > 0.
"""

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.random import Generator as Rng

from hsimul3r.generator.flow.primitives import Kind, Primitive
from hsimul3r.generator.flow.tokens import leaning

Parts = list[Primitive]
Base = Callable[[Rng, float, float, float], Parts]
"""(random numbers, width, depth, height) to what carries a plate of that size at that height."""


def plate(
    role: str, centre: tuple[float, float, float], size: tuple[float, float, float], *, kind: Kind = "box", **rest: Any
) -> Primitive:
    """An upright part of full `size` around `centre`."""
    return Primitive(role=role, kind=kind, centre=np.array(centre, float), half=np.array(size, float) / 2, R=np.eye(3), **rest)


def leaned(
    role: str, foot: tuple[float, float, float], size: tuple[float, float, float], lean: float, **rest: Any
) -> Primitive:
    """A board of full `size` (width, thickness, height) whose lower edge's middle is `foot`, leaning `lean` rad backwards."""
    R = leaning(-lean)
    kind: Kind = "bent" if rest.get("bend") else "box"
    centre = np.array(foot, float) + R[:, 2] * size[2] / 2
    return Primitive(role=role, kind=kind, centre=centre, half=np.array(size, float) / 2, R=R, **rest)


def bar(
    role: str, low: tuple[float, float, float], high: tuple[float, float, float], size: float, *, depth: float | None = None,
    kind: Kind = "box", **rest: Any,
) -> Primitive:  # fmt: skip
    """A bar from `low` to `high` with a section of size x depth."""
    start, end = np.array(low, float), np.array(high, float)
    length = float(np.linalg.norm(end - start))
    z = (end - start) / length
    side = np.array([1.0, 0.0, 0.0]) if abs(z[0]) < 0.9 else np.array([0.0, 1.0, 0.0])
    x = side - (side @ z) * z
    x /= np.linalg.norm(x)
    half = np.array([size, depth or size, length]) / 2
    R = np.column_stack([x, np.cross(z, x), z])
    return Primitive(role=role, kind=kind, centre=(start + end) / 2, half=half, R=R, **rest)


def chance(rng: Rng, probability: float) -> bool:
    return bool(rng.random() < probability)


def either(rng: Rng, probability: float, low: float, high: float) -> float:
    """0, or with this probability a number between `low` and `high`."""
    return float(rng.uniform(low, high)) if chance(rng, probability) else 0.0


def four_legs(rng: Rng, width: float, depth: float, height: float) -> Parts:
    """Two pairs of legs, splayed or tapered, sometimes with stretchers."""
    thick = rng.uniform(0.02, 0.065)
    kind: Kind = "box" if chance(rng, 0.55) else "cylinder"
    taper = 1.0 if chance(rng, 0.5) else rng.uniform(0.45, 1.1)
    inset, splay = rng.uniform(0.0, 0.05), either(rng, 0.5, -0.02, 0.08)
    x, y = width / 2 - thick / 2 - inset, depth / 2 - thick / 2 - inset
    back_splay = splay if chance(rng, 0.7) else splay + rng.uniform(0.0, 0.06)
    parts = [
        bar("leg", (x + splay, sy * (y + out), 0.0), (x, sy * y, height), thick, kind=kind, taper=taper, is_mirrored=True)
        for sy, out in ((-1.0, splay), (1.0, back_splay))
    ]
    return parts + (_stretchers(rng, x, y, height, thick) if chance(rng, 0.3) else [])


def _stretchers(rng: Rng, x: float, y: float, height: float, thick: float) -> Parts:
    z, size = height * rng.uniform(0.15, 0.6), thick * rng.uniform(0.4, 0.8)
    kind: Kind = "box" if chance(rng, 0.5) else "cylinder"
    parts = [bar("stretcher", (x, -y, z), (x, y, z), size, kind=kind, is_mirrored=True)]
    if chance(rng, 0.4):
        return [*parts, bar("stretcher", (-x, 0, z), (x, 0, z), size, kind=kind)]
    return parts + [
        bar("stretcher", (-x, sy * y, z), (x, sy * y, z), size, kind=kind) for sy in (-1.0, 1.0) if chance(rng, 0.7)
    ]


def pedestal(rng: Rng, width: float, depth: float, height: float) -> Parts:
    """A column on a disc or on spokes."""
    wide = rng.uniform(0.04, 0.14)
    column = plate("column", (0, 0, height / 2), (wide, wide, height), kind="cylinder")
    reach = min(width, depth) / 2 * rng.uniform(0.7, 1.0)
    if chance(rng, 0.5):
        thick = rng.uniform(0.012, 0.04)
        return [
            column,
            plate(
                "foot", (0, 0, thick / 2), (2 * reach, 2 * reach, thick), kind="cylinder", rounding=either(rng, 0.3, 0.1, 0.6)
            ),
        ]
    return [column, *spokes(rng, int(rng.integers(3, 6)), reach, rng.uniform(0.03, 0.08), "foot")]


def spokes(rng: Rng, count: int, reach: float, height: float, role: str) -> Parts:
    """Bars from the axis outwards and down to the floor, half of the time symmetric to x = 0."""
    thick = rng.uniform(0.025, 0.05)
    return [
        bar(role, (0, 0, height), (reach * np.cos(turn), reach * np.sin(turn), thick / 2), thick, is_mirrored=is_pair)
        for turn, is_pair in around(rng, count)
    ]


def around(rng: Rng, count: int) -> list[tuple[float, bool]]:
    """Even directions about the axis, and whether each stands for its mirror image too."""
    step = 2 * np.pi / count
    if chance(rng, 0.5):
        first = rng.uniform(0.0, 2 * np.pi)
        return [(first + k * step, False) for k in range(count)]
    turns = (
        [np.pi / 2 + k * step for k in range(count)]
        if count % 2 or chance(rng, 0.5)
        else [np.pi / 2 + (k + 0.5) * step for k in range(count)]
    )
    return [(turn, bool(np.cos(turn) > 1e-6)) for turn in turns if np.cos(turn) > -1e-6]


def star(rng: Rng, width: float, depth: float, height: float) -> Parts:
    """The five spokes of a swivel chair on castors, and its column."""
    low, reach, radius = rng.uniform(0.06, 0.1), rng.uniform(0.24, 0.36), rng.uniform(0.022, 0.034)
    wide = rng.uniform(0.04, 0.07)
    parts = [plate("column", (0, 0, (low + height) / 2), (wide, wide, height - low + 0.02), kind="cylinder")]
    thick = rng.uniform(0.03, 0.05)
    for turn, is_pair in around(rng, 5):
        x, y = reach * np.cos(turn), reach * np.sin(turn)
        parts.append(bar("foot", (0, 0, low + 0.02), (x, y, 2 * radius), thick, is_mirrored=is_pair))
        parts.append(
            plate(
                "castor",
                (x, y, radius + 0.005),
                (2 * radius, 2 * radius, 2 * radius + 0.01),
                kind="cylinder",
                is_mirrored=is_pair,
            )
        )
    return parts


def sled(rng: Rng, width: float, depth: float, height: float) -> Parts:
    """Legs on runners."""
    thick = rng.uniform(0.018, 0.045)
    kind: Kind = "box" if chance(rng, 0.5) else "cylinder"
    x, y = width / 2 - thick / 2 - rng.uniform(0.0, 0.04), depth / 2 - thick / 2
    parts = [bar("leg", (x, sy * y, 0), (x, sy * y, height), thick, kind=kind, is_mirrored=True) for sy in (-1.0, 1.0)]
    return [*parts, bar("stretcher", (x, -y, thick / 2), (x, y, thick / 2), thick, kind=kind, is_mirrored=True)]


def slabs(rng: Rng, width: float, depth: float, height: float) -> Parts:
    """Two side panels, often a board between them."""
    thick = rng.uniform(0.02, 0.06)
    x = width / 2 - thick / 2 - rng.uniform(0.0, 0.06)
    deep = depth * rng.uniform(0.8, 1.0)
    parts = [plate("leg", (x, 0, height / 2), (thick, deep, height), is_mirrored=True)]
    if chance(rng, 0.5):
        parts.append(
            plate("panel", (0, rng.uniform(0.0, 0.4) * deep, height * rng.uniform(0.4, 0.85)), (2 * x, 0.025, 0.2 * height))
        )
    return parts


def tripod(rng: Rng, width: float, depth: float, height: float) -> Parts:
    """Three legs that lean inwards."""
    thick, reach, head = rng.uniform(0.025, 0.05), min(width, depth) / 2 * rng.uniform(0.75, 1.0), rng.uniform(0.35, 0.8)
    kind: Kind = "cylinder" if chance(rng, 0.7) else "box"
    ends = [(turn, is_pair, np.array([np.cos(turn), np.sin(turn)])) for turn, is_pair in around(rng, 3)]
    return [
        bar("leg", (*reach * way, 0.0), (*head * reach * way, height), thick, kind=kind, is_mirrored=is_pair)
        for _, is_pair, way in ends
    ]


def cantilever(rng: Rng, width: float, depth: float, height: float) -> Parts:
    """A tube in front, on runners that a bar joins at the back."""
    thick = rng.uniform(0.02, 0.035)
    x, y = width / 2 - thick / 2, depth / 2 - thick / 2
    return [
        bar("leg", (x, -y, 0), (x, -y, height), thick, kind="cylinder", is_mirrored=True),
        bar("stretcher", (x, -y, thick / 2), (x, y, thick / 2), thick, kind="cylinder", is_mirrored=True),
        bar("stretcher", (-x, y, thick / 2), (x, y, thick / 2), thick, kind="cylinder"),
    ]


def trestle(rng: Rng, width: float, depth: float, height: float) -> Parts:
    """Two posts on wide feet, joined by a rail."""
    thick, x = rng.uniform(0.04, 0.1), width / 2 * rng.uniform(0.6, 0.85)
    foot = rng.uniform(0.04, 0.08)
    return [
        plate("column", (x, 0, height / 2), (thick, thick * rng.uniform(1.0, 3.0), height), is_mirrored=True),
        plate("foot", (x, 0, foot / 2), (thick, depth * rng.uniform(0.7, 1.0), foot), is_mirrored=True),
        plate("panel", (0, 0, height * rng.uniform(0.2, 0.8)), (2 * x, 0.04, rng.uniform(0.05, 0.12))),
    ]


BASES: Final[dict[str, Base]] = {
    "legs": four_legs, "pedestal": pedestal, "star": star, "sled": sled, "slabs": slabs, "tripod": tripod,
    "cantilever": cantilever, "trestle": trestle,
}  # fmt: skip


def base(rng: Rng, width: float, depth: float, height: float, **chances: float) -> Parts:
    """One of the bases by its chance."""
    names, weights = list(chances), np.array(list(chances.values()))
    return BASES[str(rng.choice(names, p=weights / weights.sum()))](rng, width, depth, height)


class Back:
    """A chair's back: a plane that rises from the seat's rear edge, `lean` rad backwards."""

    def __init__(self, rng: Rng, *, width: float, y: float, z: float, height: float, lean: float):
        self.rng, self.width, self.y, self.z, self.height, self.lean = rng, width, y, z, height, lean
        self.thick = float(rng.uniform(0.015, 0.05))
        self.bend = -either(rng, 0.45, 0.1, 0.5)

    def at(self, x: float, share: float) -> tuple[float, float, float]:
        """A point on it, `share` of the way up."""
        rise = self.height * share
        return (x, self.y + np.sin(self.lean) * rise, self.z + np.cos(self.lean) * rise)

    def board(self, low: float, high: float, *, role: str = "back", share: float = 1.0, **rest: Any) -> Primitive:
        """A board over its width between two shares of its height."""
        size = (self.width * share, self.thick, self.height * (high - low))
        return leaned(role, self.at(0.0, low), size, self.lean, bend=self.bend, **rest)

    def posts(self, kind: Kind = "box") -> Primitive:
        x = self.width / 2 - self.thick / 2
        return bar("post", self.at(x, -0.05), self.at(x, 1.0), self.thick, kind=kind, is_mirrored=True)

    def solid(self) -> Parts:
        return [self.board(0.0, 1.0, rounding=either(self.rng, 0.5, 0.1, 0.8))]

    def panel(self) -> Parts:
        return [self.posts(), self.board(self.rng.uniform(0.25, 0.6), 1.0)]

    def upright_slats(self) -> Parts:
        """Rods or slats up to a rail, the outer ones in pairs."""
        count, thin = int(self.rng.integers(2, 8)), self.rng.uniform(0.01, 0.03)
        kind: Kind = "box" if chance(self.rng, 0.5) else "cylinder"
        self.bend = 0.0
        xs = np.linspace(-1, 1, count + 2)[1:-1] * (self.width / 2 - self.thick)
        depth = thin * (1.0 if kind == "cylinder" else self.rng.uniform(0.4, 1.0))
        rods = [
            bar("slat", self.at(x, -0.03), self.at(x, 0.9), thin, depth=depth, kind=kind, is_mirrored=bool(x > 1e-6))
            for x in xs
            if x > -1e-6
        ]
        return [self.posts(), self.board(0.86, 1.0), *rods]

    def level_slats(self) -> Parts:
        count = int(self.rng.integers(2, 6))
        tall = self.rng.uniform(0.3, 0.8) / count
        lows = np.linspace(self.rng.uniform(0.15, 0.35), 1.0 - tall, count)
        return [self.posts(), *(self.board(low, low + tall, role="slat") for low in lows)]

    def any(self) -> Parts:
        return [self.solid, self.panel, self.upright_slats, self.level_slats][
            int(self.rng.choice(4, p=[0.38, 0.22, 0.2, 0.2]))
        ]()


def open_arms(rng: Rng, width: float, depth: float, seat: float) -> Parts:
    """Arm rests on posts."""
    rise, thick = rng.uniform(0.17, 0.27), rng.uniform(0.025, 0.06)
    x = width / 2 + thick / 2 * rng.choice([-1.0, 1.0])
    reach = depth * rng.uniform(0.7, 1.0)
    parts = [plate("arm", (x, depth / 2 - reach / 2, seat + rise), (thick, reach, thick * rng.uniform(0.5, 0.9)),
                   rounding=either(rng, 0.4, 0.1, 0.8), is_mirrored=True)]  # fmt: skip
    ys = [depth / 2 - reach * 0.9, depth / 2 * 0.85] if chance(rng, 0.7) else [depth / 2 - reach * 0.6]
    low = seat - rng.uniform(0.01, 0.05)
    return parts + [bar("armpost", (x, y, low), (x, y, seat + rise), thick * 0.7, is_mirrored=True) for y in ys]
