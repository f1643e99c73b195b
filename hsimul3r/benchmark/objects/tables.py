"""Tables and desks."""

import numpy as np

from hsimul3r.benchmark.objects.pieces import (
    Furniture,
    Piece,
    block,
    board,
    both_sides,
    disc,
    hull_piece,
    level_ring,
    ribbon,
    round_bar,
    surface,
    tapered_bar,
    turned,
    weighing,
    wooden_bar,
)

ROUND_LEG = ((0.0, 0.013), (0.75, 0.026), (1.0, 0.022))


def dining_table() -> Furniture:
    """A table with chamfered top, aprons, tapered legs and an H stretcher. Top at 0.75 m."""
    top, half_x, half_y = 0.75, 0.60, 0.36
    pieces = [block("top", "wood", (1.34, 0.82, 0.032), at=(0, 0, top - 0.016), bevel=0.009)]
    for x in (-half_x, half_x):
        pieces.append(block(f"apron_x{x:+.1f}", "wood", (0.022, 2 * half_y, 0.09), at=(x, 0, top - 0.072)))
        pieces.append(block(f"stretcher_x{x:+.1f}", "wood", (0.024, 2 * half_y, 0.04), at=(x, 0, 0.20)))
        for y in (-half_y, half_y):
            sizes = (0.040, 0.040), (0.066, 0.066)
            pieces.append(wooden_bar(f"leg_{x:+.1f}_{y:+.1f}", (x, y, 0), (x, y, top - 0.028), sizes))
    apron = 2 * half_x, 0.022, 0.09
    pieces += [block(f"apron_y{y:+.1f}", "wood", apron, at=(0, y, top - 0.072)) for y in (-half_y, half_y)]
    pieces.append(block("stretcher", "wood", (2 * half_x, 0.024, 0.04), at=(0, 0, 0.20)))
    return Furniture(
        name="dining_table",
        category="table",
        pieces=tuple(pieces),
        support_height_m=top,
        density_kg_m3=620.0,
        surfaces=(surface("top", "top", at=(0, 0, top), size=(1.32, 0.80)),),
    )


def round_table() -> Furniture:
    """A round table on four splayed round legs that two crossing beams hold."""
    top = 0.74
    pieces = [disc("top", "wood", (1.10, 1.10), top=(0, 0, top), thickness=0.03, bevel=0.010, sides=40)]
    for i, angle in enumerate(np.radians((45, 135, 225, 315))):
        out = np.array([np.cos(angle), np.sin(angle), 0])
        pieces += turned(f"leg_{i}", "wood", 0.50 * out, (*(0.36 * out)[:2], top - 0.02), ROUND_LEG, sides=12)
    for i, yaw in enumerate((45, 135)):
        pieces.append(board(f"beam_{i}", "wood", (0.76, 0.034, 0.062), at=(0, 0, top - 0.055), yaw_deg=yaw, bevel=0.006))
    surfaces = (surface("top", "top", at=(0, 0, top), size=(0.74, 0.74)),)
    return weighing(21.0, name="round_table", category="table", pieces=pieces, surfaces=surfaces, support_height_m=top)


def oval_table() -> Furniture:
    """An oval table on two steel crosses under a wooden spine."""
    top = 0.745
    pieces = [
        disc("top", "wood", (1.75, 0.98), top=(0, 0, top), thickness=0.028, bevel=0.009, sides=48),
        board("spine", "wood", (1.10, 0.10, 0.028), at=(0, 0, top - 0.040)),
        board("spine_low", "metal", (1.06, 0.03, 0.03), at=(0, -0.012, 0.357)),
    ]
    cross = [
        hull_piece("leg", "metal", tapered_bar((0.52, -0.345, 0), (0.52, 0.30, top - 0.02), (0.05, 0.055), (0.05, 0.055))),
        hull_piece(
            "leg_cross", "metal", tapered_bar((0.52, 0.345, 0), (0.52, -0.30, top - 0.02), (0.05, 0.055), (0.05, 0.055))
        ),
        board("plate", "metal", (0.08, 0.68, 0.010), at=(0.52, 0, top - 0.032)),
    ]
    pieces += both_sides(cross)
    surfaces = (surface("top", "top", at=(0, 0, top), size=(1.20, 0.66)),)
    return weighing(34.0, name="oval_table", category="table", pieces=pieces, surfaces=surfaces, support_height_m=top)


