"""Boxes (x0, y0, x1, y1) in pixels and the square windows a picture is searched in."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray


@dataclass(frozen=True, kw_only=True)
class Window:
    """A square of `side` pixels with its top-left corner at (x, y); it may reach beyond the picture."""

    x: int
    y: int
    side: int


def square_windows(width: int, height: int, *, side: int, overlap: float = 0.34) -> tuple[Window, ...]:
    """Squares that cover the picture with at least `overlap` of their side in common with the next; one where it fits."""

    def starts(length: int) -> list[int]:
        if length <= side:
            return [(length - side) // 2]
        count = int(np.ceil((length - side) / (side * (1 - overlap)))) + 1
        return [round(i * (length - side) / (count - 1)) for i in range(count)]

    return tuple(Window(x=x, y=y, side=side) for y in starts(height) for x in starts(width))


def cut_window(image: UInt8[ndarray, "height width 3"], window: Window, *, size: int) -> UInt8[ndarray, "size size 3"]:
    """The picture inside `window`, black beyond its border, scaled to `size` pixels."""
    height, width = image.shape[:2]
    x0, y0 = max(0, window.x), max(0, window.y)
    x1, y1 = min(width, window.x + window.side), min(height, window.y + window.side)
    scale = size / window.side
    left, top = round((x0 - window.x) * scale), round((y0 - window.y) * scale)
    right, bottom = max(left + 1, round((x1 - window.x) * scale)), max(top + 1, round((y1 - window.y) * scale))
    result = np.zeros((size, size, 3), np.uint8)
    filter_kind = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    result[top:bottom, left:right] = cv2.resize(image[y0:y1, x0:x1], (right - left, bottom - top), interpolation=filter_kind)
    return result


def is_cut_by(window: Window, box: Float[ndarray, "4"], *, width: int, height: int, margin: float = 0.02) -> bool:
    """Whether `box` reaches a border of the window that is not a border of the picture, so that a part is likely missing."""
    slack = margin * window.side
    low = np.array([window.x, window.y])
    inner_low = low > 0
    inner_high = low + window.side < np.array([width, height])
    return bool((inner_low & (box[:2] < low + slack)).any() or (inner_high & (box[2:] > low + window.side - slack)).any())


def intersection_over_union(a: Float[ndarray, "4"], b: Float[ndarray, "4"]) -> float:
    """Area in common over area covered, 0 to 1."""
    overlap = np.prod(np.maximum(0.0, np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])))
    return float(overlap / max(1e-9, np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - overlap))
