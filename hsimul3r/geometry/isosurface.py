"""The surface where a field on a grid is zero, by marching tetrahedra: closed and manifold whatever the field."""

from itertools import permutations

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

CORNERS = np.array([[c & 1, c >> 1 & 1, c >> 2 & 1] for c in range(8)])
TETRAHEDRA = ((0, 1, 3, 7), (0, 5, 1, 7), (0, 3, 2, 7), (0, 2, 6, 7), (0, 4, 5, 7), (0, 6, 4, 7))
"""A cube's six tetrahedra around its diagonal, each of positive volume; neighbouring cubes agree on their common face."""
EVEN = tuple(p for p in permutations(range(4)) if np.linalg.det(np.eye(4)[list(p)]) > 0)


def isosurface(
    field: Float[ndarray, "nx ny nz"], *, low: Float[ndarray, "3"], spacing_m: float
) -> tuple[Float[ndarray, "vertices 3"], Int[ndarray, "faces 3"]]:
    """Where `field`, known at the nodes `low + spacing * index`, changes from negative (inside) to positive; normals outwards.

    The field must be positive on the grid's border. Empty arrays where it is negative nowhere.
    """
    field = np.where(np.abs(field) < 1e-6 * spacing_m, 1e-6 * spacing_m, field)
    cells = _cells_on_surface(field < 0.0)
    edges = [_triangles_of(tetrahedron, cells, field) for tetrahedron in TETRAHEDRA]
    codes, faces = np.unique(np.concatenate(edges).ravel(), return_inverse=True)
    return _points_on(codes, field) * spacing_m + low, faces.reshape(-1, 3).astype(np.int32)


def _cells_on_surface(is_inside: ndarray) -> Int[ndarray, "cells"]:
    """Flat index of the lowest node of every cell that has nodes inside and outside."""
    nx, ny, nz = (n - 1 for n in is_inside.shape)
    count = np.zeros((nx, ny, nz), np.int8)
    for x, y, z in CORNERS:
        count += is_inside[x : x + nx, y : y + ny, z : z + nz]
    return np.ravel_multi_index(np.nonzero((count > 0) & (count < 8)), is_inside.shape)


def _triangles_of(tetrahedron: tuple[int, ...], cells: Int[ndarray, "cells"], field: ndarray) -> Int[ndarray, "faces 3"]:
    """Triangles as codes of the grid's edges on which their corners lie: 8 * (lower node) + direction."""
    steps = np.array([np.ravel_multi_index(tuple(CORNERS[c]), field.shape) for c in tetrahedron])
    nodes = cells[:, None] + steps
    pattern = (field.ravel()[nodes] < 0.0) @ np.array([1, 2, 4, 8])

    def edge(rows: ndarray, a: int, b: int) -> ndarray:
        first, last = sorted((a, b), key=lambda i: tetrahedron[i])
        return 8 * nodes[rows, first] + (tetrahedron[first] ^ tetrahedron[last])

    found = []
    for i, a, b, c in EVEN:
        if a < min(b, c):  # one of the three even orders that begin with i
            inside, outside = pattern == 1 << i, pattern == 15 - (1 << i)
            found.append(np.column_stack([edge(inside, i, k) for k in (a, b, c)]))
            found.append(np.column_stack([edge(outside, i, k) for k in (a, c, b)]))
        if i < a:  # inside are i and a; of the two even orders one is kept
            rows = pattern == (1 << i) + (1 << a)
            quad = [edge(rows, *pair) for pair in ((i, b), (i, c), (a, c), (a, b))]
            found.append(np.column_stack([quad[0], quad[1], quad[2]]))
            found.append(np.column_stack([quad[0], quad[2], quad[3]]))
    return np.concatenate(found)


def _points_on(codes: Int[ndarray, "vertices"], field: ndarray) -> Float[ndarray, "vertices 3"]:
    """Where the field is zero on the edges, in units of the grid."""
    node, direction = np.divmod(codes, 8)
    start = np.column_stack(np.unravel_index(node, field.shape))
    step = CORNERS[direction]
    value, end = field.ravel()[node], field[tuple((start + step).T)]
    return start + step * (value / (value - end))[:, None]