def trestle_table() -> Furniture:
    """A farmhouse table: five grooved planks with breadboard ends on two A-shaped trestles, a beam keyed through them."""
    top = 0.75
    pieces = [
        board(f"plank_{i}", "wood", (1.64, 0.159, 0.036), at=(0, y, top - 0.018))
        for i, y in enumerate(np.linspace(-0.32, 0.32, 5))
    ]
    pieces += [
        board("core", "wood", (1.64, 0.79, 0.032), at=(0, 0, top - 0.018)),
        board("beam", "wood", (1.46, 0.034, 0.095), at=(0, 0, 0.30)),
        board("spine", "wood", (1.30, 0.05, 0.06), at=(0, 0, top - 0.062)),
    ]
    trestle = [
        board("end", "wood", (0.09, 0.80, 0.038), at=(0.862, 0, top - 0.018)),
        wooden_bar("leg_front", (0.60, -0.30, 0), (0.60, -0.13, top - 0.03), ((0.07, 0.075), (0.06, 0.06))),
        wooden_bar("leg_back", (0.60, 0.30, 0), (0.60, 0.13, top - 0.03), ((0.07, 0.075), (0.06, 0.06))),
        board("head", "wood", (0.075, 0.66, 0.055), at=(0.60, 0, top - 0.060), bevel=0.012),
        board("cross", "wood", (0.05, 0.50, 0.075), at=(0.60, 0, 0.30)),
        wooden_bar("key", (0.655, 0, 0.225), (0.655, 0, 0.385), ((0.022, 0.018), (0.036, 0.018))),
    ]
    pieces += both_sides(trestle)
    surfaces = (surface("top", "top", at=(0, 0, top), size=(1.62, 0.76)),)
    return weighing(35.0, name="trestle_table", category="table", pieces=pieces, surfaces=surfaces, support_height_m=top)


def pedestal_table() -> Furniture:
    """A round table on a turned vase column with four curved feet."""
    top = 0.74
    pieces = [
        disc("top", "wood", (0.96, 0.96), top=(0, 0, top), thickness=0.026, bevel=0.010, sides=40),
        disc("collar", "wood", (0.34, 0.34), top=(0, 0, top - 0.022), thickness=0.024, bevel=0.006),
        *turned(
            "column",
            "wood",
            (0, 0, 0.10),
            (0, 0, top - 0.04),
            (
                (0, 0.045),
                (0.14, 0.058),
                (0.20, 0.044),
                (0.26, 0.068),
                (0.36, 0.074),
                (0.50, 0.058),
                (0.72, 0.036),
                (0.78, 0.050),
                (0.82, 0.036),
                (1, 0.046),
            ),
            sides=16,
        ),
    ]
    curve = ((0.03, 0.205), (0.12, 0.205), (0.21, 0.16), (0.29, 0.09), (0.36, 0.042), (0.42, 0.026))
    for i, angle in enumerate(np.radians((45, 135, 225, 315))):
        out, side = np.array([np.cos(angle), np.sin(angle), 0]), np.array([-np.sin(angle), np.cos(angle), 0])
        path = [r * out + z * np.array([0, 0, 1]) for r, z in curve]
        widths = [w * side for w in (0.05, 0.05, 0.046, 0.042, 0.04, 0.04)]
        pieces += ribbon(
            f"foot_{i}", "wood", path, across=widths, thickness=(0.10, 0.085, 0.066, 0.05, 0.038, 0.03), bevel=0.006
        )
        pad = [level_ring((*(0.40 * out)[:2], z), (w, w), 12) for z, w in ((0, 0.05), (0.012, 0.056), (0.026, 0.05))]
        pieces.append(hull_piece(f"pad_{i}", "wood", np.concatenate(pad)))
    surfaces = (surface("top", "top", at=(0, 0, top), size=(0.64, 0.64)),)
    return weighing(19.0, name="pedestal_table", category="table", pieces=pieces, surfaces=surfaces, support_height_m=top)


