"""Background by parallax: a pixel shows the floor or a wall where the other views show the same there, warped by that plane.

The cameras are known, so what stands before a plane is seen by every view at another place of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8
from numpy import ndarray

from hsimul3r.artifacts import Cameras, PointTracks
from hsimul3r.geometry.cameras import camera_centers, project, rays

UNDECIDED, BACKGROUND, FOREGROUND = 0, 1, 2
OUTSIDE_PX = -1e4


@dataclass(frozen=True, kw_only=True)
class ParallaxConfig:
    """Settings of `evidence` and `walls`."""

    work_px: int = 640
    """Long side of the pictures that are compared."""
    window_px: int = 9
    min_likeness: float = 0.6
    sure_likeness: float = 0.85
    """Least normalised cross-correlation of windows of the same place: in two views, or in one."""
    max_same_colour: float = 20.0
    """Largest difference of two windows' mean colours (0 to 255) of the same place: shine changes with the view."""
    min_other_colour: float = 28.0
    """Least difference of two windows of different places, asked of all views."""
    min_contrast: float = 3.0
    """Windows whose colours spread less (standard deviation) cannot agree."""
    min_witnesses: int = 3
    """Views that must contradict a plane: furniture that blocks one or two is common."""
    relief_m: float = 0.1
    min_parallax_px: float = 5.0
    """A view can tell where something `relief_m` before the plane moves at least so far."""
    min_piece_px: int = 40
    """Smaller pieces of background are chance."""
    wall_inlier_m: float = 0.04
    min_wall_points: int = 60
    max_beyond: float = 0.02
    """A wall has at most this part of all points behind it."""
    most_walls: int = 4
    wall_trials: int = 600


@dataclass(frozen=True, kw_only=True)
class Plane:
    """Points with normal @ x = offset; the normal points to where the cameras are."""

    normal: Float[ndarray, "3"]
    offset: float
    hull_xy: Float[ndarray, "corners 2"] | None = None
    """Convex outline of its known part; None where all of it is."""


Evidence = UInt8[ndarray, "height width"]


def evidence(
    images: Sequence[UInt8[ndarray, "height width 3"]],
    persons: Sequence[Bool[ndarray, "height width"]],
    cameras: Cameras,
    planes: Sequence[Plane],
    cfg: ParallaxConfig,
) -> tuple[Evidence, ...]:
    """Per view: BACKGROUND where another view agrees that a plane is seen; FOREGROUND where all that can tell contradict the
    nearest plane on the ray and none agrees with any; else UNDECIDED."""
    scale = [min(1.0, cfg.work_px / max(image.shape[:2])) for image in images]
    looks = [_look(image, person, s) for image, person, s in zip(images, persons, scale)]
    found = []
    for v, image in enumerate(images):
        small = _of_view(v, looks, cameras, scale, planes, cfg) if cameras.is_registered[v] else None
        height, width = image.shape[:2]
        if small is None:
            small = np.zeros((1, 1), np.uint8)
        found.append(cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST))
    return tuple(found)


def floor_plane(tracks: PointTracks, is_floor_point: Bool[ndarray, "points"], cameras: Cameras) -> Plane:
    """The floor z = 0, known between its points and the places below the cameras."""
    below = camera_centers(cameras)[cameras.is_registered][:, :2]
    known = np.concatenate([tracks.points[is_floor_point][:, :2], below]).astype(np.float32)
    hull = cv2.convexHull(known)[:, 0] if len(known) >= 3 else np.zeros((0, 2))
    return Plane(normal=np.array([0.0, 0.0, 1.0]), offset=0.0, hull_xy=np.asarray(hull, float))


def walls(
    tracks: PointTracks, cameras: Cameras, people_xy: Float[ndarray, "people 2"], cfg: ParallaxConfig, *, seed: int
) -> tuple[Plane, ...]:
    """Upright planes that hold many points, have next to none behind, and all cameras and people before them."""
    rng, left, found = np.random.default_rng(seed), tracks.points[:, :2], []
    inside = np.concatenate([camera_centers(cameras)[cameras.is_registered][:, :2], people_xy])
    while len(left) >= cfg.min_wall_points and len(found) < cfg.most_walls:
        best, on_best = None, np.zeros(len(left), bool)
        for pair in rng.integers(0, len(left), size=(cfg.wall_trials, 2)):
            line = _line(left[pair], inside)
            if line is None:
                continue
            on_line = np.abs(left @ line[0] - line[1]) < cfg.wall_inlier_m
            if on_line.sum() > on_best.sum() and _bounds(line, tracks.points[:, :2], inside, cfg):
                best, on_best = line, on_line
        if best is None or on_best.sum() < cfg.min_wall_points:
            break
        normal, offset = _refined(left[on_best], inside)
        found.append(Plane(normal=np.array([*normal, 0.0]), offset=offset))
        left = left[~on_best]
    return tuple(found)


