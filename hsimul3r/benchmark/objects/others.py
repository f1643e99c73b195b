"""Stools, and what people climb, push and open."""

import numpy as np

from hsimul3r.benchmark.objects.pieces import (
    Furniture,
    Piece,
    arc,
    block,
    board,
    both_sides,
    disc,
    hull_piece,
    level_ring,
    ribbon,
    round_bar,
    surface,
    tube,
    turned,
    weighing,
    wooden_bar,
)


def step_stool() -> Furniture:
    """A low stool with rounded top, four splayed tapered legs and stretchers. Top at 0.31 m."""
    top, reach_x, reach_y, splay = 0.31, 0.155, 0.105, 0.035
    pieces = [
        block("top", "wood", (0.42, 0.32, 0.034), at=(0, 0, top - 0.017), bevel=0.012),
        block("panel", "wood", (0.33, 0.23, 0.05), at=(0, 0, top - 0.055), bevel=0.006),
    ]
    corner = {}
    for x in (-1, 1):
        for y in (-1, 1):
            foot = np.array([x * (reach_x + splay), y * (reach_y + splay), 0.0])
            head = np.array([x * reach_x, y * reach_y, top - 0.025])
            corner[x, y] = foot + (head - foot) * 0.36
            pieces.append(wooden_bar(f"leg_{x:+d}_{y:+d}", foot, head, ((0.028, 0.028), (0.044, 0.044))))
    rise = np.array([0.0, 0.0, 0.04])
    rails = {f"y{y:+d}": (corner[-1, y], corner[1, y]) for y in (-1, 1)}
    rails |= {f"x{x:+d}": (corner[x, -1] + rise, corner[x, 1] + rise) for x in (-1, 1)}
    pieces += [hull_piece(f"stretcher_{name}", "wood", round_bar(*ends, 0.011)) for name, ends in rails.items()]
    return Furniture(
        name="step_stool",
        category="stool",
        pieces=tuple(pieces),
        support_height_m=top,
        density_kg_m3=600.0,
        surfaces=(surface("top", "top", at=(0, 0, top), size=(0.39, 0.29)),),
    )


def milk_stool() -> Furniture:
    """A three-legged stool: round seat, turned and splayed legs, rungs between them at three heights."""
    top = 0.45
    pieces = [disc("seat", "wood", (0.35, 0.35), top=(0, 0, top), thickness=0.038, bevel=0.011)]
    angles = np.radians((90, 210, 330))
    feet = [np.array([0.215 * np.cos(a), 0.215 * np.sin(a), 0]) for a in angles]
    heads = [np.array([0.095 * np.cos(a), 0.095 * np.sin(a), top - 0.02]) for a in angles]
    profile = ((0, 0.011), (0.2, 0.014), (0.45, 0.021), (0.7, 0.014), (0.76, 0.019), (1, 0.014))
    for i in range(3):
        pieces += turned(f"leg_{i}", "wood", feet[i], heads[i], profile)
        other, place = (i + 1) % 3, 0.32 + 0.06 * i
        start, end = (feet[k] + place * (heads[k] - feet[k]) for k in (i, other))
        pieces.append(hull_piece(f"rung_{i}", "wood", round_bar(start, end, 0.009)))
    surfaces = tuple(surface(kind, kind, at=(0, 0, top), size=(0.25, 0.25)) for kind in ("seat", "top"))
    return weighing(3.1, name="milk_stool", category="stool", pieces=pieces, surfaces=surfaces, support_height_m=top)


