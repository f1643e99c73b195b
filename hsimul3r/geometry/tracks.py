"""Feature matches between views, joined to tracks and triangulated to scene points."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from hsimul3r.artifacts import Cameras, PointTracks
from hsimul3r.geometry.cameras import project, rays


@dataclass(frozen=True, kw_only=True)
class PairMatches:
    """Matches of two views as rows (keypoint of a, keypoint of b)."""

    view_a: int
    view_b: int
    index: Int[ndarray, "matches 2"]


@dataclass(frozen=True, kw_only=True)
class Correspondences:
    """Keypoints per view and their matches in pairs of views."""

    keypoints_px: tuple[Float[ndarray, "keypoints 2"], ...]
    pairs: tuple[PairMatches, ...]


def no_tracks() -> PointTracks:
    """Tracks of a scene without features."""
    return PointTracks(
        points=np.zeros((0, 3)), colors=np.zeros((0, 3), np.uint8), view=np.zeros(0, int), point=np.zeros(0, int),
        uv_px=np.zeros((0, 2)),
    )  # fmt: skip


def select_tracks(tracks: PointTracks, is_kept: ndarray) -> PointTracks:
    """Keep some of the observations, then the points that two or more of them see, numbered anew."""
    count = np.bincount(tracks.point[is_kept], minlength=len(tracks.points))
    is_kept = is_kept & (count >= 2)[tracks.point]
    number = np.cumsum(count >= 2) - 1
    return PointTracks(
        points=tracks.points[count >= 2], colors=tracks.colors[count >= 2], view=tracks.view[is_kept],
        point=number[tracks.point[is_kept]], uv_px=tracks.uv_px[is_kept],
    )  # fmt: skip


def join_matches(matches: Correspondences) -> Float[ndarray, "tracks views 2"]:
    """Pixels of every track in every view, nan where it was not seen: the connected components of all matches.

    A view in which a component has two keypoints contradicts itself and counts as not seen.
    """
    counts = [len(k) for k in matches.keypoints_px]
    start = np.concatenate([[0], np.cumsum(counts)])
    if not matches.pairs:
        return np.zeros((0, len(counts), 2))
    rows = np.concatenate([start[p.view_a] + p.index[:, 0] for p in matches.pairs])
    columns = np.concatenate([start[p.view_b] + p.index[:, 1] for p in matches.pairs])
    graph = coo_array((np.ones(len(rows)), (rows, columns)), shape=(start[-1], start[-1]))
    label = connected_components(graph, directed=False)[1]
    view = np.repeat(np.arange(len(counts)), counts)
    seen = np.zeros((label.max() + 1, len(counts)), int)
    np.add.at(seen, (label, view), 1)
    uv = np.full((len(seen), len(counts), 2), np.nan)
    uv[label, view] = np.concatenate(matches.keypoints_px)
    uv[seen != 1] = np.nan
    return uv[(seen == 1).sum(1) >= 2]


def triangulate_tracks(
    cameras: Cameras, uv_px: Float[ndarray, "tracks views 2"], *, max_error_px: float, min_angle_deg: float
) -> PointTracks:
    """Scene points of tracks: of all pairs of views the one whose point most views agree with, within `max_error_px`.

    Views that disagree, tracks with one agreeing view, and points whose rays meet at less than `min_angle_deg` are left out.
    """
    tracks = len(uv_px)
    best_count, best_error, best = np.zeros(tracks, int), np.full(tracks, np.inf), np.full((tracks, 3), np.nan)
    views = np.flatnonzero(cameras.is_registered)
    for a, b in combinations(views, 2):
        point, angle = _midpoints(cameras, int(a), int(b), uv_px[:, a], uv_px[:, b])
        error = track_errors(cameras, point, uv_px)
        agrees = error < max_error_px
        count, mean = agrees.sum(1), np.where(agrees, error, 0).sum(1) / np.maximum(agrees.sum(1), 1)
        is_sound = agrees[:, a] & agrees[:, b] & (angle > np.radians(min_angle_deg))
        is_better = is_sound & ((count > best_count) | ((count == best_count) & (mean < best_error)))
        best[is_better], best_count[is_better], best_error[is_better] = point[is_better], count[is_better], mean[is_better]
    found = np.flatnonzero(best_count >= 2)
    point, view = np.nonzero(track_errors(cameras, best[found], uv_px[found]) < max_error_px)
    colors = np.zeros((len(found), 3), np.uint8)
    return PointTracks(points=best[found], colors=colors, view=view, point=point, uv_px=uv_px[found[point], view])


def track_errors(
    cameras: Cameras, points: Float[ndarray, "tracks 3"], uv_px: Float[ndarray, "tracks views 2"]
) -> Float[ndarray, "tracks views"]:
    """Reprojection error [px] of points in the registered views; inf where not seen."""
    errors = np.full(uv_px.shape[:2], np.inf)
    for v in np.flatnonzero(cameras.is_registered):
        errors[:, v] = np.linalg.norm(project(cameras, int(v), points) - uv_px[:, v], axis=1)
    return np.nan_to_num(errors, nan=np.inf)


def _midpoints(
    cameras: Cameras, a: int, b: int, uv_a: Float[ndarray, "tracks 2"], uv_b: Float[ndarray, "tracks 2"]
) -> tuple[Float[ndarray, "tracks 3"], Float[ndarray, "tracks"]]:
    """Midpoints of the shortest segments between two bundles of rays, and the angle [rad] at which the rays meet."""
    (origin_a, da), (origin_b, db) = rays(cameras, a, uv_a), rays(cameras, b, uv_b)
    between = origin_b - origin_a
    cosine = (da * db).sum(1)
    sine2 = np.maximum(1 - cosine**2, 1e-12)
    along_a = (da @ between - cosine * (db @ between)) / sine2
    along_b = (cosine * (da @ between) - db @ between) / sine2
    middle = (origin_a + along_a[:, None] * da + origin_b + along_b[:, None] * db) / 2
    return middle, np.arccos(np.clip(cosine, -1, 1))
