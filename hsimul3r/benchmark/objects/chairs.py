"""Chairs."""

import numpy as np

from hsimul3r.benchmark.objects.pieces import (
    Furniture,
    Piece,
    Points,
    arc,
    block,
    board,
    both_sides,
    curved_rail,
    cushion,
    disc,
    hull_piece,
    level_ring,
    moved,
    pillow,
    ribbon,
    round_bar,
    shell,
    surface,
    tapered_bar,
    tube,
    turned,
    weighing,
    wooden_bar,
)

TURNED_LEG = ((0.0, 0.011), (0.16, 0.013), (0.42, 0.020), (0.66, 0.014), (0.72, 0.018), (1.0, 0.013))
"""Profile of a turned leg from the floor up: `turned`."""


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


def windsor_chair() -> Furniture:
    """A wooden Windsor chair: saddle seat, hooped back of seven spindles, turned and splayed legs, H stretcher."""
    top, lean = 0.45, 0.27
    pieces = [disc("seat", "wood", (0.44, 0.42), top=(0, 0, top), thickness=0.042, bevel=0.014)]
    legs = {"front": ((0.20, -0.19, 0), (0.14, -0.12, top - 0.02)), "back": ((0.18, 0.23, 0), (0.12, 0.12, top - 0.02))}
    side = [piece for name, ends in legs.items() for piece in turned(f"leg_{name}", "wood", *ends, TURNED_LEG)]
    knots = {name: np.add(np.multiply(low, 0.58), np.multiply(high, 0.42)) for name, (low, high) in legs.items()}
    side.append(hull_piece("stretcher", "wood", round_bar(knots["front"], knots["back"], 0.010)))
    pieces += both_sides(side)
    middle = (knots["front"] + knots["back"]) / 2
    pieces.append(hull_piece("stretcher", "wood", round_bar(middle * (-1, 1, 1), middle, 0.010)))
    hoop = np.concatenate([[(0.172, 0, top - 0.02)], arc((0, 0, 0.70), (0.192, 0, 0), (0, 0, 0.25), 0, 180, 15)])
    hoop = np.concatenate([hoop, [(-0.172, 0, top - 0.02)]])
    hoop[:, 1] = 0.09 + lean * (hoop[:, 2] - top)
    pieces += tube("hoop", "wood", hoop, 0.011)
    for i, x in enumerate(np.linspace(-0.12, 0.12, 7)):
        high = 0.70 + 0.25 * np.sqrt(1 - (1.2 * x / 0.192) ** 2)
        foot = (x, 0.09 + 0.075 * np.sqrt(1 - (x / 0.172) ** 2), top - 0.02)
        pieces.append(hull_piece(f"spindle_{i}", "wood", round_bar(foot, (1.2 * x, 0.09 + lean * (high - top), high), 0.0065)))
    surfaces = (
        surface("seat", "seat", at=(0, -0.01, top), size=(0.34, 0.32)),
        surface("back", "back", at=(0, 0.188, 0.70), size=(0.28, 0.34), pitch_deg=82),
        surface("rail", "rail", at=(0, 0.228, 0.96), size=(0.06, 0.018)),
    )
    return weighing(5.6, name="windsor_chair", category="chair", pieces=pieces, surfaces=surfaces, support_height_m=top)


