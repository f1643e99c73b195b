"""Many overlapping pose estimates of one picture, pooled into one estimate per person."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from hsimul3r.perception.keypoints import keypoint_similarity, visible_area

VISIBLE = 0.15
"""Confidence above which a keypoint counts when two estimates are compared."""


@dataclass(frozen=True, kw_only=True)
class PooledPose:
    """One person's 17 COCO keypoints; `support` is the share of the searches covering the person that found it."""

    keypoints_px: Float[ndarray, "17 2"]
    confidence: Float[ndarray, "17"]
    support: float


def similarity(a_px: ndarray, a_confidence: ndarray, b_px: ndarray, b_confidence: ndarray) -> float:
    """OKS of two estimates on the keypoints both see, relative to the extent of the first."""
    return keypoint_similarity(
        a_px,
        b_px,
        area=visible_area(a_px, a_confidence > VISIBLE),
        is_visible=np.minimum(a_confidence, b_confidence) > VISIBLE,
    )


def pool_poses(
    points: Float[ndarray, "poses 17 2"],
    confidence: Float[ndarray, "poses 17"],
    *,
    searched: Float[ndarray, "searches 4"],
    same_person: float = 0.35,
    same_pose: float = 0.5,
    pooled: int = 8,
) -> tuple[PooledPose, ...]:
    """One pose per person, most confident first.

    Estimates more similar (OKS) than `same_person` to a more confident one are of the same person; of these the `pooled` most
    confident that are more similar than `same_pose` are averaged. `searched` are the boxes of all searches that were made.
    """
    groups: list[list[int]] = []
    for i in np.argsort(-confidence.mean(axis=1), kind="stable"):
        alike = [similarity(points[g[0]], confidence[g[0]], points[i], confidence[i]) for g in groups]
        if alike and max(alike) >= same_person:
            groups[int(np.argmax(alike))].append(int(i))
        else:
            groups.append([int(i)])
    return tuple(_pool(points[g], confidence[g], searched, same_pose, pooled) for g in groups)


def _pool(points: ndarray, confidence: ndarray, searched: ndarray, same_pose: float, pooled: int) -> PooledPose:
    alike = [similarity(points[0], confidence[0], p, c) >= same_pose for p, c in zip(points, confidence)]
    best = np.flatnonzero(alike)[:pooled]
    weight = confidence[best, :, None] ** 2 + 1e-6
    seen = points[0][confidence[0] > VISIBLE] if (confidence[0] > VISIBLE).any() else points[0]
    is_covered = (searched[:, :2] <= seen.min(axis=0)).all(axis=1) & (searched[:, 2:] >= seen.max(axis=0)).all(axis=1)
    return PooledPose(
        keypoints_px=(weight * points[best]).sum(axis=0) / weight.sum(axis=0),
        confidence=confidence[best].mean(axis=0),
        support=min(1.0, len(points) / max(1, int(is_covered.sum()))),
    )