def _line(pair: Float[ndarray, "2 2"], inside: Float[ndarray, "places 2"]) -> tuple[ndarray, float] | None:
    along = pair[1] - pair[0]
    length = float(np.linalg.norm(along))
    if length < 0.3:
        return None
    normal = np.array([-along[1], along[0]]) / length
    return _turned(normal, float(normal @ pair[0]), inside)


def _turned(normal: Float[ndarray, "2"], offset: float, inside: Float[ndarray, "places 2"]) -> tuple[ndarray, float]:
    return (-normal, -offset) if (inside.mean(0) @ normal) < offset else (normal, offset)


def _bounds(line: tuple[ndarray, float], points: ndarray, inside: ndarray, cfg: ParallaxConfig) -> bool:
    normal, offset = line
    is_beyond = points @ normal < offset - 2.0 * cfg.wall_inlier_m
    return bool((inside @ normal > offset + 0.2).all() and is_beyond.mean() <= cfg.max_beyond)


def _refined(points: Float[ndarray, "points 2"], inside: Float[ndarray, "places 2"]) -> tuple[ndarray, float]:
    middle = points.mean(0)
    normal = np.linalg.svd(points - middle, full_matrices=False)[2][1]
    return _turned(normal, float(normal @ middle), inside)


@dataclass(frozen=True)
class _Look:
    """A view in working size."""

    picture: Float[ndarray, "h w 3"]
    is_hidden: UInt8[ndarray, "h w"]


def _look(image: UInt8[ndarray, "height width 3"], person: Bool[ndarray, "height width"], scale: float) -> _Look:
    size = round(image.shape[1] * scale), round(image.shape[0] * scale)
    hidden = cv2.resize(person.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0.0
    return _Look(cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.float32), hidden.astype(np.uint8))


def _of_view(
    view: int, looks: Sequence[_Look], cameras: Cameras, scale: Sequence[float], planes: Sequence[Plane], cfg: ParallaxConfig
) -> Evidence:
    h, w = looks[view].picture.shape[:2]
    grid = np.stack(np.meshgrid(np.arange(w), np.arange(h)), axis=-1)
    origin, direction = rays(cameras, view, (grid + 0.5) / scale[view] - 0.5)
    agrees, differs, nearest = np.zeros((h, w), bool), np.zeros((h, w), bool), np.full((h, w), np.inf)
    for plane in planes:
        reach = _reach(plane, origin, direction)
        agreed, contradicted = _test_plane(view, looks, cameras, scale, plane, (origin, direction, reach), cfg)
        agrees |= agreed
        is_nearer = reach < nearest
        differs[is_nearer] = (contradicted & _is_known(plane, origin + reach[..., None] * direction))[is_nearer]
        nearest = np.minimum(nearest, reach)
    agrees = _without_specks(agrees, cfg.min_piece_px)
    return np.where(agrees, BACKGROUND, np.where(differs, FOREGROUND, UNDECIDED)).astype(np.uint8)


def _reach(plane: Plane, origin: Float[ndarray, "3"], direction: Float[ndarray, "h w 3"]) -> Float[ndarray, "h w"]:
    """Distance along the rays to the plane's front; inf where they do not meet it."""
    slope = direction @ plane.normal
    return np.where(slope < -1e-6, (plane.offset - origin @ plane.normal) / np.minimum(slope, -1e-6), np.inf)


def _is_known(plane: Plane, points: Float[ndarray, "h w 3"]) -> Bool[ndarray, "h w"]:
    if plane.hull_xy is None:
        return np.asarray(np.isfinite(points).all(axis=-1))
    after = np.roll(plane.hull_xy, -1, axis=0) - plane.hull_xy
    offset = np.where(np.isfinite(points), points, OUTSIDE_PX)[..., None, :2] - plane.hull_xy
    side = after[:, 0] * offset[..., 1] - after[:, 1] * offset[..., 0]
    is_inside = (side >= 0.0).all(axis=-1) | (side <= 0.0).all(axis=-1)
    return np.asarray(is_inside & (len(plane.hull_xy) >= 3))


