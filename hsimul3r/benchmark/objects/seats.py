"""Sofas, armchairs, benches and beds."""

import numpy as np

from hsimul3r.benchmark.objects.pieces import (
    Furniture,
    Piece,
    Surface,
    block,
    board,
    both_sides,
    cushion,
    disc,
    hull_piece,
    level_ring,
    loft,
    moved,
    pillow,
    plate_x,
    ribbon,
    round_bar,
    surface,
    turned,
    weighing,
    wooden_bar,
)

TAPERED_LEG = ((0.0, 0.011), (1.0, 0.021))


def two_seat_sofa() -> Furniture:
    """A two-seat sofa: box base, crowned seat cushions, leaning back cushions, round-topped arms, short tapered legs."""
    width, arm, seat_top, depth = 1.62, 0.17, 0.44, 0.86
    inner = width - 2 * arm
    back_at = (0, depth / 2 - 0.12, 0.48)
    pieces = [
        block("base", "fabric", (width - 0.04, depth - 0.05, 0.17), at=(0, 0.01, 0.205), bevel=0.02),
        block("back", "fabric", (width - 0.06, 0.16, 0.56), at=back_at, bevel=0.05, tilt_deg=-7),
    ]
    for side, sign in (("left", -1), ("right", 1)):
        x, arm_x = sign * (inner / 4), sign * (width - arm) / 2
        seat = cushion((inner / 2 + 0.006, 0.63, 0.17), 0.035, crown=0.006)
        pillow = cushion((inner / 2 - 0.012, 0.17, 0.42), 0.05, crown=0.0)
        pieces += [
            hull_piece(f"seat_{side}", "fabric", moved(seat, at=(x, -0.095, seat_top - 0.091))),
            hull_piece(f"pillow_{side}", "fabric", moved(pillow, at=(x, 0.235, seat_top + 0.18), tilt_deg=-13)),
            block(f"arm_{side}", "fabric", (arm, depth - 0.06, 0.44), at=(arm_x, -0.005, 0.355), bevel=0.045),
            block(f"arm_top_{side}", "fabric", (arm + 0.03, depth - 0.04, 0.09), at=(arm_x, -0.005, 0.575), bevel=0.04),
        ]
        for end, y in (("front", -depth / 2 + 0.08), ("back", depth / 2 - 0.09)):
            foot, head = (sign * (width / 2 - 0.08), y, 0), (sign * (width / 2 - 0.09), y, 0.14)
            pieces.append(wooden_bar(f"leg_{end}_{side}", foot, head, ((0.034, 0.034), (0.055, 0.055))))
    return Furniture(
        name="two_seat_sofa",
        category="sofa",
        pieces=tuple(pieces),
        support_height_m=seat_top,
        density_kg_m3=60.0,
        surfaces=_two_seat_surfaces(inner, seat_top, (width - arm) / 2),
    )


def _two_seat_surfaces(inner: float, seat_top: float, arm_x: float) -> tuple[Surface, ...]:
    places = (("left", -1), ("right", 1))
    seats = [
        surface(f"seat_{side}", "seat", at=(s * inner / 4, -0.125, seat_top), size=(inner / 2 - 0.06, 0.55))
        for side, s in places
    ]
    backs = [
        surface(f"back_{side}", "back", at=(s * inner / 4, 0.152, 0.639), size=(inner / 2 - 0.1, 0.36), pitch_deg=77)
        for side, s in places
    ]
    arms = [surface(f"arm_{side}", "arm", at=(s * arm_x, -0.12, 0.62), size=(0.12, 0.50)) for side, s in places]
    bed = surface("bed", "bed", at=(0, -0.125, seat_top), size=(inner - 0.06, 0.55))
    return (*seats, *backs, *arms, bed)