def bar_stool() -> Furniture:
    """A kitchen stool of steel tube with a wooden seat, a low curved back and a ring for the feet."""
    top = 0.66
    pieces = [disc("seat", "wood", (0.37, 0.37), top=(0, 0, top), thickness=0.028, bevel=0.008)]
    side = []
    for name, y in (("front", -1), ("back", 1)):
        side += turned(f"leg_{name}", "metal", (0.195, 0.195 * y, 0), (0.115, 0.115 * y, top - 0.02), ((0, 0.012), (1, 0.012)))
    side += tube(
        "post",
        "metal",
        [(0.13, 0.10, top - 0.015), (0.145, 0.145, top - 0.012), (0.155, 0.185, top + 0.06), (0.16, 0.205, top + 0.20)],
        0.009,
    )
    pieces += both_sides(side)
    pieces += tube("ring", "metal", arc((0, 0, 0.235), (0.238, 0, 0), (0, 0.238, 0), 0, 360, 25), 0.009)
    pieces.append(disc("plate", "metal", (0.32, 0.32), top=(0, 0, top - 0.022), thickness=0.012, bevel=0.003))
    x = np.linspace(-0.175, 0.175, 7)
    bow = np.column_stack([x, 0.255 - 0.075 * (x / 0.175) ** 2, np.full(7, top + 0.17)])
    pieces += ribbon("back", "wood", bow, across=(0, 0.012, 0.10), thickness=0.018, bevel=0.004)
    surfaces = (
        surface("seat", "seat", at=(0, 0, top), size=(0.27, 0.27)),
        surface("back", "back", at=(0, 0.2434, top + 0.17), size=(0.16, 0.08), pitch_deg=83),
        surface("rail", "rail", at=(0, 0.258, top + 0.22), size=(0.16, 0.014)),
        surface("ring", "rung", at=(0, -0.236, 0.244), size=(0.07, 0.012)),
    )
    return weighing(6.2, name="bar_stool", category="stool", pieces=pieces, surfaces=surfaces, support_height_m=top)


def ottoman() -> Furniture:
    """A round upholstered drum with a crowned top, a piped seam and four turned feet."""
    top = 0.41
    rings = ((0.09, 0.47), (0.115, 0.51), (0.29, 0.53), (0.30, 0.53))
    crown = ((0.305, 0.545), (0.325, 0.55), (0.375, 0.54), (0.398, 0.46), (0.406, 0.34), (top, 0.16))
    pieces = [
        hull_piece("drum", "fabric", np.concatenate([level_ring((0, 0, z), (w, w), 28) for z, w in rings])),
        hull_piece(
            "cushion", "fabric", np.concatenate([level_ring((0, 0, z), (w, w), 28) for z, w in ((0.298, 0.53), *crown)])
        ),
    ]
    for name, y in (("front", -0.15), ("back", 0.15)):
        pieces += both_sides(
            turned(f"foot_{name}", "wood", (0.16, 1.1 * y, 0), (0.145, y, 0.105), ((0, 0.014), (0.7, 0.026), (1, 0.022)))
        )
    surfaces = tuple(surface(kind, kind, at=(0, 0, top), size=(0.30, 0.30)) for kind in ("seat", "top"))
    return weighing(8.5, name="ottoman", category="stool", pieces=pieces, surfaces=surfaces, support_height_m=top)


def step_ladder() -> Furniture:
    """A folding ladder of aluminium: two treads, a platform, a hoop to hold; one climbs from its front (-Y)."""
    slope, heights = 0.42, (0.235, 0.47, 0.70)
    front_y = [-0.30 + slope * z for z in heights]
    side = [
        *ribbon("rail", "metal", [(0.222, -0.2925, 0.018), (0.192, 0.005, 0.727)], across=(0.022, 0, 0), thickness=0.05),
        *ribbon("leg", "metal", [(0.215, 0.3735, 0.018), (0.178, 0.13, 0.685)], across=(0.020, 0, 0), thickness=0.034),
        board("foot_front", "plastic", (0.034, 0.066, 0.032), at=(0.222, -0.298, 0.016)),
        board("foot_back", "plastic", (0.032, 0.052, 0.032), at=(0.215, 0.378, 0.016)),
        hull_piece("brace", "metal", round_bar((0.206, -0.13, 0.40), (0.202, 0.24, 0.385), 0.005, sides=6)),
    ]
    pieces = both_sides(side)
    for i, (y, z) in enumerate(zip(front_y[:2], heights[:2])):
        pieces.append(board(f"tread_{i}", "plastic", (0.41 - 0.02 * i, 0.095, 0.026), at=(0, y + 0.012, z - 0.013)))
    pieces.append(board("platform", "plastic", (0.40, 0.27, 0.030), at=(0, 0.10, heights[2] - 0.015)))
    pieces.append(hull_piece("rung_back", "metal", round_bar((-0.204, 0.29, 0.25), (0.204, 0.29, 0.25), 0.010)))
    side = [(0.185, 0.0, 0.70), (0.185, 0.0, 0.95), *arc((0.115, 0, 1.12), (0.07, 0, 0), (0, 0, 0.07), 0, 90, 5)]
    path = np.concatenate([side, np.multiply(side, (-1, 1, 1))[::-1]])
    path[:, 1] = 0.18 * (path[:, 2] - 0.70)
    pieces += tube("hoop", "metal", path, 0.0125)
    surfaces = (
        *(
            surface(f"tread_{i}", "rung", at=(0, y + 0.012, z), size=(0.36, 0.08))
            for i, (y, z) in enumerate(zip(front_y[:2], heights[:2]))
        ),
        surface("platform", "top", at=(0, 0.11, heights[2]), size=(0.32, 0.20)),
        surface("hoop", "rung", at=(0, 0.0882, 1.2025), size=(0.24, 0.02)),
    )
    return weighing(6.0, name="step_ladder", category="box", pieces=pieces, surfaces=surfaces, support_height_m=heights[0])


