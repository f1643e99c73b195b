"""Pairwise pointmaps whose answer is known: smooth depth maps of cameras around the origin."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from hsimul3r.geometry.global_alignment import PairPointmaps
from hsimul3r.geometry.pointmap_start import select_pairs
from hsimul3r.geometry.rotations import matrix_from_axis_angle

SIZES = ((16, 24), (24, 16), (18, 20), (16, 24))


@dataclass(frozen=True, kw_only=True)
class TrueViews:
    """Answer of the alignment, in a frame and scale of its own."""

    depth: tuple[Float[ndarray, "height width"], ...]
    focal_px: Float[ndarray, "views"]
    T_world_cam: Float[ndarray, "views 4 4"]

    def points(self, view: int) -> Float[ndarray, "height width 3"]:
        """In the view's camera."""
        depth = self.depth[view]
        y, x = np.mgrid[: depth.shape[0], : depth.shape[1]]
        middle = np.array(depth.shape[::-1]) / 2
        rays = np.stack([(x - middle[0]) / self.focal_px[view], (y - middle[1]) / self.focal_px[view], np.ones_like(depth)], -1)
        return rays * depth[..., None]


def true_views(count: int = 4, seed: int = 0) -> TrueViews:
    rng = np.random.default_rng(seed)
    depth, poses = [], []
    for k in range(count):
        height, width = SIZES[k]
        y, x = np.mgrid[:height, :width]
        waves = np.sin(x / 5 + rng.uniform(0, 6)) + np.cos(y / 4 + rng.uniform(0, 6))
        depth.append(3 + 0.4 * waves + 0.2 * rng.standard_normal())
        T = np.eye(4)
        T[:3, :3] = matrix_from_axis_angle(np.array([0.1 * k, 0.5 * k, 0.05]))
        T[:3, 3] = 0.8 * rng.standard_normal(3)
        poses.append(T)
    return TrueViews(depth=tuple(depth), focal_px=20 + 3 * rng.random(count), T_world_cam=np.array(poses))


def pairs_of(
    views: TrueViews, *, seed: int = 0, noise: float = 0.0, outliers: float = 0.0, scheme: str = "complete"
) -> list[PairPointmaps]:
    """Every ordered pair in a scale of its own; outliers lie anywhere on their rays and have little confidence."""
    rng = np.random.default_rng(seed)
    maps = []
    for i, j in select_pairs(len(views.depth), scheme, window=1):  # pyright: ignore[reportArgumentType]
        T, scale = np.linalg.inv(views.T_world_cam[i]) @ views.T_world_cam[j], np.exp(0.4 * rng.standard_normal())
        arrays = {}
        for side, view in (("first", i), ("second", j)):
            shape = views.depth[view].shape
            is_outlier = rng.random(shape) < outliers
            factor = np.where(is_outlier, rng.uniform(0.4, 3.0, shape), 1 + noise * rng.standard_normal(shape))
            points = views.points(view) * factor[..., None]
            arrays[f"points_{side}"] = scale * (points if view == i else points @ T[:3, :3].T + T[:3, 3])
            arrays[f"confidence_{side}"] = np.where(is_outlier, 1.05, 5.0)
        maps.append(PairPointmaps(first=i, second=j, **arrays))
    return maps
