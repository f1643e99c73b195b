"""NanoDet: everyday objects (COCO's 80 categories) as boxes in one picture."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray

from hsimul3r.perception.boxes import Window, cut_window, intersection_over_union, is_cut_by, square_windows
from stages.adapters.onnx_session import run_network

SIZE: Final = 416
STRIDES: Final = (8, 16, 32)
MEAN_BGR: Final = (103.53, 116.28, 123.675)
STD_BGR: Final = (57.375, 57.12, 58.395)
OVERLAP: Final = 0.5
"""Boxes of one category that overlap more than this (intersection over union) are the same object."""

COCO_NAMES: Final = (
    "person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat", "traffic light", "fire hydrant",
    "stop sign", "parking meter", "bench", "bird", "cat", "dog", "horse", "sheep", "cow", "elephant", "bear", "zebra",
    "giraffe", "backpack", "umbrella", "handbag", "tie", "suitcase", "frisbee", "skis", "snowboard", "sports ball", "kite",
    "baseball bat", "baseball glove", "skateboard", "surfboard", "tennis racket", "bottle", "wine glass", "cup", "fork",
    "knife", "spoon", "bowl", "banana", "apple", "sandwich", "orange", "broccoli", "carrot", "hot dog", "pizza", "donut",
    "cake", "chair", "couch", "potted plant", "bed", "dining table", "toilet", "tv", "laptop", "mouse", "remote", "keyboard",
    "cell phone", "microwave", "oven", "toaster", "sink", "refrigerator", "book", "clock", "vase", "scissors", "teddy bear",
    "hair drier", "toothbrush",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Detection:
    """One detected object; the box is (x0, y0, x1, y1) in the picture's pixels."""

    name: str
    score: float
    box_px: Float[ndarray, "4"]


def detect_objects(image: UInt8[ndarray, "height width 3"], *, threshold: float = 0.35) -> tuple[Detection, ...]:
    """Objects of COCO's categories in an RGB `image`, best first: searched in the whole picture and in overlapping squares."""
    height, width = image.shape[:2]
    windows = square_windows(width, height, side=max(width, height))
    if width != height:
        windows += square_windows(width, height, side=min(width, height))
    found = [detection for window in windows for detection in _detect_in_window(image, window, threshold)]
    kept: list[Detection] = []
    for one in sorted(found, key=lambda detection: -detection.score):
        if all(one.name != other.name or intersection_over_union(one.box_px, other.box_px) < OVERLAP for other in kept):
            kept.append(one)
    return tuple(kept)


def _detect_in_window(image: UInt8[ndarray, "height width 3"], window: Window, threshold: float) -> list[Detection]:
    height, width = image.shape[:2]
    small = cut_window(image, window, size=SIZE)[:, :, ::-1].astype(np.float32)
    normal = (small - np.array(MEAN_BGR, np.float32)) / np.array(STD_BGR, np.float32)
    outputs = run_network("nanodet", np.ascontiguousarray(normal.transpose(2, 0, 1)[None]))
    boxes, scores, classes = (np.concatenate(part) for part in zip(*(_decode_head(s, outputs, threshold) for s in STRIDES)))
    boxes = boxes * window.side / SIZE + np.array([window.x, window.y] * 2)
    boxes = np.clip(boxes, 0, [width - 1, height - 1] * 2)
    return [
        Detection(name=COCO_NAMES[category], score=float(score), box_px=box)
        for box, score, category in zip(boxes, scores, classes)
        if not is_cut_by(window, box, width=width, height=height)
    ]


def _decode_head(stride: int, outputs: dict[str, ndarray], threshold: float) -> tuple[ndarray, ndarray, ndarray]:
    """Boxes (n, 4) in network pixels, scores (n,) and classes (n,) of one stride. A box side is the mean of a distribution over
    integer distances from the cell's centre, in strides (generalised focal loss, Sec. 3.2)."""
    side = SIZE // stride
    maps = [value[0] for value in outputs.values() if value.shape[1] == side * side]
    scores = next(value for value in maps if value.shape[1] == len(COCO_NAMES))
    logits = next(value for value in maps if value.shape[1] != len(COCO_NAMES)).reshape(side * side, 4, -1)
    cells, classes = np.nonzero(scores > threshold)
    chosen = np.exp(logits[cells] - logits[cells].max(axis=-1, keepdims=True))
    distances = (chosen @ np.arange(chosen.shape[-1])) / chosen.sum(axis=-1) * stride
    centres = (np.stack([cells % side, cells // side], axis=1) + 0.5) * stride
    boxes = np.concatenate([centres - distances[:, :2], centres + distances[:, 2:]], axis=1)
    return boxes, scores[cells, classes], classes
