"""Which pairs of pictures DUSt3R looks at, and where the global alignment of their pointmaps starts.

Pictures are placed one by one along the spanning tree of the most confident pairs; every camera comes from the pair that
knows its picture best, every pair's similarity from the placed points. Few wrong points do not count.
"""

from collections.abc import Sequence
from itertools import combinations
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray

from hsimul3r.geometry.alignment import Similarity, align_points, robust_align_points
from hsimul3r.geometry.global_alignment import (
    BASE_SCALE,
    FOCAL_UNIT,
    AlignmentParameters,
    PairPointmaps,
    Weighting,
    pack_similarities,
    picture_shapes,
)

Scheme = Literal["complete", "window", "ref"]
"""Every picture with every other, with the next few in the order of capture, or with the first one."""

POINTS_A_FIT = 20_000
"""A similarity is fitted to about this many points of a picture."""
TINY = 1e-9
WEISZFELD_ROUNDS = 10
FOCAL_BOUNDS = (0.2, 5.0)
"""Of a focal length over the long side: a network that knows nothing of a picture says anything."""

PlacedPoints = tuple[Float[ndarray, "height width 3"], ...]


def select_pairs(views: int, scheme: Scheme = "complete", *, window: int = 3, reference: int = 0) -> list[tuple[int, int]]:
    """Ordered pairs, each in both orders."""
    if scheme == "complete":
        chosen = list(combinations(range(views), 2))
    elif scheme == "window":
        chosen = [(i, j) for i, j in combinations(range(views), 2) if j - i <= window]
    else:
        chosen = [(reference, j) for j in range(views) if j != reference]
    return [ordered for i, j in chosen for ordered in ((i, j), (j, i))]


def initial_parameters(
    maps: Sequence[PairPointmaps],
    *,
    weighting: Weighting = "log",
    known_focal_px: Float[ndarray, "views"] | None = None,
    device: torch.device | str = "cpu",
) -> AlignmentParameters:
    """Where the alignment starts. Raises `ValueError` where the pairs do not join all pictures, or one is never first."""
    shapes = picture_shapes(maps)
    placed = place_pictures(maps, weighting)
    firsts = [_best_as_first(maps, view) for view in range(len(shapes))]
    fits = [_fit(m.points_first, placed[view], m.confidence_first, weighting) for view, m in enumerate(firsts)]
    similarities = [_fit_pair(m, placed, weighting) for m in maps]
    unit = BASE_SCALE / float(np.exp(np.mean([np.log(one.scale) for one in similarities])))
    cameras = [Similarity(scale=1.0, R=fit.R, t=unit * fit.t) for fit in fits]
    in_unit = [Similarity(scale=unit * one.scale, R=one.R, t=unit * one.t) for one in similarities]
    focal = np.array([focal_of_pointmap(m.points_first) for m in firsts])
    if known_focal_px is not None:
        focal = np.where(np.isfinite(known_focal_px), known_focal_px, focal)
    depths = [unit * fit.scale * m.points_first[..., 2] for fit, m in zip(fits, firsts)]
    return AlignmentParameters(
        log_depth=torch.as_tensor(_packed_depths(depths), dtype=torch.float32, device=device),
        poses=pack_similarities(cameras, device)[:, :7],
        focals=torch.as_tensor(FOCAL_UNIT * np.log(focal)[:, None], dtype=torch.float32, device=device),
        principals=torch.zeros(len(shapes), 2, device=device),
        pair_poses=pack_similarities(in_unit, device),
        pair_adaptors=torch.zeros(len(maps), 2, device=device),
    )