def _row(
    places: tuple[tuple[str, float], ...],
    *,
    seat: tuple[float, float],
    back: tuple[float, float, float],
    width: float,
    back_height: float = 0.34,
) -> tuple[Surface, ...]:
    """Seats and backs of a row of places: names and middles along X, (y, z) of the seats, (y, z, pitch) of the backs."""
    y, z, pitch = back
    seats = [surface(f"seat_{name}", "seat", at=(x, *seat), size=(width, 0.50)) for name, x in places]
    backs = [
        surface(f"back_{name}", "back", at=(x, y, z), size=(width - 0.06, back_height), pitch_deg=pitch) for name, x in places
    ]
    return (*seats, *backs)


def _arms(x: float, y: float, z: float, size: tuple[float, float]) -> tuple[Surface, Surface]:
    return (
        surface("arm_left", "arm", at=(-x, y, z), size=size),
        surface("arm_right", "arm", at=(x, y, z), size=size),
    )


THREE = (("left", -0.615), ("middle", 0.0), ("right", 0.615))


def three_seat_sofa() -> Furniture:
    """A modern sofa for three: slim straight arms, loose cushions in three rows, splayed steel legs."""
    top = 0.43
    pieces = [
        block("base", "fabric", (1.90, 0.84, 0.13), at=(0, 0.0, 0.22), bevel=0.02),
        block("back", "fabric", (1.92, 0.15, 0.50), at=(0, 0.352, 0.47), bevel=0.04, tilt_deg=-8),
    ]
    for name, x in THREE:
        pieces.append(pillow(f"seat_{name}", "fabric", (0.624, 0.68, 0.16), at=(x, -0.10, top - 0.092)))
        pieces.append(
            pillow(f"pillow_{name}", "fabric", (0.595, 0.44, 0.15), at=(x, 0.215, 0.62), bevel=0.05, crown=0.02, tilt_deg=76)
        )
    legs = [
        piece
        for name, y in (("front", -0.34), ("back", 0.33))
        for piece in turned(f"leg_{name}", "metal", (0.93, 1.12 * y, 0), (0.88, y, 0.165), ((0, 0.009), (1, 0.016)))
    ]
    pieces += both_sides([block("arm", "fabric", (0.115, 0.90, 0.45), at=(0.985, -0.005, 0.375), bevel=0.032), *legs])
    pieces += turned("leg_middle", "metal", (0, 0, 0), (0, 0, 0.165), ((0, 0.012), (1, 0.012)))
    surfaces = (
        *_row(THREE, seat=(-0.13, top), back=(0.123, 0.643, 76), width=0.54),
        *_arms(0.985, -0.08, 0.60, (0.05, 0.60)),
        surface("bed", "bed", at=(0, -0.13, top), size=(1.80, 0.54)),
    )
    return weighing(52.0, name="three_seat_sofa", category="sofa", pieces=pieces, surfaces=surfaces, support_height_m=top)


def chesterfield_sofa() -> Furniture:
    """A leather sofa whose arms and back are one rolled height, on turned feet."""
    top, arm, roll = 0.44, 0.88, 0.60
    pieces = [
        block("base", "leather", (1.84, 0.82, 0.20), at=(0, 0.0, 0.205), bevel=0.025),
        block("back", "leather", (1.78, 0.15, 0.42), at=(0, 0.315, 0.47), bevel=0.03, tilt_deg=-9),
        hull_piece("roll_back", "leather", round_bar((-0.93, 0.365, roll + 0.01), (0.93, 0.365, roll + 0.01), 0.095, sides=16)),
    ]
    pieces += [
        pillow(
            f"seat_{name}", "leather", (0.532, 0.62, 0.16), at=(x * 0.528 / 0.615, -0.09, top - 0.094), bevel=0.045, crown=0.014
        )
        for name, x in THREE
    ]
    panel = [(-0.40, 0.12), (0.34, 0.12), (0.34, roll), (-0.40, roll)]
    side = [
        hull_piece("arm", "leather", plate_x(panel, x=arm - 0.01, thickness=0.14, bevel=0.02)),
        hull_piece("roll", "leather", round_bar((arm, -0.425, roll), (arm, 0.42, roll), 0.095, sides=16)),
        hull_piece("button", "leather", round_bar((arm, -0.437, roll), (arm, -0.42, roll), 0.055, end_radius=0.075, sides=16)),
    ]
    feet = ((0, 0.026), (0.25, 0.040), (0.6, 0.034), (0.75, 0.024), (1, 0.036))
    for name, y in (("front", -0.35), ("back", 0.33)):
        side += turned(f"foot_{name}", "wood", (0.86, y, 0), (0.86, y, 0.115), feet, sides=12)
    pieces += both_sides(side)
    places = tuple((name, x * 0.528 / 0.615) for name, x in THREE)
    surfaces = (
        *_row(places, seat=(-0.10, top), back=(0.252, 0.54, 77), width=0.46, back_height=0.18),
        *_arms(arm, -0.05, roll + 0.095, (0.10, 0.62)),
        surface("bed", "bed", at=(0, -0.09, top), size=(1.52, 0.52)),
        surface("rail", "rail", at=(0, 0.365, roll + 0.105), size=(1.5, 0.05)),
    )
    return weighing(58.0, name="chesterfield_sofa", category="sofa", pieces=pieces, surfaces=surfaces, support_height_m=top)


