"""What a promptable segmenter is pointed at: the user's clicks, and people's torsos, which are no part of a thing."""

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from hsimul3r.artifacts import People, PointHints
from hsimul3r.conventions import KEYPOINTS
from hsimul3r.perception.segmenter import Clicks

_TORSO = [KEYPOINTS.index(name) for name in ("left_shoulder", "right_shoulder", "left_hip", "right_hip")]
MIN_CONFIDENCE = 0.5
"""Shoulders and hips seen less surely do not say where a torso is."""


def torsos_px(people: People, view: int) -> Float[ndarray, "torsos 2"]:
    """The middle of everybody's shoulders and hips, where the view shows a person at that pixel."""
    mask = people.masks[view]
    middles = [
        one.keypoints_px[_TORSO].mean(axis=0)
        for one in people.views
        if one.view == view and one.confidence[_TORSO].min() >= MIN_CONFIDENCE
    ]
    return np.array([at for at in middles if _is_in(mask, at)]).reshape(-1, 2)


def prompt(clicks: PointHints | None, torsos: Float[ndarray, "torsos 2"]) -> Clicks | None:
    """The clicks on one thing with the torsos outside it; None where there is neither."""
    points = np.concatenate([np.zeros((0, 2)) if clicks is None else clicks.points_px, torsos])
    if not len(points):
        return None
    is_inside = np.zeros(len(points), bool)
    if clicks is not None:
        is_inside[: len(clicks.is_inside)] = clicks.is_inside
    return Clicks(points_px=points[None], is_inside=is_inside[None])


def _is_in(mask: Bool[ndarray, "height width"], at: Float[ndarray, "2"]) -> bool:
    x, y = (round(float(value)) for value in at)
    return 0 <= y < mask.shape[0] and 0 <= x < mask.shape[1] and bool(mask[y, x])
