"""Parametric furniture: each family turns a few named numbers into frusta (hsimul3r.geometry.frusta).

Families are built around the middle of their seat or top, +X right, +Y to the back, on the floor z = 0. A parameter's prior is
a Gaussian around the middle of its range, whose quarter is one sigma.
"""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from hsimul3r.geometry.frusta import FRUSTUM_COLUMNS, SQUARE

Column = Float[ndarray, "population"]
Number = Column | float
Values = Mapping[str, Column]
Rows = Float[ndarray, "population 12"]
Builder = Callable[[Values], list[Rows]]

FOUR_WAYS: Final = (0.0, np.pi / 2, np.pi, -np.pi / 2)
EIGHTHS: Final = (0.0, np.pi / 4, np.pi / 2, -np.pi / 4)
SHELL_M: Final = 0.035
"""Thickness of a chair's back."""
MIN_GAP: Final = 0.12
"""A chair's back reaches the seat where less than this part of it is open."""

WOOD: Final = 600.0
UPHOLSTERED: Final = 110.0
DRAWERS: Final = 220.0
CARTON: Final = 120.0
"""Densities of whole parts [kg/m3]: solid wood; foam on a frame; panels around air."""


@dataclass(frozen=True, kw_only=True)
class Parameter:
    name: str
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Family:
    """One kind of furniture."""

    name: str
    categories: tuple[str, ...]
    """conventions.OBJECT_CATEGORIES it may stand for."""
    parameters: tuple[Parameter, ...]
    build: Builder
    yaw_starts: tuple[float, ...]
    support: str
    """The parameter that is the height of the seat or top."""
    is_seat: bool
    """True where it has a front, that a sitter looks out of."""
    density_kg_m3: float
    friction: float = 0.8

    def rows(self, values: Float[ndarray, "population parameters"]) -> Float[ndarray, "population parts 12"]:
        """Frusta of a population; an absent part repeats the first."""
        named = {parameter.name: values[:, i] for i, parameter in enumerate(self.parameters)}
        return np.stack(self.build(named), axis=1)


def families() -> tuple[Family, ...]:
    """All families, in a fixed order."""
    return (*_chairs(), *_upholstered_seats(), *_tops())


def family(name: str) -> Family:
    """The family of this name."""
    return next(f for f in families() if f.name == name)


def _ranges(**ranges: tuple[float, float]) -> tuple[Parameter, ...]:
    return tuple(Parameter(name=name, low=low, high=high) for name, (low, high) in ranges.items())


_SEAT = _ranges(
    width=(0.36, 0.60), depth=(0.36, 0.58), seat_height=(0.38, 0.55), seat_thickness=(0.02, 0.10),
    back_height=(0.25, 0.75), back_tilt=(0.0, 0.30), back_gap=(0.0, 0.8),
)  # fmt: skip
_ARMS = _ranges(arm_height=(0.15, 0.28))
_LEGS = _ranges(leg_thickness=(0.02, 0.06), leg_splay=(-0.03, 0.07))
_DISC = _ranges(column_radius=(0.02, 0.06), foot_radius=(0.2, 0.36))
_STAR = _ranges(foot_radius=(0.2, 0.38), foot_height=(0.03, 0.12), foot_turn=(-0.32, 0.32))
_SLED = _ranges(leg_thickness=(0.02, 0.05))


def _chairs() -> tuple[Family, ...]:
    bases = {
        "": (_LEGS, _leg_base),
        "_pedestal": (_DISC, _disc_base),
        "_star": (_STAR, _star_base),
        "_sled": (_SLED, _sled_base),
    }
    return tuple(
        Family(
            name=f"chair{suffix}{'_arms' if has_arms else ''}",
            categories=("chair", "armchair") if has_arms else ("chair",),
            parameters=(*_SEAT, *ranges, *(_ARMS if has_arms else ())),
            build=functools.partial(_chair, base=base, has_arms=has_arms),
            yaw_starts=FOUR_WAYS,
            support="seat_height",
            is_seat=True,
            density_kg_m3=WOOD,
        )
        for suffix, (ranges, base) in bases.items()
        for has_arms in (False, True)
    )