def double_ladder() -> Furniture:
    """An A-shaped ladder as high as a person, five flat rungs; one climbs from its front (-Y)."""
    peak, slope = 1.66, 0.27
    rungs = [(-0.495 + slope * z, z) for z in (0.28, 0.56, 0.84, 1.12, 1.40)]
    side = [
        *ribbon("rail", "metal", [(0.26, -0.49, 0.018), (0.24, -0.047, peak)], across=(0.024, 0, 0), thickness=0.055),
        *ribbon("leg", "metal", [(0.235, 0.49, 0.018), (0.215, 0.047, peak)], across=(0.022, 0, 0), thickness=0.04),
        board("foot_front", "plastic", (0.04, 0.075, 0.034), at=(0.26, -0.494, 0.017)),
        board("foot_back", "plastic", (0.038, 0.06, 0.034), at=(0.235, 0.494, 0.017)),
        hull_piece("brace", "metal", round_bar((0.245, -0.275, 0.80), (0.225, 0.275, 0.80), 0.006, sides=6)),
    ]
    pieces = both_sides(side)
    for i, (y, z) in enumerate(rungs):
        pieces.append(board(f"rung_{i}", "metal", (0.51 - 0.024 * z, 0.075, 0.024), at=(0, y, z - 0.012)))
    for i, z in enumerate((0.30, 0.84, 1.38)):
        y, half = 0.4955 - slope * z, 0.235 - 0.012 * z
        pieces.append(hull_piece(f"bar_{i}", "metal", round_bar((-half, y, z), (half, y, z), 0.011)))
    pieces.append(board("cap", "plastic", (0.54, 0.19, 0.045), at=(0, 0, peak + 0.01), bevel=0.012))
    surfaces = tuple(surface(f"rung_{i}", "rung", at=(0, y, z), size=(0.32, 0.06)) for i, (y, z) in enumerate(rungs))
    return weighing(9.5, name="double_ladder", category="box", pieces=pieces, surfaces=surfaces, support_height_m=rungs[0][1])


