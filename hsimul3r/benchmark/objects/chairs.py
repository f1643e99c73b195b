"""Chairs."""

import numpy as np

from hsimul3r.benchmark.objects.pieces import (
    Furniture,
    Piece,
    block,
    curved_rail,
    cushion,
    hull_piece,
    moved,
    surface,
    wooden_bar,
)


def dining_chair() -> Furniture:
    """A wooden chair: upholstered seat, aprons, tapered legs, raked posts, four slats and a curved top rail. Seat at 0.46 m."""
    seat_top, half_w, front, back = 0.46, 0.205, -0.215, 0.205
    pad = moved(cushion((0.425, 0.42, 0.036), 0.014, crown=0.004), at=(0, -0.01, seat_top - 0.022))
    pieces = [
        block("seat_frame", "wood", (0.45, 0.45, 0.03), at=(0, 0, seat_top - 0.035), bevel=0.008),
        hull_piece("seat", "fabric", pad),
    ]
    for side, x in (("left", -half_w), ("right", half_w)):
        pieces += _chair_side(side, x, (front, back), seat_top)
    for name, y in (("apron_front", front + 0.025), ("apron_back", back)):
        pieces.append(block(name, "wood", (0.40, 0.02, 0.055), at=(0, y, seat_top - 0.07)))
    pieces += curved_rail("rail_top", "wood", span=0.424, bow=0.028, at=(0, back + 0.066, 0.865), section=(0.022, 0.075))
    pieces += curved_rail("rail_low", "wood", span=0.41, bow=0.022, at=(0, back + 0.015, 0.555), section=(0.018, 0.035))
    for i, x in enumerate((-0.125, -0.042, 0.042, 0.125)):
        bow = 0.026 * (1 - (2 * x / 0.42) ** 2)
        low, high = (x, back + 0.014 + bow, 0.55), (x * 1.02, back + 0.062 + bow, 0.85)
        pieces.append(wooden_bar(f"slat_{i}", low, high, ((0.034, 0.013), (0.042, 0.013))))
    surfaces = (
        surface("seat", "seat", at=(0, -0.01, seat_top), size=(0.40, 0.40)),
        surface("back", "back", at=(0, back + 0.056, 0.70), size=(0.36, 0.28), pitch_deg=81),
        surface("rail", "rail", at=(0, back + 0.099, 0.9025), size=(0.38, 0.022)),
    )
    return Furniture(
        name="dining_chair",
        category="chair",
        pieces=tuple(pieces),
        support_height_m=seat_top,
        density_kg_m3=560.0,
        surfaces=surfaces,
    )


def _chair_side(side: str, x: float, ends: tuple[float, float], seat_top: float) -> list[Piece]:
    """Legs, raked post and apron of one side of the dining chair."""
    (front, back), foot = ends, x + np.sign(x) * 0.012
    low, high = (x, back + 0.03, 0.66), (x, back + 0.075, 0.90)
    legs = (0.026, 0.026), (0.040, 0.040)
    return [
        wooden_bar(f"leg_front_{side}", (foot, front + 0.02, 0), (x, front + 0.025, seat_top - 0.04), legs),
        wooden_bar(f"leg_back_{side}", (foot, back + 0.05, 0), (x, back, seat_top - 0.03), ((0.026, 0.03), (0.036, 0.042))),
        wooden_bar(f"post_low_{side}", (x, back, seat_top - 0.05), low, ((0.036, 0.042), (0.032, 0.032))),
        wooden_bar(f"post_high_{side}", (x, back + 0.03, 0.655), high, ((0.032, 0.032), (0.028, 0.024))),
        block(f"apron_{side}", "wood", (0.02, 0.40, 0.055), at=(x, -0.005, seat_top - 0.07)),
    ]
