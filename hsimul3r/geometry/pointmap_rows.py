"""Pairwise pointmaps as observations of the joint adjustment: Eq. 1's residuals with the adjusted cameras in them.

A sample is a pixel of one view, whose scene point is sought. Every pair of pictures that shows this view says where the
point lies, in the frame of its first picture and in a scale of its own. With X the point, R, t the first picture's camera
and s the pair's log scale the residual is exp(-s) (R X + t) - x: in the pair's units, so that no smaller scene fits it better.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from hsimul3r.artifacts import Cameras
from hsimul3r.geometry.cameras import camera_centers, rays
from hsimul3r.geometry.global_alignment import PairPointmaps

NEAREST = 0.05
"""Of the median distance: nearer points are taken to be that far when distances are compared."""


@dataclass(frozen=True, kw_only=True)
class PointmapRows:
    """Samples of all views, and what the pairs of pictures say of each: a row per sample and pair."""

    view: Int[ndarray, "samples"]
    uv_px: Float[ndarray, "samples 2"]
    """Working pixels."""
    first: Int[ndarray, "pairs"]
    """View in whose camera a pair's points are."""
    sample: Int[ndarray, "rows"]
    pair: Int[ndarray, "rows"]
    points: Float[ndarray, "rows 3"]
    weight: Float[ndarray, "rows"]
    """Log confidence over its mean."""

    def distances(self) -> Float[ndarray, "rows"]:
        """Of the points from their camera, in the pairs' units."""
        distance = np.linalg.norm(self.points, axis=1)
        return np.maximum(distance, NEAREST * np.median(distance)) if len(distance) else distance


@dataclass(frozen=True, kw_only=True)
class PointmapStart:
    """Where the adjustment of samples and scales begins."""

    samples: Float[ndarray, "samples 3"]
    log_scale: Float[ndarray, "pairs"]


def no_rows() -> PointmapRows:
    """Of views that no network saw."""
    none = np.zeros(0, int)
    return PointmapRows(
        view=none, uv_px=np.zeros((0, 2)), first=none, sample=none, pair=none, points=np.zeros((0, 3)), weight=np.zeros(0)
    )


def sample_pointmaps(
    maps: Sequence[PairPointmaps],
    pixels_px: Sequence[Float[ndarray, "pixels 2"]],
    is_static: Sequence[Bool[ndarray, "height width"]],
    *,
    most_rows: int,
) -> PointmapRows:
    """At most about `most_rows` rows: pixels on a grid of every picture, as wide as that asks, where `is_static`.

    `pixels_px` are the working pixels of a picture's pixels, row by row. Points of confidence one count for nothing.
    """
    sides = [(e, view) for e, m in enumerate(maps) for view in (m.first, m.second)]
    wanted = sum(int(is_static[view].sum()) for _, view in sides)
    stride = max(1, int(np.ceil(np.sqrt(wanted / max(most_rows, 1)))))
    chosen = [_grid(mask, stride) for mask in is_static]
    start = np.cumsum([0] + [len(pixels) for pixels in chosen])
    sample, pair, points, confidence = [], [], [], []
    for e, m in enumerate(maps):
        both = ((m.first, m.points_first, m.confidence_first), (m.second, m.points_second, m.confidence_second))
        for view, xyz, sure in both:
            sample.append(start[view] + np.arange(len(chosen[view])))
            pair.append(np.full(len(chosen[view]), e))
            points.append(xyz.reshape(-1, 3)[chosen[view]].astype(float))
            confidence.append(sure.ravel()[chosen[view]].astype(float))
    weight = np.log(np.concatenate(confidence))
    counts = weight > 1e-6
    found = PointmapRows(
        view=np.repeat(np.arange(len(chosen)), np.diff(start)),
        uv_px=np.concatenate([px[pixels] for px, pixels in zip(pixels_px, chosen)]),
        first=np.array([m.first for m in maps]),
        sample=np.concatenate(sample)[counts],
        pair=np.concatenate(pair)[counts],
        points=np.concatenate(points)[counts],
        weight=weight[counts] / max(float(weight[counts].mean()) if counts.any() else 1.0, 1e-12),
    )
    return select_rows(found, np.ones(int(np.max([*found.view, *found.first], initial=-1)) + 1, bool))


