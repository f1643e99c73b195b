"""A person's mask: a network's coarse probability brought back to the picture and fitted to the picture's edges."""

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8
from numpy import ndarray


def warp_probability(
    probability: Float[ndarray, "size size"], to_picture: Float[ndarray, "2 3"], *, width: int, height: int
) -> Float[ndarray, "height width"]:
    """A crop's probabilities in the picture; zero outside the crop. `to_picture` maps crop pixels to picture pixels."""
    return cv2.warpAffine(probability.astype(np.float32), to_picture, (width, height), flags=cv2.INTER_LINEAR)


def guided_filter(
    guide: UInt8[ndarray, "height width 3"], values: Float[ndarray, "height width"], *, radius: int, smoothness: float = 1e-3
) -> Float[ndarray, "height width"]:
    """`values` redrawn along the edges of the RGB `guide` (guided filter with a colour guide, He et al. 2013, Eq. 19 and 20).

    In each window of `radius` px the result is the linear function of the guide's colour (0 to 1) that is closest to `values`;
    `smoothness` is the colour variance below which the guide counts as flat.
    """
    colour = guide.astype(np.float32) / 255
    size = (2 * radius + 1, 2 * radius + 1)

    def mean(picture: ndarray) -> ndarray:
        return cv2.blur(picture, size, borderType=cv2.BORDER_REFLECT)

    mean_colour, mean_value = mean(colour), mean(values.astype(np.float32))
    covariance = np.empty((*values.shape, 3, 3), np.float32)
    for i in range(3):
        for j in range(i, 3):
            cross = mean(colour[..., i] * colour[..., j]) - mean_colour[..., i] * mean_colour[..., j]
            covariance[..., i, j] = covariance[..., j, i] = cross
    covariance += smoothness * np.eye(3, dtype=np.float32)
    joint = mean(colour * values[..., None].astype(np.float32)) - mean_colour * mean_value[..., None]
    slope = np.linalg.solve(covariance, joint[..., None])[..., 0]
    offset = mean_value - (slope * mean_colour).sum(axis=-1)
    return (mean(slope) * colour).sum(axis=-1) + mean(offset)


def refine_mask(
    image: UInt8[ndarray, "height width 3"], probability: Float[ndarray, "height width"], *, radius: int, smallest: float = 0.02
) -> Bool[ndarray, "height width"]:
    """The person's pixels: `probability` fitted to the picture's edges within `radius` px, cut at one half; pieces smaller than
    `smallest` times the largest are dropped. Only the box around the person is worked on."""
    mask = np.zeros(probability.shape, bool)
    inside = np.argwhere(probability > 0.05)
    if len(inside) == 0:
        return mask
    y0, x0 = np.maximum(inside.min(axis=0) - 2 * radius, 0)
    y1, x1 = inside.max(axis=0) + 2 * radius + 1
    part = np.s_[y0:y1, x0:x1]
    mask[part] = guided_filter(image[part], probability[part], radius=radius) > 0.5
    return drop_small_pieces(mask, smallest)


def drop_small_pieces(mask: Bool[ndarray, "height width"], smallest: float) -> Bool[ndarray, "height width"]:
    """The mask without connected pieces smaller than `smallest` times the largest."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    if count < 2:
        return mask
    area = stats[:, cv2.CC_STAT_AREA].astype(float)
    area[0] = 0
    return (area >= smallest * area.max())[labels] & mask
