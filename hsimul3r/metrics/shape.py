"""Likeness of two object surfaces: Chamfer distance, F-score, 3D IoU, heights; in metres or as published elsewhere."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray
from scipy.spatial import KDTree

from hsimul3r.geometry.alignment import Similarity, align_points
from hsimul3r.geometry.sdf import SignedDistanceField

Normalisation = Literal["midi", "dso"]
TAU = {"midi": 0.1, "dso": 0.05}
"""Threshold of the F-score in normalised units, as MIDI and DSO have it."""


@dataclass(frozen=True, kw_only=True)
class SurfaceLikeness:
    """Comparison of two point samples of surfaces; precision, recall and F-score in percent."""

    chamfer: float
    precision: float
    recall: float
    f_score: float


def surface_likeness(
    estimated: Float[ndarray, "points 3"], true: Float[ndarray, "truth 3"], *, threshold: float
) -> SurfaceLikeness:
    """Chamfer distance (mean of the two directions' mean distances) and F-score at `threshold`, in the unit of the points."""
    to_true, _ = KDTree(true).query(estimated)
    to_estimated, _ = KDTree(estimated).query(true)
    precision, recall = 100 * float((to_true < threshold).mean()), 100 * float((to_estimated < threshold).mean())
    return SurfaceLikeness(
        chamfer=float(to_true.mean() + to_estimated.mean()) / 2,
        precision=precision,
        recall=recall,
        f_score=2 * precision * recall / (precision + recall) if precision + recall > 0 else 0.0,
    )


def normalised_likeness(
    estimated: Float[ndarray, "points 3"], true: Float[ndarray, "truth 3"], *, normalisation: Normalisation
) -> SurfaceLikeness:
    """`surface_likeness` after normalising each set, rigid ICP, and with the threshold of the publication.

    "midi": each axis of the box to [-.95, .95], tau .1. "dso": largest extent of the box 1, tau .05.
    """
    a, b = normalise(estimated, normalisation), normalise(true, normalisation)
    return surface_likeness(icp(a, b).apply(a), b, threshold=TAU[normalisation])


def normalise(points: Float[ndarray, "points 3"], normalisation: Normalisation) -> Float[ndarray, "points 3"]:
    """Points centred on their box and scaled, per axis ("midi") or by the largest extent ("dso")."""
    low, high = points.min(axis=0), points.max(axis=0)
    extent = np.maximum(high - low, 1e-9)
    scale = 1.9 / extent if normalisation == "midi" else np.full(3, 1 / extent.max())
    return (points - (low + high) / 2) * scale


def icp(source: Float[ndarray, "points 3"], target: Float[ndarray, "truth 3"], *, rounds: int = 30) -> Similarity:
    """Rigid point-to-point ICP of `source` onto `target` from where they are, until the pairs no longer change."""
    tree = KDTree(target)
    fit = Similarity(scale=1.0, R=np.eye(3), t=np.zeros(3))
    pairs = np.full(len(source), -1)
    for _ in range(rounds):
        _, nearest = tree.query(fit.apply(source))
        if np.array_equal(nearest, pairs):
            break
        pairs = nearest
        fit = align_points(source, target[pairs])
    return fit


def iou_3d(
    estimated: SignedDistanceField,
    true: SignedDistanceField,
    *,
    low: Float[ndarray, "3"],
    high: Float[ndarray, "3"],
    voxel_m: float = 0.01,
) -> float:
    """Intersection over union of two solids, counted at the centres of voxels between the corners `low` and `high`."""
    axes = [np.arange(a + voxel_m / 2, b, voxel_m) for a, b in zip(low, high)]
    centres = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    a, b = estimated.query(centres).distance < 0, true.query(centres).distance < 0
    return float((a & b).sum()) / max(int((a | b).sum()), 1)


def support_height(vertices: Float[ndarray, "vertices 3"], faces: Int[ndarray, "faces 3"], *, window_m: float = 0.03) -> float:
    """Height of an object's main support: where a window of `window_m` holds the most upward area (a seat, a table top).

    Faces within 45 degrees of level count, by their horizontal area; the mean height of those in the best window is returned.
    """
    corner = vertices[faces]
    normal = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]) / 2
    is_up = normal[:, 2] > np.sqrt(0.5) * np.linalg.norm(normal, axis=1)
    if not is_up.any():
        raise ValueError("the mesh has no face that looks up")
    area, height = normal[is_up, 2], corner[is_up, :, 2].mean(axis=1)
    in_window = np.abs(height[:, None] - height[None, :]) <= window_m / 2
    chosen = in_window[(in_window @ area).argmax()]
    return float(np.average(height[chosen], weights=area[chosen]))