def corner_sofa() -> Furniture:
    """A sofa for two with a long chair at the right end, broad arms, loose cushions, block feet."""
    top, places = 0.43, (("left", -0.685), ("middle", -0.055), ("right", 0.645))
    pieces = [
        block("base", "fabric", (2.24, 0.84, 0.18), at=(0, 0.0, 0.20), bevel=0.02),
        block("base_long", "fabric", (0.94, 1.46, 0.18), at=(0.67, -0.33, 0.20), bevel=0.02),
        block("back", "fabric", (2.20, 0.17, 0.52), at=(0, 0.365, 0.47), bevel=0.045, tilt_deg=-7),
        block("arm_left", "fabric", (0.19, 0.86, 0.42), at=(-1.09, -0.005, 0.335), bevel=0.04),
        block("arm_right", "fabric", (0.13, 0.86, 0.42), at=(1.12, -0.005, 0.335), bevel=0.04),
    ]
    for name, x in places:
        is_long = name == "right"
        size, y = ((0.80, 1.38, 0.16), -0.36) if is_long else ((0.635, 0.68, 0.16), -0.10)
        pieces.append(pillow(f"seat_{name}", "fabric", size, at=(x, y, top - 0.09), crown=0.010))
        wide = 0.74 if is_long else 0.60
        pieces.append(
            pillow(f"pillow_{name}", "fabric", (wide, 0.43, 0.16), at=(x, 0.215, 0.61), bevel=0.055, crown=0.02, tilt_deg=75)
        )
    for i, (x, y) in enumerate(
        ((-1.08, -0.36), (-1.08, 0.34), (0.0, 0.34), (1.08, 0.34), (0.26, -0.99), (1.07, -0.99), (0.0, -0.36))
    ):
        pieces.append(board(f"foot_{i}", "wood", (0.07, 0.07, 0.12), at=(x, y, 0.06)))
    surfaces = (
        *_row(places, seat=(-0.13, top - 0.0005), back=(0.118, 0.636, 75), width=0.54),
        surface("arm_left", "arm", at=(-1.09, -0.08, 0.545), size=(0.10, 0.6)),
        surface("bed", "bed", at=(0.645, -0.45, top), size=(0.68, 1.10)),
    )
    return weighing(68.0, name="corner_sofa", category="sofa", pieces=pieces, surfaces=surfaces, support_height_m=top)