def _test_plane(
    view: int, looks: Sequence[_Look], cameras: Cameras, scale: Sequence[float], plane: Plane,
    ray: tuple[ndarray, ndarray, ndarray], cfg: ParallaxConfig,
) -> tuple[Bool[ndarray, "h w"], Bool[ndarray, "h w"]]:  # fmt: skip
    """Pixels where a view agrees that they show the plane, and where enough views contradict and none is like it."""
    origin, direction, reach = ray
    height = float(origin @ plane.normal) - plane.offset
    point = origin + reach[..., None] * direction
    raised = origin + (reach * (1.0 - cfg.relief_m / max(height, 2.0 * cfg.relief_m)))[..., None] * direction
    votes = np.zeros(reach.shape, int)
    can_tell, contradicts = np.zeros(reach.shape, int), np.zeros(reach.shape, int)
    for u in np.flatnonzero(cameras.is_registered).tolist():
        if u == view:
            continue
        at = _pixels(cameras, u, point, scale[u])
        shifted = _pixels(cameras, u, raised, scale[u])
        is_seen = _is_seen(at, looks[u]) & (np.linalg.norm(at - shifted, axis=-1) >= cfg.min_parallax_px)
        warped = cv2.remap(looks[u].picture, at[..., 0], at[..., 1], cv2.INTER_LINEAR)
        likeness, colour, contrast = compare(looks[view].picture, warped, cfg.window_px)
        is_same = is_seen & (colour < cfg.max_same_colour) & (contrast > cfg.min_contrast)
        votes += is_same * ((likeness > cfg.min_likeness).astype(int) + (likeness > cfg.sure_likeness))
        can_tell += is_seen
        contradicts += is_seen & (colour > cfg.min_other_colour)
    return votes >= 2, (contradicts == can_tell) & (can_tell >= cfg.min_witnesses)


def _pixels(cameras: Cameras, view: int, points: Float[ndarray, "h w 3"], scale: float) -> Float[ndarray, "h w 2"]:
    """Working pixels of points, far outside where not seen."""
    uv = (project(cameras, view, np.where(np.isfinite(points), points, 0.0)) + 0.5) * scale - 0.5
    is_seen = np.asarray(np.isfinite(uv).all(-1) & np.isfinite(points).all(-1))
    return np.where(is_seen[..., None], np.clip(uv, OUTSIDE_PX, -OUTSIDE_PX), OUTSIDE_PX).astype(np.float32)


def _is_seen(at: Float[ndarray, "h w 2"], look: _Look) -> Bool[ndarray, "h w"]:
    """True where a warped pixel lies in the other picture and off its people."""
    height, width = look.is_hidden.shape
    x, y = at[..., 0], at[..., 1]
    is_inside = (x >= 0.0) & (y >= 0.0) & (x <= width - 1.0) & (y <= height - 1.0)
    return is_inside & (cv2.remap(look.is_hidden, x, y, cv2.INTER_NEAREST) == 0)


def compare(
    a: Float[ndarray, "h w 3"], b: Float[ndarray, "h w 3"], window_px: int
) -> tuple[Float[ndarray, "h w"], Float[ndarray, "h w"], Float[ndarray, "h w"]]:
    """Windows around every pixel of two pictures: normalised cross-correlation over all channels, largest difference of a
    channel's means, and the smaller standard deviation."""

    def mean(x: ndarray) -> ndarray:
        return cv2.blur(x, (window_px, window_px))

    mean_a, mean_b = mean(a), mean(b)
    variance_a, variance_b, covariance = (
        (mean(x * y) - mean_x * mean_y).sum(-1)
        for x, y, mean_x, mean_y in ((a, a, mean_a, mean_a), (b, b, mean_b, mean_b), (a, b, mean_a, mean_b))
    )
    variance_a, variance_b = np.maximum(variance_a, 1e-3), np.maximum(variance_b, 1e-3)
    likeness = covariance / np.sqrt(variance_a * variance_b)
    return likeness, np.abs(mean_a - mean_b).max(-1), np.sqrt(np.minimum(variance_a, variance_b) / 3.0)


def _without_specks(mask: Bool[ndarray, "h w"], min_px: int) -> Bool[ndarray, "h w"]:
    _, pieces, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    keep = stats[:, cv2.CC_STAT_AREA] >= min_px
    keep[0] = False
    return keep[np.asarray(pieces, int)]