def _upholstered_seats() -> tuple[Family, ...]:
    shared: dict[str, Any] = {
        "build": _upholstered, "yaw_starts": FOUR_WAYS, "support": "seat_height", "is_seat": True,
        "density_kg_m3": UPHOLSTERED, "friction": 0.9,
    }  # fmt: skip
    club = _ranges(
        width=(0.58, 1.0), depth=(0.55, 1.0), seat_height=(0.36, 0.50), back_height=(0.55, 1.05), back_tilt=(0.0, 0.25),
        arm_width=(0.04, 0.24), arm_height=(0.48, 0.75), back_thickness=(0.05, 0.3), leg_height=(0.0, 0.22),
    )  # fmt: skip
    sofa = _ranges(
        width=(0.9, 3.1), depth=(0.65, 1.15), seat_height=(0.36, 0.50), back_height=(0.6, 1.0), back_tilt=(0.0, 0.2),
        arm_width=(0.05, 0.30), arm_height=(0.45, 0.75), back_thickness=(0.1, 0.4), leg_height=(0.0, 0.18),
    )  # fmt: skip
    return (
        Family(name="club", categories=("armchair", "chair", "sofa"), parameters=club, **shared),
        Family(name="sofa", categories=("sofa",), parameters=sofa, **shared),
    )


def _tops() -> tuple[Family, ...]:
    top = _ranges(width=(0.26, 2.0), depth=(0.26, 1.2), height=(0.28, 0.9), thickness=(0.018, 0.10), roundness=(0.0, 1.0))
    legs = _ranges(leg_thickness=(0.02, 0.09), leg_inset=(-0.10, 0.08), apron=(0.0, 0.12))
    disc = _ranges(column_radius=(0.02, 0.08), foot_radius=(0.12, 0.5))
    star = _ranges(column_radius=(0.02, 0.07), foot_radius=(0.15, 0.5), foot_turn=(-0.8, 0.8))
    tripod = _ranges(leg_thickness=(0.02, 0.06), foot_radius=(0.12, 0.45), head_radius=(0.03, 0.3), foot_turn=(-1.05, 1.05))
    slab = _ranges(leg_thickness=(0.02, 0.08), leg_inset=(0.0, 0.10), leg_depth=(0.6, 1.0))
    desk = _ranges(left_width=(0.02, 0.5), right_width=(0.02, 0.5), panel_height=(0.0, 1.0))
    flat = tuple(parameter for parameter in top if parameter.name != "roundness")
    box = _ranges(width=(0.2, 2.0), depth=(0.2, 1.2), height=(0.15, 1.2))
    wide: dict[str, Any] = {"support": "height", "is_seat": False, "density_kg_m3": WOOD}
    any_top = ("stool", "table", "bench", "desk")
    return (
        Family(name="top_legs", categories=any_top, parameters=top + legs, build=_top_legs, yaw_starts=EIGHTHS, **wide),
        Family(name="top_pedestal", categories=("stool", "table"), parameters=top + disc, build=_top_pedestal,
               yaw_starts=EIGHTHS[:2], **wide),
        Family(name="top_star", categories=("stool", "table"), parameters=top + star, build=_top_star,
               yaw_starts=EIGHTHS[:2], **wide),
        Family(name="top_tripod", categories=("stool", "table"), parameters=top + tripod, build=_top_tripod,
               yaw_starts=EIGHTHS[:2], **wide),
        Family(name="top_slab", categories=any_top, parameters=flat + slab, build=_top_slab, yaw_starts=EIGHTHS, **wide),
        Family(name="desk", categories=("desk", "table"), parameters=flat + desk, build=_desk, yaw_starts=FOUR_WAYS,
               **{**wide, "density_kg_m3": DRAWERS}),
        Family(name="box", categories=("box",), parameters=box, build=_box, yaw_starts=EIGHTHS[:3],
               **{**wide, "density_kg_m3": CARTON}),
    )  # fmt: skip


def _frustum(
    bottom: tuple[Number, Number, Number, Number, Number],
    top: tuple[Number, Number, Number, Number, Number],
    *,
    roundness: Number = SQUARE,
    spin: Number = 0.0,
) -> Rows:
    columns = (*bottom, *top, roundness, spin)
    size = max(np.size(column) for column in columns)
    rows = np.empty((size, FRUSTUM_COLUMNS))
    for i, column in enumerate(columns):
        rows[:, i] = column
    return rows


def _block(
    x: Number, y: Number, low: Number, high: Number, half_x: Number, half_y: Number, *,
    roundness: Number = SQUARE, spin: Number = 0.0,
) -> Rows:  # fmt: skip
    """Upright prism between the heights `low` and `high`."""
    return _frustum((x, y, low, half_x, half_y), (x, y, high, half_x, half_y), roundness=roundness, spin=spin)


