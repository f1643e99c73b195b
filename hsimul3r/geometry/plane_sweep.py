"""Points on one object's surface by plane sweeping (Collins 1996): of a pixel's depths that at which the views look alike.

Likeness is the normalised correlation of small windows, warped by the planes parallel to the picture. A depth counts where the
point lies in the object's mask in the other views, where the views agree well, and where another view found it too.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8
from numpy import ndarray

from hsimul3r.artifacts import Cameras
from hsimul3r.geometry.cameras import camera_centers, depth, project, rays

BACKGROUND, OBJECT = 0, 1
"""Values of the label pictures; any other is unknown."""

Labels = tuple[UInt8[ndarray, "height width"] | None, ...]
Points = Float[ndarray, "points 3"]


@dataclass(frozen=True, kw_only=True)
class SweepConfig:
    """Settings of `sweep_object`."""

    long_side_px: int = 640
    """Pictures are made so small first."""
    planes: int = 96
    radius_m: float = 1.2
    """Depths are sought this far before and behind the object's middle."""
    window_px: int = 9
    matched_views: int = 2
    """Nearest views in which a pixel is sought, and those in whose masks its point must lie."""
    masking_views: int = 4
    widest_deg: float = 65.0
    """Views farther apart than this, as seen from the object, do not look alike."""
    least_likeness: float = 0.75
    least_contrast: float = 3.0
    """Standard deviation of a window in grey levels below which nothing can be said."""
    agreement_m: float = 0.03
    voxel_m: float = 0.015
    """One point is kept in each cube of this size."""


@dataclass(frozen=True)
class _View:
    """One picture, made small, and the window of it that shows the object."""

    number: int
    scale: float
    grey: Float[ndarray, "height width"]
    labels: UInt8[ndarray, "height width"]
    corner: tuple[int, int]
    size: tuple[int, int]
    """(width, height) of the window, and its top-left corner (x, y)."""

    def crop(self, picture: ndarray) -> ndarray:
        (x, y), (width, height) = self.corner, self.size
        return picture[y : y + height, x : x + width]

    def full_px(self, small_px: ndarray) -> ndarray:
        return (small_px + 0.5) / self.scale - 0.5

    def small_px(self, full_px: ndarray) -> ndarray:
        return (full_px + 0.5) * self.scale - 0.5


def sweep_object(
    cameras: Cameras, images: tuple[UInt8[ndarray, "height width 3"], ...], labels: Labels, middle: Float[ndarray, "3"],
    cfg: SweepConfig,
) -> tuple[Points, Points]:  # fmt: skip
    """Surface points of the object around `middle`, and from where each was seen."""
    views = [
        _prepare(v, image, mask, cfg)
        for v, (image, mask) in enumerate(zip(images, labels))
        if mask is not None and cameras.is_registered[v] and (mask == OBJECT).sum() > cfg.window_px**2
    ]
    found = {view.number: _depths(cameras, view, _near(cameras, view, views, middle, cfg), middle, cfg) for view in views}
    points, eyes = [np.zeros((0, 3))], [np.zeros((0, 3))]
    for view in views:
        here = _points(cameras, view, found[view.number])
        here = here[_is_confirmed(cameras, here, _near(cameras, view, views, middle, cfg), found, cfg)]
        points.append(here)
        eyes.append(np.tile(camera_centers(cameras)[view.number], (len(here), 1)))
    every, eye = np.concatenate(points), np.concatenate(eyes)
    _, first = np.unique(np.floor(every / cfg.voxel_m).astype(int), axis=0, return_index=True)
    return every[np.sort(first)], eye[np.sort(first)]


def _prepare(
    number: int, image: UInt8[ndarray, "height width 3"], mask: UInt8[ndarray, "height width"], cfg: SweepConfig
) -> _View:
    scale = min(1.0, cfg.long_side_px / max(mask.shape))
    size = (round(mask.shape[1] * scale), round(mask.shape[0] * scale))
    grey = cv2.resize(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), size, interpolation=cv2.INTER_AREA).astype(np.float32)
    small = cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST)
    rows, columns = np.nonzero(small == OBJECT)
    margin = cfg.window_px
    x0, y0 = max(int(columns.min()) - margin, 0), max(int(rows.min()) - margin, 0)
    x1, y1 = min(int(columns.max()) + margin, size[0] - 1), min(int(rows.max()) + margin, size[1] - 1)
    return _View(number, scale, grey, small, (x0, y0), (x1 - x0 + 1, y1 - y0 + 1))


