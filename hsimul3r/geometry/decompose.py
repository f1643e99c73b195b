"""A closed mesh as few convex pieces: cut where cutting saves the most hull, then put together what costs the least.

Cuts are axis-aligned planes, as in CoACD (Wei et al. 2022), chosen greedily by volume; it needs no package beyond manifold3d.
"""

import heapq
from dataclasses import dataclass, field
from itertools import combinations, count

import numpy as np
from jaxtyping import Float, Int
from manifold3d import Manifold
from numpy import ndarray

from hsimul3r.artifacts import ConvexPart
from hsimul3r.geometry.mesh import convex_part, manifold_of

CUTS = 11
"""Planes tried along each axis of a piece."""
SMALLEST_M3 = 2e-7
"""A piece of less volume (half a centimetre and a bit cubed) is dropped."""


def convex_pieces(
    vertices: Float[ndarray, "vertices 3"], faces: Int[ndarray, "faces 3"], *, limit: int = 48, waste: float = 0.02
) -> tuple[ConvexPart, ...]:
    """At most `limit` convex pieces whose union holds the mesh; stops where the hulls' volume is `waste` over the mesh's."""
    solid = manifold_of(vertices, faces, "mesh")
    pieces = _cut(solid, 2 * limit, waste * solid.volume())
    hulls = _merged([piece.solid.hull() for piece in pieces], limit, waste * solid.volume())
    return tuple(convex_part(np.asarray(hull.to_mesh64().vert_properties, float)[:, :3]) for hull in hulls)


@dataclass(order=True, frozen=True)
class _Piece:
    """A part of the mesh; minus `saving` is the hull's volume that its best cut removes: a heap gives the smallest first."""

    saving: float
    number: int
    solid: Manifold = field(compare=False)
    halves: tuple[Manifold, ...] = field(compare=False)
    empty_m3: float = field(compare=False)


def _cut(solid: Manifold, limit: int, enough: float) -> list[_Piece]:
    numbers = count()
    heap = [_piece(part, next(numbers)) for part in solid.decompose()]
    heapq.heapify(heap)
    while len(heap) < limit and sum(piece.empty_m3 for piece in heap) > enough and heap[0].saving < 0.0:
        for half in heapq.heappop(heap).halves:
            heapq.heappush(heap, _piece(half, next(numbers)))
    return heap


def _piece(solid: Manifold, number: int) -> _Piece:
    """The piece with its best cut."""
    hull = solid.hull().volume()
    empty = hull - solid.volume()
    best, halves = hull, (solid,)
    box = np.reshape(solid.bounding_box(), (2, 3))
    for axis in range(3) if empty > SMALLEST_M3 else ():
        for offset in np.linspace(box[0, axis], box[1, axis], CUTS + 2)[1:-1]:
            parts = [part for half in solid.split_by_plane(np.eye(3)[axis], offset) for part in half.decompose()]
            volume = sum(part.hull().volume() for part in parts)
            if volume < best:
                best, halves = volume, tuple(part for part in parts if part.volume() > SMALLEST_M3)
    return _Piece(best - hull, number, solid, halves, empty)


def _merged(hulls: list[Manifold], limit: int, enough: float) -> list[Manifold]:
    """Join the pair whose common hull adds the least, until few enough are left and joining is no longer nearly free."""
    alive = dict(enumerate(hulls))
    cost = {pair: _joining(alive[pair[0]], alive[pair[1]]) for pair in combinations(alive, 2)}
    free = enough / max(len(hulls), 1)
    while len(alive) > 1:
        pair = min(cost, key=lambda p: (cost[p], p))
        if len(alive) <= limit and cost[pair] > free:
            break
        joined = Manifold.batch_hull([alive.pop(i) for i in pair])
        cost = {p: c for p, c in cost.items() if not set(p) & set(pair)}
        new = max(max(pair), *alive, len(hulls) - 1) + 1 if alive else 0
        cost |= {(i, new): _joining(other, joined) for i, other in alive.items()}
        alive[new] = joined
    return [alive[i] for i in sorted(alive)]


def _joining(a: Manifold, b: Manifold) -> float:
    return Manifold.batch_hull([a, b]).volume() - a.volume() - b.volume()
