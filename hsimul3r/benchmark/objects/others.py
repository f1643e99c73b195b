"""Stools, and what people climb, push and open."""

import numpy as np

from hsimul3r.benchmark.objects.pieces import Furniture, block, hull_piece, round_bar, surface, wooden_bar


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