def _soft_cornered(
    name: str, material: str, size: tuple[float, float], *, top: float, thickness: float, radius: float
) -> Piece:
    """A level plate with round corners in plan and a chamfered rim."""
    width, depth = size
    rings = [
        level_ring((sx * (width / 2 - radius), sy * (depth / 2 - radius), top - z), (2 * (radius - inset),) * 2, 16)
        for sx in (-1, 1)
        for sy in (-1, 1)
        for z, inset in ((0, 0.005), (0.005, 0), (thickness - 0.008, 0), (thickness, 0.008))
    ]
    return hull_piece(name, material, np.concatenate(rings))


def coffee_table() -> Furniture:
    """A low table with round corners, a shelf of rods below, splayed round legs."""
    top = 0.42
    pieces = [_soft_cornered("top", "wood", (1.12, 0.58), top=top, thickness=0.026, radius=0.12)]
    side = []
    for name, y in (("front", -0.19), ("back", 0.19)):
        side += turned(f"leg_{name}", "wood", (0.47, 1.22 * y, 0), (0.415, y, top - 0.02), ROUND_LEG, sides=12)
    side.append(hull_piece("rod_end", "wood", round_bar((0.447, -0.213, 0.17), (0.447, 0.213, 0.17), 0.011)))
    side.append(board("beam", "wood", (0.034, 0.40, 0.04), at=(0.415, 0, top - 0.043)))
    pieces += both_sides(side)
    pieces += [
        hull_piece(f"rod_{i}", "wood", round_bar((-0.45, y, 0.17), (0.45, y, 0.17), 0.0075, sides=8))
        for i, y in enumerate(np.linspace(-0.17, 0.17, 7))
    ]
    surfaces = (surface("top", "top", at=(0, 0, top), size=(1.0, 0.48)),)
    return weighing(11.0, name="coffee_table", category="table", pieces=pieces, surfaces=surfaces, support_height_m=top)


def writing_desk() -> Furniture:
    """A writing desk with drawers and a raised shelf at the back, on tapered legs; one sits at its front (-Y)."""
    top = 0.745
    pieces = [
        block("top", "wood", (1.26, 0.62, 0.026), at=(0, 0, top - 0.013), bevel=0.006),
        board("body", "wood", (1.14, 0.54, 0.088), at=(0, 0.01, top - 0.068)),
        board("drawer", "wood", (0.66, 0.020, 0.072), at=(-0.215, -0.262, top - 0.068)),
        board("drawer_side", "wood", (0.36, 0.020, 0.072), at=(0.345, -0.262, top - 0.068)),
        board("chest", "wood", (0.38, 0.50, 0.20), at=(0.345, 0.02, top - 0.205)),
        board("drawer_low", "wood", (0.355, 0.020, 0.175), at=(0.345, -0.235, top - 0.205)),
        board("shelf", "wood", (1.20, 0.20, 0.020), at=(0, 0.195, top + 0.142)),
        board("shelf_back", "wood", (1.18, 0.014, 0.14), at=(0, 0.285, top + 0.066)),
    ]
    for name, (x, y, z) in {
        "drawer": (-0.215, -0.28, 0.677),
        "side": (0.345, -0.28, 0.677),
        "low": (0.345, -0.253, 0.54),
    }.items():
        pieces.append(
            hull_piece(f"knob_{name}", "metal", round_bar((x, y + 0.015, z), (x, y - 0.014, z), 0.008, end_radius=0.014))
        )
    side = [
        wooden_bar("leg_front", (0.575, -0.265, 0), (0.55, -0.235, top - 0.02), ((0.024, 0.024), (0.044, 0.044))),
        wooden_bar("leg_back", (0.575, 0.285, 0), (0.55, 0.255, top - 0.02), ((0.024, 0.024), (0.044, 0.044))),
        board("cheek", "wood", (0.018, 0.19, 0.146), at=(0.585, 0.195, top + 0.070)),
    ]
    pieces += both_sides(side)
    pieces.append(board("divider", "wood", (0.016, 0.18, 0.146), at=(0.18, 0.195, top + 0.070)))
    surfaces = (
        surface("top", "top", at=(0, -0.11, top), size=(1.20, 0.38)),
        surface("handle", "handle", at=(-0.215, -0.294, 0.677), size=(0.028, 0.028), pitch_deg=90),
    )
    return weighing(29.0, name="writing_desk", category="desk", pieces=pieces, surfaces=surfaces, support_height_m=top)