def ladder_back_chair() -> Furniture:
    """A tall country chair: round posts, four bowed slats, a woven seat that narrows to the back, seven rungs."""
    top = 0.455
    posts = {
        "front": [(0.225, -0.19, 0), (0.225, -0.19, top + 0.012)],
        "back": [(0.185, 0.20, 0), (0.185, 0.20, 0.06), (0.18, 0.185, top), (0.185, 0.215, 0.75), (0.19, 0.265, 1.08)],
    }
    side = turned(
        "post_front", "wood", posts["front"][0], posts["front"][1], ((0, 0.013), (0.12, 0.018), (0.97, 0.018), (1, 0.012))
    )
    side += tube("post_back", "wood", posts["back"], 0.0165)
    side.append(
        hull_piece(
            "finial",
            "wood",
            np.concatenate(
                [level_ring((0.19, 0.266, z), (w, w), 8) for z, w in ((1.075, 0.025), (1.10, 0.036), (1.125, 0.012))]
            ),
        )
    )
    for i, z in enumerate((0.14, 0.27)):
        side.append(hull_piece(f"rung_{i}", "wood", round_bar((0.225, -0.19, z), (0.184, 0.197, z), 0.010)))
    pieces = both_sides(side)
    for i, z in enumerate((0.18, 0.31)):
        pieces.append(hull_piece(f"rung_front_{i}", "wood", round_bar((-0.225, -0.19, z), (0.225, -0.19, z), 0.010)))
    pieces.append(hull_piece("rung_back", "wood", round_bar((-0.183, 0.195, 0.2), (0.183, 0.195, 0.2), 0.010)))
    corners = np.array(
        [(x * w, y, top + z) for x in (-1, 1) for w, y in ((0.238, -0.20), (0.194, 0.195)) for z in (-0.034, -0.006)]
    )
    woven = [(x * w, y, top) for x in (-1, 1) for w, y in ((0.215, -0.18), (0.172, 0.17))]
    pieces.append(hull_piece("seat", "fabric", np.concatenate([corners, woven])))
    for i, (z, height) in enumerate(((0.57, 0.050), (0.70, 0.056), (0.83, 0.062), (0.965, 0.072))):
        y = float(np.interp(z, (0.455, 0.75, 1.08), (0.185, 0.215, 0.265)))
        pieces += _bowed_slat(f"slat_{i}", half=0.185, bow=0.024, y=y, z=z, height=height)
    surfaces = (
        surface("seat", "seat", at=(0, 0, top), size=(0.34, 0.34)),
        surface("back", "back", at=(0, 0.229, 0.765), size=(0.34, 0.40), pitch_deg=82),
        surface("rail", "rail", at=(0, 0.271, 1.001), size=(0.26, 0.012)),
    )
    return weighing(4.6, name="ladder_back_chair", category="chair", pieces=pieces, surfaces=surfaces, support_height_m=top)


def _bowed_slat(name: str, *, half: float, bow: float, y: float, z: float, height: float) -> list[Piece]:
    """A bent slat along X between two posts at `y`, bowed backwards."""
    x = np.linspace(-half, half, 6)
    path = np.column_stack([x, y + bow * (1 - (x / half) ** 2), np.full(6, z)])
    return ribbon(name, "wood", path, across=(0, 0.13 * height, height), thickness=0.010)


def bentwood_chair() -> Furniture:
    """A cafe chair of bent beech: round seat, legs and back in one hoop, a smaller hoop within, a ring."""
    top = 0.46
    pieces = [disc("seat", "wood", (0.40, 0.41), top=(0, 0, top), thickness=0.034, bevel=0.008)]
    pieces += both_sides(
        turned("leg_front", "wood", (0.155, -0.175, 0), (0.135, -0.135, top - 0.02), ((0, 0.010), (1, 0.0155)))
    )
    pieces += tube("hoop", "wood", _bent_hoop(), 0.0135)
    inner = arc((0, 0, 0.63), (0.105, 0, 0), (0, 0, 0.165), -8, 188, 12)
    inner = np.concatenate([[(0.085, 0, top - 0.015)], inner, [(-0.085, 0, top - 0.015)]])
    inner[:, 1] = 0.165 + 0.22 * (inner[:, 2] - top)
    pieces += tube("inner_hoop", "wood", inner, 0.0095)
    pieces += tube("ring", "wood", arc((0, 0.012, 0.30), (0.197, 0, 0), (0, 0.197, 0), 0, 360, 21), 0.0085)
    surfaces = (
        surface("seat", "seat", at=(0, 0, top), size=(0.30, 0.30)),
        surface("back", "back", at=(0, 0.222, 0.76), size=(0.24, 0.22), pitch_deg=78),
        surface("rail", "rail", at=(0, 0.257, 0.9035), size=(0.07, 0.02)),
    )
    return weighing(4.2, name="bentwood_chair", category="chair", pieces=pieces, surfaces=surfaces, support_height_m=top)


def _bent_hoop() -> Points:
    """From the floor up behind the seat, over the back and down again."""
    side = np.array(
        [
            (0.168, 0.215, 0),
            (0.168, 0.215, 0.05),
            (0.15, 0.175, 0.25),
            (0.138, 0.155, 0.44),
            (0.150, 0.178, 0.56),
            (0.165, 0.205, 0.67),
        ]
    )
    over = arc((0, 0, 0.70), (0.169, 0, 0), (0, 0, 0.19), 8, 172, 13)
    over[:, 1] = 0.165 + 0.22 * (over[:, 2] - 0.47)
    return np.concatenate([side, over, side[::-1] * (-1, 1, 1)])