def place_pictures(maps: Sequence[PairPointmaps], weighting: Weighting) -> PlacedPoints:
    """Points of every picture in one frame: from the most confident pair on, always by the most confident pair that joins a
    placed picture to one that is not (the maximal spanning tree, grown by Prim's rule)."""
    ranked = sorted(maps, key=lambda m: -_score(m))
    placed: dict[int, ndarray] = {ranked[0].first: ranked[0].points_first, ranked[0].second: ranked[0].points_second}
    views = len(picture_shapes(maps))
    while len(placed) < views:
        m = next((m for m in ranked if (m.first in placed) != (m.second in placed)), None)
        if m is None:
            raise ValueError(f"the pairs join {len(placed)} of {views} pictures only")
        if m.first in placed:
            placed[m.second] = _fit(m.points_first, placed[m.first], m.confidence_first, weighting).apply(m.points_second)
        else:
            placed[m.first] = _fit(m.points_second, placed[m.second], m.confidence_second, weighting).apply(m.points_first)
    return tuple(placed[view] for view in range(views))


def focal_of_pointmap(points: Float[ndarray, "height width 3"]) -> float:
    """Focal length [px] of the camera in whose frame these points are, its axis in the middle, by the least sum of distances
    from the pixels (Weiszfeld's iteration)."""
    height, width = points.shape[:2]
    y, x = np.mgrid[:height, :width]
    pixel = np.stack([x - width / 2, y - height / 2], axis=-1).reshape(-1, 2)
    flat = points.reshape(-1, 3).astype(float)
    is_ahead = flat[:, 2] > 1e-6 * np.abs(flat[:, 2]).max(initial=1e-12)
    low, high = (bound * max(height, width) for bound in FOCAL_BOUNDS)
    if not is_ahead.any():
        return low
    pixel, ray = pixel[is_ahead], flat[is_ahead, :2] / flat[is_ahead, 2:]
    along, square = (pixel * ray).sum(1), (ray**2).sum(1)
    weight = np.ones(len(ray))
    focal = low
    for _ in range(WEISZFELD_ROUNDS):
        focal = float(np.clip((weight * along).sum() / max((weight * square).sum(), 1e-12), low, high))
        weight = 1 / np.maximum(np.linalg.norm(pixel - focal * ray, axis=1), 1e-8)
    return focal


def _score(m: PairPointmaps) -> float:
    return float(m.confidence_first.mean() * m.confidence_second.mean())


def _best_as_first(maps: Sequence[PairPointmaps], view: int) -> PairPointmaps:
    found = [m for m in maps if m.first == view]
    if not found:
        raise ValueError(f"picture {view} is first in no pair")
    return max(found, key=_score)


def _fit(
    source: Float[ndarray, "*size 3"], target: Float[ndarray, "*size 3"], confidence: Float[ndarray, "*size"],
    weighting: Weighting,
) -> Similarity:  # fmt: skip
    step = max(1, confidence.size // POINTS_A_FIT)
    weights = np.log(confidence).reshape(-1)[::step] + TINY if weighting == "log" else None
    points, wanted = source.reshape(-1, 3)[::step], target.reshape(-1, 3)[::step]
    rough = align_points(points, wanted, weights=weights, with_scale=True)
    spread = float(np.median(np.linalg.norm(rough.apply(points) - wanted, axis=1)))
    return robust_align_points(points, wanted, weights=weights, with_scale=True, sigma=spread + TINY)


def _fit_pair(m: PairPointmaps, placed: PlacedPoints, weighting: Weighting) -> Similarity:
    """The similarity that brings both pictures' points of a pair to where the pictures are placed."""
    both = [(m.points_first, placed[m.first], m.confidence_first), (m.points_second, placed[m.second], m.confidence_second)]
    source, target, confidence = (
        np.concatenate([np.reshape(item[k], (-1, *item[k].shape[2:])) for item in both]) for k in range(3)
    )
    return _fit(source, target, confidence, weighting)


def _packed_depths(depths: Sequence[Float[ndarray, "height width"]]) -> Float[ndarray, "views pixels"]:
    """Logarithms, row by row, padded with zeros; what is not ahead of its camera gets a thousandth of the median depth."""
    packed = np.zeros((len(depths), max(depth.size for depth in depths)))
    for row, depth in zip(packed, depths):
        row[: depth.size] = np.log(np.maximum(depth.ravel(), 1e-3 * np.median(np.abs(depth)) + 1e-12))
    return packed
