"""Sofas, armchairs, benches and beds."""

from hsimul3r.benchmark.objects.pieces import Furniture, Surface, block, cushion, hull_piece, moved, surface, wooden_bar


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
