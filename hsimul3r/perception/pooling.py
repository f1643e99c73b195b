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
    as_sure: float = 0.75,
    pooled: int = 8,
) -> tuple[PooledPose, ...]:
    """One pose per person, most confident first.

    Estimates more similar (OKS) than `same_person` to a more confident one are of the same person. The most confident of these
    is averaged with those that are more similar to it than `same_pose` and at least `as_sure` times as confident, `pooled` at
    most: a search at an unfit scale is unsure. `searched` are the boxes of all searches that were made.
    """
    groups: list[list[int]] = []
    for i in np.argsort(-confidence.mean(axis=1), kind="stable"):
        alike = [similarity(points[g[0]], confidence[g[0]], points[i], confidence[i]) for g in groups]
        if alike and max(alike) >= same_person:
            groups[int(np.argmax(alike))].append(int(i))
        else:
            groups.append([int(i)])
    poses = []
    for group in groups:
        lead = group[0]
        like = [i for i in group if similarity(points[lead], confidence[lead], points[i], confidence[i]) >= same_pose]
        best = [i for i in like if confidence[i].mean() >= as_sure * confidence[lead].mean()][:pooled]
        poses.append(
            _average(points[best], confidence[best], support=_support(points[lead], confidence[lead], len(group), searched))
        )
    return tuple(poses)


def _average(points: Float[ndarray, "n 17 2"], confidence: Float[ndarray, "n 17"], *, support: float) -> PooledPose:
    weight = confidence[..., None] ** 2 + 1e-6
    mean_px = (weight * points).sum(axis=0) / weight.sum(axis=0)
    return PooledPose(keypoints_px=mean_px, confidence=confidence.mean(axis=0), support=support)


def _support(
    points: Float[ndarray, "17 2"], confidence: Float[ndarray, "17"], found: int, searched: Float[ndarray, "searches 4"]
) -> float:
    """How many of the searches whose box holds all visible points found the person, 1 at most."""
    seen = points[confidence > VISIBLE] if (confidence > VISIBLE).any() else points
    is_covered = (searched[:, :2] <= seen.min(axis=0)).all(axis=1) & (searched[:, 2:] >= seen.max(axis=0)).all(axis=1)
    return min(1.0, found / max(1, int(is_covered.sum())))
