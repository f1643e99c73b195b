"""All furniture of the benchmark by name."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache, partial
from typing import Final

import numpy as np

from hsimul3r.artifacts import ConvexPart
from hsimul3r.benchmark.objects import chairs, meshes, others, seats, tables
from hsimul3r.benchmark.objects.pieces import Furniture
from hsimul3r.errors import UnknownFurniture

MAKERS: Final[Mapping[str, Callable[[], Furniture]]] = {
    maker.__name__: maker
    for maker in (
        chairs.dining_chair,
        chairs.windsor_chair,
        chairs.ladder_back_chair,
        chairs.bentwood_chair,
        chairs.folding_chair,
        chairs.parsons_chair,
        chairs.cantilever_chair,
        chairs.shell_chair,
        chairs.swivel_chair,
        chairs.plywood_chair,
        seats.two_seat_sofa,
        seats.three_seat_sofa,
        seats.chesterfield_sofa,
        seats.corner_sofa,
        seats.spindle_loveseat,
        seats.daybed,
        seats.wing_chair,
        seats.lounge_armchair,
        seats.tub_chair,
        seats.slatted_bench,
        seats.park_bench,
        tables.dining_table,
        tables.round_table,
        tables.oval_table,
        tables.trestle_table,
        tables.pedestal_table,
        tables.coffee_table,
        tables.writing_desk,
        others.step_stool,
        others.milk_stool,
        others.bar_stool,
        others.ottoman,
        others.step_ladder,
        others.push_cart,
        others.cabinet,
        others.double_ladder,
    )
} | {name: partial(meshes.shipped_furniture, name) for name in meshes.shipped_meshes()}
CATALOGUE: Final[tuple[str, ...]] = tuple(MAKERS)
"""Names that `build_furniture` knows; new ones go to the end of their kind."""


@cache
def build_furniture(name: str) -> Furniture:
    """The piece of furniture called `name`, moved so that its origin is under the centre of its box.

    Raises `UnknownFurniture`. The arrays are shared between callers: do not write into them.
    """
    if name not in MAKERS:
        raise UnknownFurniture(name, CATALOGUE)
    loose = MAKERS[name]()
    corners = np.concatenate([piece.shape.vertices for piece in loose.pieces])
    centre = (corners.min(0) + corners.max(0)) / 2 * (1, 1, 0)
    pieces = tuple(
        replace(piece, shape=ConvexPart(vertices=piece.shape.vertices - centre, faces=piece.shape.faces))
        for piece in loose.pieces
    )
    surfaces = tuple(replace(surface, centre=surface.centre - centre) for surface in loose.surfaces)
    mesh = loose.mesh and (loose.mesh[0] - centre, loose.mesh[1])
    return replace(loose, pieces=pieces, surfaces=surfaces, mesh=mesh)
