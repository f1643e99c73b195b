"""Tables and desks."""

from hsimul3r.benchmark.objects.pieces import Furniture, block, surface, wooden_bar


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