def push_cart() -> Furniture:
    """A two-deck trolley of bent tube on four castors; one stands behind it (+Y) and pushes it forwards."""
    low, high = 0.24, 0.72
    r, x, front, back = 0.0135, 0.235, -0.38, 0.36
    frame = [
        (x, front, 0.115),
        (x, front, 0.74),
        *arc((x, front + 0.06, 0.76), (0, -0.06, 0), (0, 0, 0.06), 0, 90, 4),
        (x, 0.20, 0.82),
        (x, 0.36, 0.86),
        (x, 0.46, 0.93),
    ]
    side = tube("frame", "metal", frame, r)
    side += tube("leg_back", "metal", [(x, back, 0.115), (x, back, 0.865)], r)
    for name, y in (("front", front), ("back", back)):
        side += _castor(name, x, y, 0.055)
    for name, z in (("low", low), ("high", high)):
        side.append(hull_piece(f"rail_{name}", "metal", round_bar((x, front, z + 0.055), (x, back, z + 0.055), 0.006, sides=8)))
    pieces = both_sides(side)
    for name, z in (("low", low), ("high", high)):
        pieces.append(block(f"deck_{name}", "wood", (0.475, 0.745, 0.022), at=(0, (front + back) / 2, z - 0.011), bevel=0.005))
        for end, y in (("front", front), ("back", back)):
            pieces.append(
                hull_piece(f"rail_{name}_{end}", "metal", round_bar((-x, y, z + 0.055), (x, y, z + 0.055), 0.006, sides=8))
            )
    pieces.append(hull_piece("handle", "metal", round_bar((-x - 0.006, 0.458, 0.9285), (x + 0.006, 0.458, 0.9285), 0.0135)))
    pieces.append(hull_piece("grip", "plastic", round_bar((-0.20, 0.458, 0.9285), (0.20, 0.458, 0.9285), 0.0165, sides=12)))
    middle = (front + back) / 2
    surfaces = (
        surface("handle", "handle", at=(0, 0.458, 0.945), size=(0.38, 0.025)),
        surface("top", "top", at=(0, middle, high), size=(0.42, 0.66)),
        surface("deck", "top", at=(0, middle, low), size=(0.42, 0.66)),
    )
    return weighing(15.0, name="push_cart", category="box", pieces=pieces, surfaces=surfaces, support_height_m=high)


def _castor(name: str, x: float, y: float, radius: float) -> list[Piece]:
    """A rubber wheel that rolls along Y in a steel fork under (x, y)."""
    fork = [(x, y + 0.004, 0.13), (x, y + 0.012, radius - 0.01)]
    axle = (x - 0.0155, y + 0.012, radius), (x + 0.0155, y + 0.012, radius)
    pieces = [hull_piece(f"wheel_{name}", "plastic", round_bar(axle[0], axle[1], radius, sides=20))]
    for i, shift in enumerate((-0.017, 0.017)):
        pieces += ribbon(
            f"fork_{name}_{i}", "metal", np.add(fork, (shift, 0, 0)), across=(0.005, 0, 0), thickness=(0.034, 0.02)
        )
    return [*pieces, disc(f"pivot_{name}", "metal", (0.046, 0.046), top=(x, y, 0.134), thickness=0.02, bevel=0.003, sides=12)]


def cabinet() -> Furniture:
    """A sideboard: doors on both sides, an open middle with a shelf, turned legs, a top that overhangs; its doors face -Y."""
    top, low = 0.84, 0.17
    height = top - 0.024 - low
    middle = low + height / 2
    pieces = [
        block("top", "wood", (1.20, 0.44, 0.026), at=(0, 0, top - 0.013), bevel=0.006),
        board("floor", "wood", (0.46, 0.385, 0.020), at=(0, 0.01, low + 0.010)),
        board("shelf", "wood", (0.46, 0.36, 0.018), at=(0, 0.015, middle)),
        board("back", "wood", (0.46, 0.014, height), at=(0, 0.195, middle)),
    ]
    side = [
        board("case", "wood", (0.36, 0.40, height + 0.004), at=(0.40, 0.01, middle)),
        board("door", "wood", (0.335, 0.022, height - 0.03), at=(0.40, -0.198, middle)),
        board("panel", "wood", (0.235, 0.010, height - 0.13), at=(0.40, -0.211, middle), bevel=0.003),
        hull_piece(
            "knob", "metal", round_bar((0.255, -0.20, middle + 0.04), (0.255, -0.234, middle + 0.04), 0.009, end_radius=0.016)
        ),
        *turned("leg_front", "wood", (0.535, -0.165, 0), (0.515, -0.145, low + 0.01), ((0, 0.012), (1, 0.024))),
        *turned("leg_back", "wood", (0.535, 0.185, 0), (0.515, 0.165, low + 0.01), ((0, 0.012), (1, 0.024))),
    ]
    pieces += both_sides(side)
    surfaces = (
        surface("top", "top", at=(0, 0, top), size=(1.16, 0.40)),
        *(
            surface(f"handle_{name}", "handle", at=(x, -0.234, middle + 0.04), size=(0.03, 0.03), pitch_deg=90)
            for name, x in (("left", -0.255), ("right", 0.255))
        ),
    )
    return weighing(41.0, name="cabinet", category="box", pieces=pieces, surfaces=surfaces, support_height_m=top)
