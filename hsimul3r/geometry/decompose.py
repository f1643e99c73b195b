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
OFF_MIDDLE = 0.002
"""A plane at a piece's end must leave this much less hull than one in its middle, times two."""
SMALLEST_M3 = 2e-7
"""A piece of less volume (half a centimetre and a bit cubed) is dropped."""


def convex_pieces(
    vertices: Float[ndarray, "vertices 3"], faces: Int[ndarray, "faces 3"], *, limit: int = 48, waste: float = 0.02
) -> tuple[ConvexPart, ...]:
    """At most `limit` convex pieces whose union holds the mesh; stops where the hulls' volume is `waste` over the mesh's."""
    solid = manifold_of(vertices, faces, "mesh")
    pieces = _cut(solid, 2 * limit, waste * solid.volume())
    hulls = _merged([piece.hull() for piece in pieces], limit, waste * solid.volume())
    return tuple(convex_part(np.asarray(hull.to_mesh64().vert_properties, float)[:, :3]) for hull in hulls)


@dataclass(order=True, frozen=True)
class _Piece:
    """A part of the mesh and what its hull has that it has not; negative, because a heap gives the smallest first."""

    minus_empty_m3: float
    number: int
    solid: Manifold = field(compare=False)


def _cut(solid: Manifold, limit: int, enough: float) -> list[Manifold]:
    """Cut the piece whose hull is the emptiest, until there are `limit` or all hulls together are nearly full."""
    numbers = count()
    heap = [_piece(part, next(numbers)) for part in solid.decompose()]
    heapq.heapify(heap)
    while len(heap) < limit and -sum(piece.minus_empty_m3 for piece in heap) > enough:
        for part in _best_cut(heapq.heappop(heap).solid):
            heapq.heappush(heap, _piece(part, next(numbers)))
    return [piece.solid for piece in sorted(heap, key=lambda piece: piece.number)]


def _piece(solid: Manifold, number: int) -> _Piece:
    return _Piece(min(solid.volume() - solid.hull().volume(), 0.0), number, solid)


def _best_cut(solid: Manifold) -> list[Manifold]:
    """Parts after the plane that leaves the least hull; where planes are equal (a ring's are) one near the middle."""
    box = np.reshape(solid.bounding_box(), (2, 3))
    best, found = np.inf, [solid]
    for axis in range(3):
        for share in np.linspace(0.0, 1.0, CUTS + 2)[1:-1]:
            halves = solid.split_by_plane(np.eye(3)[axis], box[0, axis] + share * (box[1, axis] - box[0, axis]))
            parts = [part for half in halves for part in half.decompose()]
            hulls = sum(part.hull().volume() for part in parts) * (1.0 + OFF_MIDDLE * abs(share - 0.5))
            if hulls < best and len(parts) > 1:
                best, found = hulls, [part for part in parts if part.volume() > SMALLEST_M3]
    return found


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