def folding_chair() -> Furniture:
    """A slatted folding chair: crossing legs, seven seat slats, three slats in the back."""
    top = 0.45
    side = ribbon(
        "post",
        "wood",
        [(0.205, -0.2253, 0.016), (0.205, 0.10, 0.42), (0.205, 0.225, 0.86)],
        across=(0.020, 0, 0),
        thickness=(0.034, 0.036, 0.028),
    )
    side += ribbon("leg_back", "wood", [(0.182, 0.243, 0.016), (0.182, -0.165, 0.42)], across=(0.020, 0, 0), thickness=0.032)
    side.append(board("seat_rail", "wood", (0.022, 0.385, 0.034), at=(0.182, -0.015, top - 0.03)))
    side.append(hull_piece("pivot", "metal", round_bar((0.165, -0.012, 0.2695), (0.224, -0.012, 0.2695), 0.007)))
    side.append(hull_piece("pin", "metal", round_bar((0.165, 0.10, top - 0.03), (0.222, 0.10, top - 0.03), 0.007)))
    side += [
        hull_piece(
            "foot_front", "plastic", tapered_bar((0.205, -0.238, 0), (0.205, -0.215, 0.028), (0.024, 0.05), (0.024, 0.046))
        ),
        hull_piece(
            "foot_back", "plastic", tapered_bar((0.182, 0.259, 0), (0.182, 0.233, 0.026), (0.024, 0.05), (0.024, 0.046))
        ),
    ]
    pieces = both_sides(side)
    for i, y in enumerate(np.linspace(-0.185, 0.155, 7)):
        pieces.append(board(f"seat_{i}", "wood", (0.388, 0.046, 0.016), at=(0, y, top - 0.008)))
    for i, (y, z) in enumerate(((0.175, 0.68), (0.196, 0.755), (0.217, 0.83))):
        pieces.append(board(f"slat_{i}", "wood", (0.40, 0.014, 0.058), at=(0, y, z), tilt_deg=-15.9))
    for name, start in (("front", (0.205, -0.158, 0.10)), ("back", (0.182, 0.153, 0.108))):
        pieces.append(hull_piece(f"rung_{name}", "wood", round_bar(np.multiply(start, (-1, 1, 1)), start, 0.010)))
    surfaces = (
        surface("seat", "seat", at=(0, -0.015, top), size=(0.36, 0.34)),
        surface("back", "back", at=(0, 0.1893, 0.757), size=(0.36, 0.19), pitch_deg=74),
        surface("rail", "rail", at=(0, 0.225, 0.858), size=(0.36, 0.012)),
    )
    return weighing(4.4, name="folding_chair", category="chair", pieces=pieces, surfaces=surfaces, support_height_m=top)


def parsons_chair() -> Furniture:
    """A dining chair all in cloth: thick crowned seat, tall back that rolls backwards, short square legs."""
    top = 0.475
    pieces = [
        pillow("seat", "fabric", (0.49, 0.50, 0.125), at=(0, -0.01, top - 0.0705), bevel=0.03, crown=0.008),
        block("skirt", "fabric", (0.475, 0.49, 0.06), at=(0, -0.005, 0.325), bevel=0.012),
    ]
    path = [(0, 0.205, 0.31), (0, 0.215, 0.55), (0, 0.242, 0.80), (0, 0.275, 0.97), (0, 0.312, 1.03)]
    pieces += ribbon("back", "fabric", path, across=(0.46, 0, 0), thickness=(0.085, 0.085, 0.075, 0.062, 0.05), bevel=0.018)
    pieces.append(hull_piece("scroll", "fabric", round_bar((-0.23, 0.308, 1.026), (0.23, 0.308, 1.026), 0.032, sides=14)))
    legs = [
        wooden_bar("leg_front", (0.205, -0.225, 0), (0.205, -0.22, 0.31), ((0.03, 0.03), (0.045, 0.045))),
        wooden_bar("leg_back", (0.205, 0.265, 0), (0.205, 0.21, 0.31), ((0.03, 0.034), (0.045, 0.05))),
    ]
    pieces += both_sides(legs)
    surfaces = (
        surface("seat", "seat", at=(0, -0.04, top), size=(0.42, 0.38)),
        surface("back", "back", at=(0, 0.1895, 0.70), size=(0.40, 0.34), pitch_deg=84),
        surface("rail", "rail", at=(0, 0.308, 1.058), size=(0.42, 0.02)),
    )
    return weighing(8.5, name="parsons_chair", category="chair", pieces=pieces, surfaces=surfaces, support_height_m=top)


