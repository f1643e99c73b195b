"""Errors of calibrated cameras against true ones, after a rigid or similarity alignment of their worlds."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from hsimul3r.artifacts import Cameras
from hsimul3r.geometry.alignment import Similarity
from hsimul3r.geometry.cameras import camera_centers, transform_cameras
from hsimul3r.geometry.rotations import angle_between

AXIS_M = 1.0
"""An orientation weighs in the alignment as much as three points this far along the camera's axes."""


@dataclass(frozen=True, kw_only=True)
class CameraErrors:
    """Errors per registered view, in degrees, metres and percent of the true focal length."""

    rotation_deg: Float[ndarray, "views"]
    position_m: Float[ndarray, "views"]
    focal_percent: Float[ndarray, "views"]

    @property
    def ate_m(self) -> float:
        """Absolute trajectory error: root mean square of the position errors."""
        return float(np.sqrt((self.position_m**2).mean()))


def align_worlds(estimated: Cameras, true: Cameras, *, with_scale: bool = False) -> Similarity:
    """Map from the estimated to the true world by the views registered in both: orientations and centres, by least squares.

    Scale, where asked for, comes from the centres. Two cameras suffice, since orientations count.
    """
    both = _common(estimated, true)
    a, b = camera_centers(estimated)[both], camera_centers(true)[both]
    a0, b0 = a.mean(axis=0), b.mean(axis=0)
    orientations = np.einsum("vki,vkj->ij", true.T_cam_world[both, :3, :3], estimated.T_cam_world[both, :3, :3])
    u, _, vt = np.linalg.svd((b - b0).T @ (a - a0) + AXIS_M**2 * orientations)
    R = u @ np.diag([1, 1, np.linalg.det(u @ vt)]) @ vt
    spread = float(((a - a0) ** 2).sum())
    scale = float(((b - b0) * ((a - a0) @ R.T)).sum()) / spread if with_scale and spread > 0 else 1.0
    return Similarity(scale=scale, R=R, t=b0 - scale * R @ a0)


def camera_errors(estimated: Cameras, true: Cameras, *, with_scale: bool = False) -> CameraErrors:
    """Errors of the views registered in both, after `align_worlds`."""
    both = _common(estimated, true)
    moved = transform_cameras(estimated, align_worlds(estimated, true, with_scale=with_scale))
    return CameraErrors(
        rotation_deg=np.degrees(angle_between(moved.T_cam_world[both, :3, :3], true.T_cam_world[both, :3, :3])),
        position_m=np.linalg.norm(camera_centers(moved)[both] - camera_centers(true)[both], axis=1),
        focal_percent=100 * np.abs(estimated.focal_px[both] / true.focal_px[both] - 1),
    )


def relative_pose_accuracy(estimated: Cameras, true: Cameras, *, threshold_deg: float) -> tuple[float, float]:
    """RRA and RTA at a threshold, in percent of all pairs of views: the relative rotation's angle error, and the angle between
    the directions of the relative translation, are below it. A pair with an unregistered view fails both."""
    views = len(true.focal_px)
    usable = estimated.is_registered & true.is_registered
    hits = np.zeros(2)
    for i in range(views):
        for j in range(i + 1, views):
            if usable[i] and usable[j]:
                hits += np.array(_pair_errors_deg(estimated, true, i, j)) < threshold_deg
    rra, rta = 100 * hits / max(views * (views - 1) // 2, 1)
    return float(rra), float(rta)


def _pair_errors_deg(estimated: Cameras, true: Cameras, i: int, j: int) -> tuple[float, float]:
    a, b = (c.T_cam_world[j] @ np.linalg.inv(c.T_cam_world[i]) for c in (estimated, true))
    along = np.linalg.norm(a[:3, 3]) * np.linalg.norm(b[:3, 3])
    cosine = a[:3, 3] @ b[:3, 3] / along if along > 0 else -1.0
    return float(np.degrees(angle_between(a[:3, :3], b[:3, :3]))), float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))


def _common(estimated: Cameras, true: Cameras) -> ndarray:
    both = np.flatnonzero(estimated.is_registered & true.is_registered)
    if len(both) < 2:
        raise ValueError(f"two views registered in both sets are needed, found {len(both)}")
    return both