def _near(cameras: Cameras, view: _View, views: list[_View], middle: Float[ndarray, "3"], cfg: SweepConfig) -> list[_View]:
    """The other views within reach, the nearest in angle first."""
    towards = camera_centers(cameras) - middle
    towards = towards / np.linalg.norm(towards, axis=1, keepdims=True)
    angle = {o.number: float(np.degrees(np.arccos(np.clip(towards[view.number] @ towards[o.number], -1, 1)))) for o in views}
    others = [o for o in views if o is not view and angle[o.number] <= cfg.widest_deg]
    return sorted(others, key=lambda o: angle[o.number])[: cfg.masking_views]


def _depths(
    cameras: Cameras, view: _View, others: list[_View], middle: Float[ndarray, "3"], cfg: SweepConfig
) -> Float[ndarray, "height width"]:
    """Depth of every pixel of the view's window, nan where none convinces."""
    origin, per_depth = _rays_of(cameras, view)
    at = float(depth(cameras, view.number, middle))
    near, far = max(at - cfg.radius_m, 0.3), at + cfg.radius_m
    reference = view.crop(view.grey)
    best, chosen = np.full(reference.shape, -1.0), np.full(reference.shape, np.nan)
    if not others or far <= near:
        return chosen
    for z in 1.0 / np.linspace(1.0 / near, 1.0 / far, cfg.planes):
        points = origin + z * per_depth
        likeness, is_inside = np.full(reference.shape, -1.0), np.ones(reference.shape, bool)
        for i, other in enumerate(others):
            uv = other.small_px(project(cameras, other.number, points)).astype(np.float32)
            axes = uv[..., 0], uv[..., 1]
            is_inside &= cv2.remap(other.labels, *axes, cv2.INTER_NEAREST, borderValue=BACKGROUND) != BACKGROUND
            if i < cfg.matched_views:
                warped = cv2.remap(other.grey, *axes, cv2.INTER_LINEAR, borderValue=0)
                likeness = np.maximum(likeness, correlation(reference, warped, cfg.window_px, cfg.least_contrast))
        is_better = is_inside & (likeness > best)
        best[is_better], chosen[is_better] = likeness[is_better], z
    chosen[(best < cfg.least_likeness) | (view.crop(view.labels) != OBJECT)] = np.nan
    return chosen


def _rays_of(cameras: Cameras, view: _View) -> tuple[Float[ndarray, "3"], Float[ndarray, "height width 3"]]:
    """Origin, and direction per metre of depth, of the window's pixels."""
    (x, y), (width, height) = view.corner, view.size
    grid = np.stack(np.meshgrid(np.arange(x, x + width), np.arange(y, y + height)), axis=-1).astype(float)
    origin, directions = rays(cameras, view.number, view.full_px(grid))
    axis = cameras.T_cam_world[view.number][2, :3]
    return origin, directions / (directions @ axis)[..., None]


def correlation(
    a: Float[ndarray, "height width"], b: Float[ndarray, "height width"], window: int, least_contrast: float
) -> Float[ndarray, "height width"]:
    """Normalised correlation of the windows around every pixel; -1 where either lacks contrast."""
    mean = {
        name: cv2.blur(image, (window, window))
        for name, image in (("a", a), ("b", b), ("aa", a * a), ("bb", b * b), ("ab", a * b))
    }
    var_a, var_b = mean["aa"] - mean["a"] ** 2, mean["bb"] - mean["b"] ** 2
    covariance = mean["ab"] - mean["a"] * mean["b"]
    has_contrast = np.minimum(var_a, var_b) > least_contrast**2
    return np.where(has_contrast, covariance / np.sqrt(np.maximum(var_a * var_b, 1e-6)), -1.0)


def _points(cameras: Cameras, view: _View, depths: Float[ndarray, "height width"]) -> Points:
    origin, per_depth = _rays_of(cameras, view)
    is_found = np.isfinite(depths)
    return origin + depths[is_found][:, None] * per_depth[is_found]


def _is_confirmed(
    cameras: Cameras, points: Points, others: list[_View], found: dict[int, ndarray], cfg: SweepConfig
) -> Bool[ndarray, "points"]:
    """Points that another view has at the same depth, within the agreement, where it sees them."""
    confirmed = np.zeros(len(points), bool)
    for other in others:
        pixel = other.small_px(project(cameras, other.number, points)) - np.array(other.corner)
        column, row = np.nan_to_num(np.round(pixel), nan=-1.0).astype(int).T
        width, height = other.size
        inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
        theirs = np.full(len(points), np.nan)
        theirs[inside] = found[other.number][row[inside], column[inside]]
        confirmed |= np.abs(theirs - depth(cameras, other.number, points)) < cfg.agreement_m
    return confirmed