def _four_legs(half_x: Number, half_y: Number, height: Number, thickness: Number, splay: Number) -> list[Rows]:
    """Legs below the corners of a rectangle that lead `splay` outwards to the floor."""
    half = 0.5 * thickness
    return [
        _frustum(
            (sx * (half_x + splay), sy * (half_y + splay), 0.0, half, half), (sx * half_x, sy * half_y, height, half, half)
        )
        for sx in (-1.0, 1.0)
        for sy in (-1.0, 1.0)
    ]


def _column_on_disc(height: Number, column: Number, foot: Number) -> list[Rows]:
    return [
        _block(0.0, 0.0, 0.02, height, column, column, roundness=1.0),
        _frustum((0.0, 0.0, 0.0, foot, foot), (0.0, 0.0, 0.03, 0.95 * foot, 0.95 * foot), roundness=1.0),
    ]


def _spokes(count: int, radius: Number, low: Number, high: Number, turn: Number) -> list[Rows]:
    """Horizontal bars from the axis outwards, a pad under each end."""
    rows = []
    for i in range(count):
        spin = turn + 2.0 * np.pi * i / count
        rows.append(_block(0.5 * radius, 0.0, low, high, 0.5 * radius, 0.022, spin=spin))
        rows.append(_block(radius - 0.025, 0.0, 0.0, low + 0.005, 0.025, 0.025, spin=spin))
    return rows


def _leg_base(p: Values, top: Column) -> list[Rows]:
    t = p["leg_thickness"]
    return _four_legs(0.5 * (p["width"] - t) - 0.01, 0.5 * (p["depth"] - t) - 0.01, top, t, p["leg_splay"])


def _disc_base(p: Values, top: Column) -> list[Rows]:
    return _column_on_disc(top, p["column_radius"], p["foot_radius"])


def _star_base(p: Values, top: Column) -> list[Rows]:
    column = _block(0.0, 0.0, p["foot_height"] - 0.03, top, 0.03, 0.03, roundness=1.0)
    spokes = _spokes(5, p["foot_radius"], p["foot_height"] - 0.03, p["foot_height"] + 0.01, p["foot_turn"])
    return [column, *spokes]


def _sled_base(p: Values, top: Column) -> list[Rows]:
    t = p["leg_thickness"]
    x, y = 0.5 * (p["width"] - t), 0.5 * (p["depth"] - t)
    runners = [_block(sx * x, 0.0, 0.0, t, 0.5 * t, 0.5 * p["depth"]) for sx in (-1.0, 1.0)]
    return [*_four_legs(x, y, top, t, 0.0), *runners]


def _chair(p: Values, *, base: Callable[[Values, Column], list[Rows]], has_arms: bool) -> list[Rows]:
    below = p["seat_height"] - p["seat_thickness"]
    seat = _block(0.0, 0.0, below, p["seat_height"], 0.5 * p["width"], 0.5 * p["depth"])
    return [seat, *_back(p, seat), *base(p, below), *(_chair_arms(p, below) if has_arms else ())]


def _back(p: Values, seat: Rows) -> list[Rows]:
    """A tilted panel; where its lower part is open, two posts hold it."""
    z0, top = p["seat_height"] - 0.01, p["seat_height"] + p["back_height"]
    lean = np.tan(p["back_tilt"]) * p["back_height"]
    y, half_x, half = 0.5 * (p["depth"] - SHELL_M), 0.5 * p["width"], 0.5 * SHELL_M
    gap = np.where(p["back_gap"] < MIN_GAP, 0.0, p["back_gap"])
    panel = _frustum((0.0, y + gap * lean, z0 + gap * p["back_height"], half_x, half), (0.0, y + lean, top, half_x, half))
    posts = []
    for x in (0.018 - half_x, half_x - 0.018):
        post = _frustum((x, y, z0, 0.018, half), (x, y + lean, top, 0.018, half))
        posts.append(np.where((gap > 0.0)[:, None], post, seat))
    return [panel, *posts]


def _chair_arms(p: Values, below: Column) -> list[Rows]:
    x, top, half_y = 0.5 * p["width"], p["seat_height"] + p["arm_height"], 0.5 * p["depth"]
    rows = []
    for s in (-1.0, 1.0):
        rows.append(_block(s * x, 0.0, top - 0.03, top, 0.025, 0.95 * half_y))
        rows += [_block(s * x, sy * 0.8 * half_y, below, top, 0.018, 0.018) for sy in (-1.0, 1.0)]
    return rows