def _show_wood(width: float, backs: list[Piece]) -> list[Piece]:
    """A frame of the 1950s: round splayed legs, paddle arms, a seat that falls back by 7 degrees, a leaning back frame."""
    x = width / 2
    side = [
        *turned("leg_front", "wood", (x + 0.02, -0.345, 0), (x, -0.27, 0.535), ((0, 0.012), (0.6, 0.022), (1, 0.016))),
        *turned("leg_back", "wood", (x + 0.02, 0.385, 0), (x - 0.01, 0.185, 0.51), ((0, 0.012), (0.6, 0.022), (1, 0.016))),
        *ribbon(
            "arm",
            "wood",
            [(x, -0.37, 0.548), (x + 0.004, -0.13, 0.556), (x - 0.002, 0.12, 0.528), (x - 0.02, 0.27, 0.49)],
            across=[(w, 0, 0) for w in (0.075, 0.085, 0.055, 0.035)],
            thickness=0.024,
            bevel=0.006,
        ),
        *ribbon(
            "rail",
            "wood",
            [(x - 0.01, -0.30, 0.315), (x - 0.01, 0.29, 0.243)],
            across=(0.026, 0, 0),
            thickness=0.052,
            bevel=0.005,
        ),
        *ribbon(
            "upright",
            "wood",
            [(x - 0.03, 0.155, 0.235), (x - 0.03, 0.41, 0.815)],
            across=(0.03, 0, 0),
            thickness=(0.045, 0.028),
            bevel=0.005,
        ),
    ]
    beams = [
        board("rail_front", "wood", (width - 0.01, 0.028, 0.055), at=(0, -0.262, 0.308)),
        board("rail_back", "wood", (width - 0.04, 0.028, 0.05), at=(0, 0.19, 0.262)),
        board("rail_top", "wood", (width - 0.03, 0.024, 0.06), at=(0, 0.398, 0.79), tilt_deg=-23),
    ]
    return both_sides(side) + beams + backs


def lounge_armchair() -> Furniture:
    """A low armchair of the 1950s: show-wood frame with paddle arms, slatted back, two loose cushions."""
    slats = [
        board(f"slat_{i}", "wood", (0.56, 0.016, 0.036), at=(0, 0.245 + 0.0425 * i, 0.44 + 0.1 * i), tilt_deg=-23)
        for i in range(4)
    ]
    pieces = _show_wood(0.62, slats) + _loose_cushions((("", 0.0),), 0.54)
    surfaces = (
        surface("seat", "seat", at=(0, -0.102, 0.430), size=(0.46, 0.36), pitch_deg=-7),
        surface("back", "back", at=(0, 0.172, 0.6405), size=(0.44, 0.36), pitch_deg=67),
        *_arms(0.312, -0.17, 0.567, (0.06, 0.26)),
    )
    return weighing(12.5, name="lounge_armchair", category="armchair", pieces=pieces, surfaces=surfaces, support_height_m=0.43)


def spindle_loveseat() -> Furniture:
    """A small sofa of the 1950s: show-wood frame, a back of nineteen spindles, two pairs of loose cushions."""
    places = (("left", -0.29), ("right", 0.29))
    spindles = [
        hull_piece(f"spindle_{i}", "wood", round_bar((x, 0.188, 0.26), (x, 0.39, 0.78), 0.008, sides=8))
        for i, x in enumerate(np.linspace(-0.53, 0.53, 19))
    ]
    pieces = _show_wood(1.22, spindles)
    pieces += _loose_cushions(tuple((f"_{name}", x) for name, x in places), 0.575)
    surfaces = []
    for name, x in places:
        surfaces.append(surface(f"seat_{name}", "seat", at=(x, -0.102, 0.430), size=(0.50, 0.36), pitch_deg=-7))
        surfaces.append(surface(f"back_{name}", "back", at=(x, 0.172, 0.6405), size=(0.48, 0.36), pitch_deg=67))
    surfaces += _arms(0.612, -0.17, 0.567, (0.06, 0.26))
    return weighing(24.0, name="spindle_loveseat", category="sofa", pieces=pieces, surfaces=surfaces, support_height_m=0.43)