def cantilever_chair() -> Furniture:
    """A chair without back legs: one bent steel tube a side, leather seat and back slung between them."""
    top, r = 0.465, 0.0125
    corner = ((0, -0.06, 0), (0, 0, 0.06))
    path = np.concatenate(
        [
            [(0.225, 0.255, r)],
            arc((0.225, -0.19, r + 0.06), corner[0], (0, 0, -0.06), 90, 0, 5),
            arc((0.225, -0.19, top - 0.073), corner[0], corner[1], 0, 90, 4),
            [(0.225, 0.0, top - 0.013)],
            arc((0.225, 0.135, top + 0.042), (0, 0.055, 0), (0, 0, -0.055), 90, 12, 4),
            [(0.225, 0.222, 0.68), (0.225, 0.255, 0.83)],
        ]
    )
    pieces = both_sides(tube("frame", "metal", path, r))
    for name, (y, z) in {"floor": (0.245, r), "front": (-0.15, top - 0.03), "seat": (0.08, top - 0.03)}.items():
        pieces.append(hull_piece(f"bar_{name}", "metal", round_bar((-0.225, y, z), (0.225, y, z), 0.0105, sides=8)))
    pieces.append(pillow("seat", "leather", (0.438, 0.37, 0.036), at=(0, -0.035, top - 0.02), bevel=0.014, crown=0.002))
    pieces.append(pillow("back", "leather", (0.438, 0.26, 0.032), at=(0, 0.225, 0.70), bevel=0.013, crown=0.003, tilt_deg=78))
    surfaces = (
        surface("seat", "seat", at=(0, -0.035, top), size=(0.38, 0.33)),
        surface("back", "back", at=(0, 0.2064, 0.704), size=(0.38, 0.21), pitch_deg=78),
        surface("rail", "rail", at=(0, 0.252, 0.829), size=(0.38, 0.012)),
    )
    return weighing(7.8, name="cantilever_chair", category="chair", pieces=pieces, surfaces=surfaces, support_height_m=top)


def shell_chair() -> Furniture:
    """A moulded plastic shell, seat and back in one, on a base of crossing wire rods."""
    top = 0.445
    profile = (
        (-0.242, 0.420),
        (-0.222, 0.433),
        (-0.17, 0.444),
        (-0.05, top),
        (0.08, top),
        (0.155, 0.458),
        (0.20, 0.51),
        (0.222, 0.60),
        (0.245, 0.72),
        (0.262, 0.795),
        (0.268, 0.825),
    )
    half = (0.14, 0.19, 0.215, 0.225, 0.225, 0.22, 0.215, 0.21, 0.20, 0.178, 0.125)
    lift = (0.0, 0.003, 0.010, 0.022, 0.03, 0.035, 0.035, 0.03, 0.022, 0.014, 0.004)
    turn = np.radians((0, 0, 0, 0, 0, 25, 60, 78, 80, 80, 80))
    across = np.array([-1, -0.75, -0.3, 0.3, 0.75, 1])
    grid = np.array(
        [
            [(w * h, y - rise * np.sin(a) * abs(w) ** 3, z + rise * np.cos(a) * abs(w) ** 3) for w in across]
            for (y, z), h, rise, a in zip(profile, half, lift, turn)
        ]
    )
    pieces = shell("shell", "plastic", grid, 0.009)
    rods = []
    feet, heads = {"front": (0.215, -0.20), "back": (0.205, 0.225)}, {"front": (0.10, -0.11), "back": (0.10, 0.09)}
    for name in feet:
        rods += turned(
            f"leg_{name}", "metal", (*feet[name], 0), (*heads[name], top - 0.012), ((0, 0.0075), (1, 0.0075)), sides=8
        )
    low = {name: np.array((*feet[name], 0)) * 0.72 + np.array((*heads[name], top)) * 0.28 for name in feet}
    high = {name: np.array((*feet[name], 0)) * 0.12 + np.array((*heads[name], top)) * 0.88 for name in feet}
    rods.append(hull_piece("brace", "metal", round_bar(low["front"], high["back"], 0.004, sides=6)))
    rods.append(hull_piece("brace_cross", "metal", round_bar(low["back"], high["front"], 0.004, sides=6)))
    pieces += both_sides(rods)
    for name in feet:
        mirror = high[name] * (-1, 1, 1)
        pieces.append(hull_piece(f"brace_{name}", "metal", round_bar(low[name], mirror, 0.004, sides=6)))
        pieces.append(hull_piece(f"brace_{name}_cross", "metal", round_bar(low[name] * (-1, 1, 1), high[name], 0.004, sides=6)))
    pieces.append(board("mount", "metal", (0.24, 0.25, 0.014), at=(0, -0.01, top - 0.014)))
    surfaces = (
        surface("seat", "seat", at=(0, 0.01, top), size=(0.22, 0.16)),
        surface("back", "back", at=(0, 0.2335, 0.66), size=(0.24, 0.20), pitch_deg=79),
        surface("rail", "rail", at=(0, 0.272, 0.825), size=(0.16, 0.008)),
    )
    return weighing(4.9, name="shell_chair", category="chair", pieces=pieces, surfaces=surfaces, support_height_m=top)