def _upholstered(p: Values) -> list[Rows]:
    low = np.where(p["leg_height"] < 0.025, 0.0, p["leg_height"])
    inner, arm = 0.5 * p["width"] - 0.5 * p["arm_width"], 0.5 * p["arm_width"]
    half_y, thick = 0.5 * p["depth"], 0.5 * p["back_thickness"]
    lean = np.tan(p["back_tilt"]) * (p["back_height"] - p["seat_height"])
    base = _block(0.0, 0.0, low, p["seat_height"], inner, half_y - 0.005)
    arms = [_block(s * inner, 0.0, low, p["arm_height"], arm, half_y) for s in (-1.0, 1.0)]
    back = _frustum((0.0, half_y - thick, low, inner, thick), (0.0, half_y - thick + lean, p["back_height"], inner, thick))
    legs = _four_legs(0.5 * p["width"] - 0.045, half_y - 0.045, low + 0.01, 0.05, 0.0)
    return [base, *arms, back, *(np.where((low > 0.0)[:, None], leg, base) for leg in legs)]


def _top(p: Values) -> Rows:
    roundness = p.get("roundness", SQUARE)
    return _block(0.0, 0.0, p["height"] - p["thickness"], p["height"], 0.5 * p["width"], 0.5 * p["depth"], roundness=roundness)


def _top_legs(p: Values) -> list[Rows]:
    top, below, t = _top(p), p["height"] - p["thickness"], p["leg_thickness"]
    inside = 1.0 - 0.29 * p["roundness"]
    half_x, half_y = 0.5 * (inside * p["width"] - t) - 0.01, 0.5 * (inside * p["depth"] - t) - 0.01
    inset = np.maximum(p["leg_inset"], 0.0)
    splay = -np.minimum(p["leg_inset"], 0.0)
    legs = _four_legs(half_x - inset, half_y - inset, below, t, splay)
    apron = _block(0.0, 0.0, below - p["apron"], below, 0.425 * inside * p["width"], 0.425 * inside * p["depth"])
    return [top, *legs, np.where((p["apron"] > 0.02)[:, None], apron, top)]


def _top_pedestal(p: Values) -> list[Rows]:
    return [_top(p), *_column_on_disc(p["height"] - p["thickness"], p["column_radius"], p["foot_radius"])]


def _top_star(p: Values) -> list[Rows]:
    column = _block(0.0, 0.0, 0.02, p["height"] - p["thickness"], p["column_radius"], p["column_radius"], roundness=1.0)
    return [_top(p), column, *_spokes(4, p["foot_radius"], 0.02, 0.06, p["foot_turn"])]


def _top_tripod(p: Values) -> list[Rows]:
    half, below = 0.5 * p["leg_thickness"], p["height"] - p["thickness"]
    legs = [
        _frustum(
            (p["foot_radius"], 0.0, 0.0, half, half), (p["head_radius"], 0.0, below, half, half), spin=p["foot_turn"] + turn
        )
        for turn in (0.0, 2.0 * np.pi / 3.0, 4.0 * np.pi / 3.0)
    ]
    return [_top(p), *legs]


def _top_slab(p: Values) -> list[Rows]:
    half = 0.5 * p["leg_thickness"]
    x = 0.5 * p["width"] - half - p["leg_inset"]
    half_y = 0.5 * p["depth"] * p["leg_depth"]
    return [_top(p), *(_block(s * x, 0.0, 0.0, p["height"] - p["thickness"], half, half_y) for s in (-1.0, 1.0))]


def _desk(p: Values) -> list[Rows]:
    """A top on two side panels or drawer units and a panel that hides the legs at the back."""
    top, below = _top(p), p["height"] - p["thickness"]
    half_y = 0.5 * p["depth"] - 0.02
    sides = []
    for s, name in ((-1.0, "left_width"), (1.0, "right_width")):
        half = 0.5 * np.minimum(p[name], 0.4 * p["width"])
        sides.append(_block(s * (0.5 * p["width"] - 0.01 - half), 0.0, 0.0, below, half, half_y))
    panel = _block(0.0, half_y - 0.01, below * (1.0 - p["panel_height"]), below, 0.5 * p["width"] - 0.02, 0.01)
    return [top, *sides, np.where((p["panel_height"] > 0.1)[:, None], panel, top)]


def _box(p: Values) -> list[Rows]:
    return [_block(0.0, 0.0, 0.0, p["height"], 0.5 * p["width"], 0.5 * p["depth"])]
