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
    area: float,
    disputed: float = 0.35,
    lowest_confidence: float = 0.2,
) -> tuple[Float[ndarray, "21 2"], Float[ndarray, "21"]]:
    """One skeleton (pixels, confidence) from two independent estimates of the same person.

    Per keypoint s = exp(-d^2 / (2 area (2 sigma)^2)), the term of the OKS, says how far both agree. The point is their mean,
    weighted by confidence c and by s times visibility v; its confidence is s max(c, v) + (1 - s) `disputed` c, where v counts
    with the `agreement` (OKS) of the whole. COCO confidences below `lowest_confidence` count as zero. Heels and toes, which
    only the body estimate knows, count with v.
    """
    coco_weight = np.where(coco_confidence > lowest_confidence, coco_confidence, 0.0)
    confidence = body_visibility * np.clip(agreement, 0, 1)
    body_weight = confidence[:COCO_COUNT]
    distance2 = ((coco_px - body_px[:COCO_COUNT]) ** 2).sum(axis=1)
    agreed = np.exp(-distance2 / (2 * area * (2 * SIGMAS) ** 2))
    share = agreed * body_weight / np.maximum(coco_weight + agreed * body_weight, 1e-9)
    points = body_px.copy()
    points[:COCO_COUNT] = coco_px + share[:, None] * (body_px[:COCO_COUNT] - coco_px)
    confidence[:COCO_COUNT] = agreed * np.maximum(coco_weight, body_weight) + (1 - agreed) * disputed * coco_weight
    return points, confidence