def swivel_chair() -> Furniture:
    """A task chair: star base on five twin casters, gas column, padded seat, curved back on a spine, T-shaped arms."""
    top = 0.47
    pieces = [
        *_star_base(0.30),
        *turned(
            "column", "plastic", (0, 0, 0.06), (0, 0, 0.385), ((0, 0.036), (0.2, 0.036), (0.24, 0.027), (1, 0.025)), sides=12
        ),
        board("mechanism", "metal", (0.20, 0.26, 0.05), at=(0, 0.01, 0.385), bevel=0.01),
        pillow("seat", "fabric", (0.49, 0.47, 0.07), at=(0, -0.02, top - 0.043), bevel=0.028, crown=0.008),
    ]
    spine = [(0, 0.10, 0.375), (0, 0.22, 0.37), (0, 0.262, 0.41), (0, 0.268, 0.55), (0, 0.30, 0.75)]
    pieces += ribbon("spine", "plastic", spine, across=(0.075, 0, 0), thickness=0.018)
    x = np.linspace(-0.225, 0.225, 8)
    bow = np.column_stack([x, 0.285 - 0.055 * (x / 0.225) ** 2, np.full(8, 0.80)])
    thick = 0.022 + 0.026 * (1 - (x / 0.225) ** 4)
    up = np.column_stack([0 * x, 0.095 + 0 * x, 0.54 - 0.10 * (x / 0.225) ** 4])
    pieces += ribbon("back", "fabric", bow, across=up, thickness=thick, bevel=0.008)
    arm = [
        *ribbon("bracket", "plastic", [(0.08, -0.01, 0.392), (0.265, -0.01, 0.392)], across=(0, 0.06, 0), thickness=0.016),
        *ribbon("post", "plastic", [(0.273, -0.01, 0.385), (0.285, 0.0, 0.665)], across=(0, 0.06, 0), thickness=0.024),
        block("pad", "plastic", (0.085, 0.27, 0.032), at=(0.282, -0.02, 0.672), bevel=0.013),
    ]
    pieces += both_sides(arm)
    surfaces = (
        surface("seat", "seat", at=(0, -0.03, top), size=(0.42, 0.38)),
        surface("back", "back", at=(0, 0.257, 0.78), size=(0.26, 0.38), pitch_deg=80),
        *(
            surface(f"arm_{name}", "arm", at=(x, -0.02, 0.688), size=(0.055, 0.24))
            for name, x in (("left", -0.282), ("right", 0.282))
        ),
    )
    return weighing(13.0, name="swivel_chair", category="chair", pieces=pieces, surfaces=surfaces, support_height_m=top)