def select_rows(rows: PointmapRows, is_registered: Bool[ndarray, "views"]) -> PointmapRows:
    """Rows of registered views and cameras; samples of which two pairs speak, and pairs that say something, numbered anew."""
    keep = is_registered[rows.view[rows.sample]] & is_registered[rows.first[rows.pair]]
    spoken = np.bincount(rows.sample[keep], minlength=len(rows.view))
    keep &= (spoken >= 2)[rows.sample]
    samples, sample = np.unique(rows.sample[keep], return_inverse=True)
    pairs, pair = np.unique(rows.pair[keep], return_inverse=True)
    return replace(
        rows, view=rows.view[samples], uv_px=rows.uv_px[samples], first=rows.first[pairs], sample=sample, pair=pair,
        points=rows.points[keep], weight=rows.weight[keep],
    )  # fmt: skip


def start_rows(rows: PointmapRows, cameras: Cameras) -> PointmapStart:
    """Scales and points as the cameras alone say them, all by medians.

    With the pair's own camera in the world, x at scale s lies at c + s d, and the sample on the ray from o along u: the
    scale that brings both together is that for which s d - (o - c) has least length across u. Pairs that say nothing of their
    second view take the scale of their first view's samples, which other pairs placed.
    """
    origin, along = _sample_rays(rows, cameras)
    R, centre, first = cameras.T_cam_world[:, :3, :3], camera_centers(cameras), rows.first[rows.pair]
    d, u = np.einsum("nji,nj->ni", R[first], rows.points), along[rows.sample]
    from_sample = centre[first] - origin[rows.sample]
    across, apart = (a - (a * u).sum(1, keepdims=True) * u for a in (d, -from_sample))
    scale = (across * apart).sum(1) / np.maximum((across**2).sum(1), 1e-12)
    tells = (rows.view[rows.sample] != first) & (scale > 0)
    log_scale = _medians(rows.pair[tells], np.log(scale[tells]), len(rows.first))
    placed = np.isfinite(log_scale)[rows.pair]
    reach = ((np.exp(log_scale)[rows.pair, None] * d + from_sample) * u).sum(1)
    distance = _medians(rows.sample[placed], reach[placed], len(rows.view))
    distance = np.where(np.isfinite(distance), distance, np.nanmedian(distance) if placed.any() else 1.0)
    samples = origin + np.maximum(distance, NEAREST * max(float(np.median(distance)), 1e-6))[:, None] * along
    ratio = np.linalg.norm(samples[rows.sample] - centre[first], axis=1) / rows.distances()
    by_samples = _medians(rows.pair, np.log(np.maximum(ratio, 1e-12)), len(rows.first))
    return PointmapStart(samples=samples, log_scale=np.where(np.isfinite(log_scale), log_scale, by_samples))


def _sample_rays(rows: PointmapRows, cameras: Cameras) -> tuple[Float[ndarray, "samples 3"], Float[ndarray, "samples 3"]]:
    """Origins and unit directions of the samples' pixels in the world."""
    origin, along = np.zeros((len(rows.view), 3)), np.zeros((len(rows.view), 3))
    for v in np.unique(rows.view):
        of_view = rows.view == v
        origin[of_view], along[of_view] = rays(cameras, int(v), rows.uv_px[of_view])
    return origin, along


def _grid(is_static: Bool[ndarray, "height width"], stride: int) -> Int[ndarray, "pixels"]:
    """Numbers, row by row, of every `stride`-th static pixel each way."""
    found = np.flatnonzero(is_static)
    row, column = np.divmod(found, is_static.shape[1])
    return found[(row % stride == stride // 2) & (column % stride == stride // 2)]


def _medians(group: Int[ndarray, "items"], values: Float[ndarray, "items"], groups: int) -> Float[ndarray, "groups"]:
    """Median of each group's values, nan where it has none."""
    order = np.lexsort((values, group))
    count = np.bincount(group, minlength=groups)
    last = np.cumsum(count)
    begin = last - count
    ranked = np.append(values[order], np.nan)
    low, high = begin + np.maximum(count - 1, 0) // 2, begin + count // 2
    return np.where(count > 0, (ranked[np.minimum(low, len(values))] + ranked[np.minimum(high, len(values))]) / 2, np.nan)