def _loose_cushions(places: tuple[tuple[str, float], ...], width: float) -> list[Piece]:
    """Seat and back cushions on the frame of `_show_wood`."""
    pieces = []
    for name, x in places:
        pieces.append(pillow(f"seat{name}", "fabric", (width, 0.56, 0.12), at=(x, -0.06, 0.3545), crown=0.010, tilt_deg=-7))
        pieces.append(pillow(f"pillow{name}", "fabric", (width, 0.46, 0.12), at=(x, 0.24, 0.612), crown=0.014, tilt_deg=67))
    return pieces


def wing_chair() -> Furniture:
    """A high armchair: rolled arms, padded wings beside the head, one thick cushion, curved front legs."""
    top = 0.46
    back = [(0, 0.20, 0.24), (0, 0.232, 0.50), (0, 0.295, 0.88), (0, 0.335, 1.05), (0, 0.36, 1.10)]
    pieces = [
        block("base", "fabric", (0.62, 0.60, 0.17), at=(0, -0.04, 0.245), bevel=0.025),
        pillow("seat", "fabric", (0.525, 0.58, 0.13), at=(0, -0.085, top - 0.079), bevel=0.045, crown=0.014),
        *ribbon(
            "back",
            "fabric",
            back,
            across=[(w, 0, 0) for w in (0.58, 0.58, 0.60, 0.56, 0.48)],
            thickness=(0.13, 0.13, 0.12, 0.10, 0.06),
            bevel=0.028,
        ),
    ]
    foot = [
        level_ring((0.285 + dx, -0.30 + dy, z), (w, w), 10)
        for dx, dy, z, w in (
            (0.03, -0.03, 0, 0.044),
            (0.022, -0.024, 0.035, 0.026),
            (0.012, -0.012, 0.10, 0.042),
            (0, 0, 0.175, 0.066),
        )
    ]
    panel = [(-0.31, 0.165), (0.24, 0.165), (0.26, 0.60), (-0.31, 0.60)]
    wing = [(-0.06, 0.56), (0.25, 0.56), (0.36, 1.07), (0.22, 1.08), (0.10, 1.0), (0.02, 0.84)]
    side = [
        hull_piece("arm", "fabric", plate_x(panel, x=0.31, thickness=0.10, bevel=0.02)),
        hull_piece("roll", "fabric", round_bar((0.325, -0.335, 0.585), (0.32, 0.24, 0.60), 0.062, sides=16)),
        hull_piece("wing", "fabric", plate_x(wing, x=0.292, thickness=0.075, bevel=0.026)),
        *loft("leg_front", "wood", foot),
        wooden_bar("leg_back", (0.26, 0.30, 0), (0.25, 0.20, 0.19), ((0.028, 0.032), (0.045, 0.05))),
    ]
    pieces += both_sides(side)
    surfaces = (
        surface("seat", "seat", at=(0, -0.09, top), size=(0.44, 0.44)),
        surface("back", "back", at=(0, 0.203, 0.71), size=(0.40, 0.42), pitch_deg=80.6),
        *_arms(0.324, -0.18, 0.651, (0.04, 0.22)),
    )
    return weighing(26.0, name="wing_chair", category="armchair", pieces=pieces, surfaces=surfaces, support_height_m=top)