def _star_base(reach: float) -> list[Piece]:
    """Five tapered spokes on twin casters around a hub."""
    pieces = [
        hull_piece(
            "hub", "plastic", np.concatenate([level_ring((0, 0, z), (w, w), 15) for z, w in ((0.06, 0.10), (0.12, 0.08))])
        )
    ]
    for i, angle in enumerate(np.radians(90 + 72 * np.arange(5))):
        out, side = np.array([np.cos(angle), np.sin(angle), 0]), np.array([-np.sin(angle), np.cos(angle), 0])
        places = ((0.02, 0.095), (reach * 0.6, 0.085), (reach + 0.015, 0.066))
        spoke = [r * out + z * np.array([0, 0, 1]) for r, z in places]
        pieces += ribbon(
            f"spoke_{i}",
            "plastic",
            spoke,
            across=[w * side for w in (0.064, 0.048, 0.036)],
            thickness=(0.045, 0.034, 0.018),
            bevel=0.006,
        )
        foot = reach * out
        stem = round_bar((*foot[:2], 0.024), (*foot[:2], 0.066), 0.010, sides=8)
        pieces.append(hull_piece(f"stem_{i}", "metal", stem))
        for j, shift in enumerate((-0.014, 0.014)):
            axle = np.array([0, 0, 0.0275]) + (reach + shift) * out
            wheel = round_bar(axle - 0.0105 * out, axle + 0.0105 * out, 0.0275, sides=16)
            pieces.append(hull_piece(f"wheel_{i}_{j}", "plastic", wheel))
    return pieces


def plywood_chair() -> Furniture:
    """Moulded plywood on steel: a dished seat and a curved back pad on a bent spine, two bows of rod as legs."""
    top = 0.44
    rows = [(-0.225, 0.416), (-0.185, 0.434), (-0.10, top), (0.08, top), (0.15, 0.446), (0.185, 0.462)]
    widths, edge = (0.17, 0.20, 0.215, 0.21, 0.19, 0.165), (0.0, 0.006, 0.012, 0.016, 0.02, 0.022)
    across = np.array([-1, -0.72, -0.3, 0.3, 0.72, 1])
    grid = np.array([[(w * half, y, z + rise * abs(w) ** 3) for w in across] for (y, z), half, rise in zip(rows, widths, edge)])
    pieces = shell("seat", "wood", grid, 0.011)
    x = np.linspace(-0.20, 0.20, 7)
    path = np.column_stack([x, 0.245 - 0.055 * (x / 0.2) ** 2, np.full(7, 0.735)])
    up = np.column_stack([0 * x, 0.05 + 0 * x, 0.235 - 0.07 * (x / 0.2) ** 4])
    pieces += ribbon("back", "wood", path, across=up, thickness=0.011)
    spine = [(0, -0.12, 0.424), (0, 0.12, 0.424), (0, 0.20, 0.437), (0, 0.245, 0.50), (0, 0.262, 0.60), (0, 0.278, 0.80)]
    pieces += ribbon("spine", "metal", spine, across=(0.032, 0, 0), thickness=0.012)
    pieces.append(hull_piece("knob", "plastic", round_bar((0, 0.246, 0.742), (0, 0.272, 0.737), 0.026, sides=12)))
    for name, (y, foot_y, foot_x) in {"front": (-0.11, -0.19, 0.205), "back": (0.10, 0.20, 0.20)}.items():
        leg = [(foot_x, foot_y, 0.010), (0.165, y, 0.38), (0.145, y, 0.405), (0.12, y, 0.4125)]
        bow = [*leg, *(np.multiply(leg, (-1, 1, 1))[::-1])]
        pieces += tube(f"legs_{name}", "metal", bow, 0.0085)
        pieces += both_sides(
            [
                hull_piece(
                    f"foot_{name}",
                    "plastic",
                    tapered_bar((foot_x, foot_y, 0), (foot_x, foot_y, 0.016), (0.026, 0.026), (0.020, 0.020), sides=10),
                )
            ]
        )
    surfaces = (
        surface("seat", "seat", at=(0, -0.01, top), size=(0.24, 0.18)),
        surface("back", "back", at=(0, 0.2393, 0.7363), size=(0.20, 0.18), pitch_deg=78),
        surface("rail", "rail", at=(0, 0.27, 0.852), size=(0.18, 0.008)),
    )
    return weighing(5.4, name="plywood_chair", category="chair", pieces=pieces, surfaces=surfaces, support_height_m=top)
