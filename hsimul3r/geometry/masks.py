"""Masks: overlap and signed distance images."""

import cv2
import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray


def iou(
    a: Bool[ndarray, "height width"], b: Bool[ndarray, "height width"], ignore: Bool[ndarray, "height width"] | None = None
) -> float:
    """Intersection over union where `ignore` is false; 1 where both are empty."""
    a, b = np.asarray(a, bool), np.asarray(b, bool)
    if ignore is not None:
        a, b = a & ~ignore, b & ~ignore
    either = int((a | b).sum())
    return int((a & b).sum()) / either if either else 1.0


def signed_distance_image(mask: Bool[ndarray, "height width"], limit_px: float) -> Float[ndarray, "height width"]:
    """Distance [px] to the mask's border, negative inside, cut at +-`limit_px`."""
    inside = np.asarray(mask).astype(np.uint8)
    if not inside.any():
        return np.full(inside.shape, limit_px, np.float32)
    if inside.all():
        return np.full(inside.shape, -limit_px, np.float32)
    outward = cv2.distanceTransform(1 - inside, cv2.DIST_L2, 5)
    inward = cv2.distanceTransform(inside, cv2.DIST_L2, 5)
    return np.clip(outward - inward, -limit_px, limit_px)