def tub_chair() -> Furniture:
    """A leather barrel: one curved wall that rises from the arms to the back, round cushion, turned legs."""
    top = 0.45
    sections = []
    for angle in np.radians(np.linspace(-42, 222, 15)):
        rise = 0.60 + 0.17 * max(0.0, np.sin(angle)) ** 1.5
        out = np.array([np.cos(angle), np.sin(angle), 0.0])
        profile = (
            (0.27, 0.16),
            (0.34, 0.16),
            (0.355, 0.30),
            (0.385, rise - 0.03),
            (0.365, rise),
            (0.315, rise),
            (0.295, rise - 0.03),
        )
        sections.append(np.array([r * out + (0, 0, z) for r, z in profile]))
    pieces = loft("wall", "leather", sections)
    pieces.append(disc("base", "leather", (0.66, 0.66), top=(0, 0, 0.32), thickness=0.17, bevel=0.02))
    rings = [
        level_ring((0, -0.03, z), (w, w), 24)
        for z, w in ((top - 0.15, 0.50), (top - 0.13, 0.57), (top - 0.03, 0.57), (top - 0.008, 0.54), (top, 0.44))
    ]
    pieces.append(hull_piece("seat", "leather", np.concatenate(rings)))
    pieces += both_sides(
        [
            piece
            for name, y in (("front", -0.2), ("back", 0.22))
            for piece in turned(f"leg_{name}", "wood", (0.25, 1.15 * y, 0), (0.215, y, 0.17), TAPERED_LEG)
        ]
    )
    surfaces = (
        surface("seat", "seat", at=(0, -0.03, top), size=(0.34, 0.34)),
        surface("back", "back", at=(0, 0.288, 0.58), size=(0.18, 0.22), pitch_deg=87),
        *_arms(0.325, -0.10, 0.60, (0.03, 0.12)),
    )
    return weighing(19.0, name="tub_chair", category="armchair", pieces=pieces, surfaces=surfaces, support_height_m=top)


def slatted_bench() -> Furniture:
    """A hall bench of four grooved boards on two tapered frames, with a slatted shelf below for shoes."""
    top = 0.455
    pieces = [
        board(f"seat_{i}", "wood", (1.16, 0.0865, 0.024), at=(0, y, top - 0.012))
        for i, y in enumerate(np.linspace(-0.135, 0.135, 4))
    ]
    pieces.append(board("core", "wood", (1.14, 0.345, 0.018), at=(0, 0, top - 0.013)))
    pieces += [
        board(f"shelf_{i}", "wood", (1.04, 0.045, 0.018), at=(0, y, 0.155)) for i, y in enumerate(np.linspace(-0.11, 0.11, 4))
    ]
    side = [
        wooden_bar("leg_front", (0.51, -0.165, 0), (0.495, -0.135, top - 0.02), ((0.030, 0.032), (0.04, 0.05))),
        wooden_bar("leg_back", (0.51, 0.165, 0), (0.495, 0.135, top - 0.02), ((0.030, 0.032), (0.04, 0.05))),
        board("cross", "wood", (0.028, 0.26, 0.045), at=(0.497, 0, top - 0.043)),
        board("cross_low", "wood", (0.024, 0.29, 0.032), at=(0.503, 0, 0.132)),
    ]
    pieces += both_sides(side)
    pieces.append(board("spine", "wood", (1.0, 0.022, 0.05), at=(0, 0, top - 0.045)))
    surfaces = tuple(
        surface(f"seat_{name}", "seat", at=(x, 0, top), size=(0.50, 0.33)) for name, x in (("left", -0.28), ("right", 0.28))
    )
    return weighing(11.5, name="slatted_bench", category="bench", pieces=pieces, surfaces=surfaces, support_height_m=top)


