"""Similarity, mirroring and fusion of 2D skeletons. Rows are named by conventions.KEYPOINTS; the first 17 are COCO's."""

from typing import Final

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from hsimul3r.conventions import KEYPOINTS

COCO_COUNT: Final = 17
SIGMAS: Final = np.array(
    [0.026, 0.025, 0.025, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072, 0.062, 0.062, 0.107, 0.107, 0.087, 0.087, 0.089, 0.089]
)
"""COCO's per-keypoint standard deviations of human labels, relative to the root of the person's area."""

MIRRORED: Final = np.array(
    [KEYPOINTS.index(name.replace("left_", "#").replace("right_", "left_").replace("#", "right_")) for name in KEYPOINTS]
)
"""Row of each keypoint's counterpart on the other side of the body."""


def rows(*names: str) -> list[int]:
    """Rows of the named keypoints."""
    return [KEYPOINTS.index(name) for name in names]


def visible_area(points: Float[ndarray, "n 2"], is_visible: Bool[ndarray, "n"]) -> float:
    """Area in px^2 of the box around the visible points, or around all where fewer than four are visible."""
    chosen = points[is_visible] if is_visible.sum() >= 4 else points
    return max(1.0, float(np.prod(np.ptp(chosen, axis=0))))


def keypoint_similarity(
    a: Float[ndarray, "17 2"], b: Float[ndarray, "17 2"], *, area: float, is_visible: Bool[ndarray, "17"]
) -> float:
    """Object keypoint similarity, COCO's OKS: mean over the visible keypoints of exp(-d_i^2 / (2 area (2 sigma_i)^2)).

    With fewer than four visible keypoints all of them count.
    """
    similarity = np.exp(-((a - b) ** 2).sum(axis=1) / (2 * area * (2 * SIGMAS) ** 2))
    return float(similarity[is_visible].mean() if is_visible.sum() >= 4 else similarity.mean())


def fuse_estimates(
    *,
    coco_px: Float[ndarray, "17 2"],
    coco_confidence: Float[ndarray, "17"],
    body_px: Float[ndarray, "21 2"],
    body_visibility: Float[ndarray, "21"],
    agreement: float,
    size_px: float,
    tolerance: float = 0.03,
    disputed_confidence: float = 0.35,
    lowest_confidence: float = 0.2,
) -> tuple[Float[ndarray, "21 2"], Float[ndarray, "21"]]:
    """One skeleton (pixels, confidence) from two independent estimates of the same person.

    Where both lie within `tolerance` times the person's size, their mean weighted by confidence counts; where they differ,
    the COCO estimate counts with `disputed_confidence` times its confidence. Heels and toes, which only the body estimate
    knows, count with its visibility times the `agreement` (OKS) of the two.
    """
    coco_weight = np.where(coco_confidence > lowest_confidence, coco_confidence, 0.0)
    body_weight = body_visibility[:COCO_COUNT] * np.clip(agreement, 0, 1)
    is_agreed = np.linalg.norm(coco_px - body_px[:COCO_COUNT], axis=1) < tolerance * size_px
    share = (coco_weight / np.maximum(coco_weight + body_weight, 1e-9))[:, None]
    mean_px = share * coco_px + (1 - share) * body_px[:COCO_COUNT]
    points, confidence = body_px.copy(), body_visibility * np.clip(agreement, 0, 1)
    points[:COCO_COUNT] = np.where(is_agreed[:, None], mean_px, coco_px)
    confidence[:COCO_COUNT] = np.where(is_agreed, np.maximum(coco_weight, body_weight), disputed_confidence * coco_weight)
    return points, confidence
