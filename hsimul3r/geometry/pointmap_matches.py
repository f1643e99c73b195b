"""Matches between pictures from pairwise pointmaps: pixels whose points are each other's nearest."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Int
from numpy import ndarray
from scipy.spatial import KDTree

from hsimul3r.geometry.global_alignment import PairPointmaps
from hsimul3r.geometry.tracks import PairMatches

SLACK = 1
"""The way there and back may end this many pixels beside where it began."""


def match_pointmaps(
    maps: Sequence[PairPointmaps], is_static: Sequence[Bool[ndarray, "height width"]], *, stride: int
) -> tuple[PairMatches, ...]:
    """Matches as pixel numbers, row by row, both orders of a pair together; only pixels marked in `is_static`.

    They are searched for the pixels of a grid of the pair's first picture, so that a pixel's matches in several pictures join.
    """
    found: dict[tuple[int, int], list[ndarray]] = {}
    for m in maps:
        index = _matches(m, is_static[m.first], is_static[m.second], stride)
        found.setdefault((min(m.first, m.second), max(m.first, m.second)), []).append(
            index if m.first < m.second else index[:, ::-1]
        )
    joined = {views: np.unique(np.concatenate(index), axis=0) for views, index in found.items()}
    return tuple(PairMatches(view_a=a, view_b=b, index=index) for (a, b), index in sorted(joined.items()) if len(index))


def _matches(
    m: PairPointmaps, in_first: Bool[ndarray, "height1 width1"], in_second: Bool[ndarray, "height2 width2"], stride: int
) -> Int[ndarray, "matches 2"]:
    """Rows (pixel of the first, pixel of the second)."""
    usable, others = np.flatnonzero(in_first), np.flatnonzero(in_second)
    if not len(usable) or not len(others):
        return np.zeros((0, 2), int)
    row, column = np.divmod(usable, in_first.shape[1])
    grid = usable[(row % stride == stride // 2) & (column % stride == stride // 2)]
    first, second = m.points_first.reshape(-1, 3), m.points_second.reshape(-1, 3)
    there = others[KDTree(second[others]).query(first[grid])[1]]
    back = usable[KDTree(first[usable]).query(second[there])[1]]
    drift = np.abs(np.stack(np.divmod(back, in_first.shape[1])) - np.stack(np.divmod(grid, in_first.shape[1]))).max(axis=0)
    return np.stack([grid, there], axis=-1)[drift <= SLACK]