def park_bench() -> Furniture:
    """A garden bench: wooden slats along a curved seat and back, cast-iron ends with scrolled arms."""
    top = 0.44
    seat = [(y, top - 0.011) for y in np.linspace(-0.22, 0.14, 6)]
    pieces = [board(f"seat_{i}", "wood", (1.46, 0.060, 0.022), at=(0, y, z)) for i, (y, z) in enumerate(seat)]
    back = [(0.222, 0.52), (0.246, 0.595), (0.272, 0.67), (0.302, 0.745), (0.336, 0.82)]
    pieces += [board(f"back_{i}", "wood", (1.46, 0.022, 0.060), at=(0, y, z), tilt_deg=-20) for i, (y, z) in enumerate(back)]
    iron = {
        "front": ([(-0.252, 0.018), (-0.20, 0.10), (-0.205, 0.25), (-0.235, 0.415)], (0.05, 0.03, 0.03, 0.034)),
        "back": (
            [(0.330, 0.020), (0.265, 0.12), (0.215, 0.28), (0.205, 0.42), (0.245, 0.56), (0.355, 0.84)],
            (0.05, 0.03, 0.03, 0.034, 0.03, 0.024),
        ),
        "seat": ([(-0.25, 0.412), (0.215, 0.412)], (0.028, 0.034)),
        "arm": (
            [(-0.235, 0.415), (-0.275, 0.53), (-0.255, 0.625), (-0.19, 0.655), (0.05, 0.645), (0.275, 0.63)],
            (0.03, 0.022, 0.024, 0.024, 0.024, 0.022),
        ),
    }
    side = []
    for name, (path, thick) in iron.items():
        wide = 0.05 if name == "arm" else 0.036
        side += ribbon(name, "metal", [(0.66, y, z) for y, z in path], across=(wide, 0, 0), thickness=thick)
    side += [
        board(f"foot_{name}", "metal", (0.05, 0.08, 0.024), at=(0.66, y, 0.012))
        for name, y in (("front", -0.258), ("back", 0.338))
    ]
    pieces += both_sides(side)
    surfaces = (
        *_row((("left", -0.31), ("right", 0.31)), seat=(-0.06, top), back=(0.2617, 0.674, 69), width=0.52),
        *_arms(0.66, -0.08, 0.6625, (0.04, 0.22)),
        surface("rail", "rail", at=(0, 0.344, 0.849), size=(1.3, 0.016)),
    )
    return weighing(28.0, name="park_bench", category="bench", pieces=pieces, surfaces=surfaces, support_height_m=top)


def daybed() -> Furniture:
    """A daybed: mattress on a slim wooden frame, slatted rails on three sides, two leather bolsters."""
    top, length = 0.45, 1.98
    pieces = [
        pillow("mattress", "fabric", (1.90, 0.80, 0.155), at=(0, -0.015, top - 0.0825), bevel=0.045, crown=0.005),
        board("frame", "wood", (length - 0.02, 0.84, 0.07), at=(0, 0, 0.265)),
        board("rail_back", "wood", (length, 0.024, 0.05), at=(0, 0.425, 0.735)),
    ]
    pieces += [
        board(f"slat_back_{i}", "wood", (0.05, 0.014, 0.46), at=(x, 0.418, 0.50))
        for i, x in enumerate(np.linspace(-0.86, 0.86, 11))
    ]
    side = [
        *turned("leg_front", "wood", (0.965, -0.41, 0), (0.935, -0.36, 0.24), TAPERED_LEG),
        *turned("leg_back", "wood", (0.965, 0.41, 0), (0.935, 0.36, 0.24), TAPERED_LEG),
        board("post_front", "wood", (0.036, 0.036, 0.42), at=(0.972, -0.40, 0.44)),
        board("post_back", "wood", (0.036, 0.036, 0.52), at=(0.972, 0.42, 0.50)),
        board("rail_end", "wood", (0.024, 0.82, 0.045), at=(0.976, 0.0, 0.63)),
        hull_piece(
            "bolster",
            "leather",
            np.concatenate(
                [
                    round_bar((0.865, -0.35 - e, 0.531), (0.865, 0.35 + e, 0.531), r, sides=16)
                    for e, r in ((0, 0.088), (0.018, 0.07))
                ]
            ),
        ),
    ]
    side += [
        board(f"slat_end_{i}", "wood", (0.014, 0.05, 0.36), at=(0.972, y, 0.45))
        for i, y in enumerate(np.linspace(-0.25, 0.27, 4))
    ]
    pieces += both_sides(side)
    surfaces = (
        *(
            surface(f"seat_{name}", "seat", at=(x, -0.13, top), size=(0.55, 0.48))
            for name, x in (("left", -0.4), ("right", 0.4))
        ),
        surface("bed", "bed", at=(0, -0.015, top), size=(1.52, 0.70)),
        surface("rail", "rail", at=(0, 0.425, 0.76), size=(1.8, 0.016)),
    )
    return weighing(46.0, name="daybed", category="sofa", pieces=pieces, surfaces=surfaces, support_height_m=top)
