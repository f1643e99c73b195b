"""Masks of an object in one view: colours inside and outside of its box (GrabCut), people painted out, a shape as prior."""

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8
from numpy import ndarray

from hsimul3r.perception.background import BACKGROUND as SURE_BACKGROUND
from hsimul3r.perception.background import FOREGROUND

BACKGROUND, OBJECT, UNKNOWN = 0, 1, 2
PERSON_MARGIN_PX = 4
PAINT = (255, 0, 255)
"""People are painted in a colour no furniture has, so that their clothes do not pass for background."""
CONTEXT = 0.35
"""Part of the box's size that is looked at around it."""
BOX_SLACK = 0.04
MIN_PIECE = 0.03
"""Smaller pieces, as part of the largest, are dropped."""


def segment(
    image: UInt8[ndarray, "height width 3"],
    box_px: Float[ndarray, "4"],
    person: Bool[ndarray, "height width"],
    *,
    prior: Bool[ndarray, "height width"] | None = None,
    evidence: UInt8[ndarray, "height width"] | None = None,
    band: float = 0.08,
    work_px: int = 320,
    iterations: int = 4,
) -> UInt8[ndarray, "height width"]:
    """Label image: 1 object, 2 hidden by a person (`person` widened by 4 px), 0 elsewhere.

    Without a `prior` everything in the box may be object. With one, what it covers probably is, what is nearer to it than
    `band` times its size may be, the rest is not. With `evidence` of the parallax (perception.background), its background is
    none of the object; colour decides twice, without and with its foreground as seed, and where the two differ it is unknown.
    """
    height, width = image.shape[:2]
    window = _window(box_px, width, height)
    x0, y0, x1, y1 = window
    scale = min(1.0, work_px / max(x1 - x0, y1 - y0))
    size = max(8, round(scale * (x1 - x0))), max(8, round(scale * (y1 - y0)))
    picture = cv2.resize(image[y0:y1, x0:x1], size, interpolation=cv2.INTER_AREA)
    hidden = cv2.resize(person[y0:y1, x0:x1].astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    if prior is None:
        guess = _guess_from_box((box_px - np.array([x0, y0, x0, y0])) * scale, size)
    else:
        guess = _guess_from_prior(prior[y0:y1, x0:x1], size, band)
    picture = np.ascontiguousarray(picture)
    found = _grab_cut(picture, guess, hidden, iterations).astype(np.uint8)
    if evidence is not None:
        shown = cv2.resize(evidence[y0:y1, x0:x1], size, interpolation=cv2.INTER_NEAREST)
        found = _by_parallax(picture, guess, shown, hidden, iterations)
    labels = np.zeros((height, width), np.uint8)
    labels[y0:y1, x0:x1] = cv2.resize(found, (x1 - x0, y1 - y0), interpolation=cv2.INTER_NEAREST)
    labels[widen(person, PERSON_MARGIN_PX)] = UNKNOWN
    return labels


def widen(mask: Bool[ndarray, "height width"], by_px: int) -> Bool[ndarray, "height width"]:
    """Dilate a mask."""
    return cv2.dilate(mask.astype(np.uint8), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * by_px + 1,) * 2)) > 0


def _window(box: Float[ndarray, "4"], width: int, height: int) -> tuple[int, int, int, int]:
    margin = CONTEXT * (box[2:] - box[:2])
    x0, y0 = np.floor(np.maximum(box[:2] - margin, 0)).astype(int)
    x1, y1 = np.ceil(np.minimum(box[2:] + margin, [width - 1, height - 1])).astype(int) + 1
    return int(x0), int(y0), int(x1), int(y1)


def _guess_from_box(box: Float[ndarray, "4"], size: tuple[int, int]) -> UInt8[ndarray, "h w"]:
    slack = BOX_SLACK * (box[2:] - box[:2])
    x0, y0 = np.maximum(np.round(box[:2] - slack), 0).astype(int)
    x1, y1 = np.round(box[2:] + slack).astype(int)
    guess = np.full(size[::-1], cv2.GC_BGD, np.uint8)
    guess[y0 : y1 + 1, x0 : x1 + 1] = cv2.GC_PR_FGD
    return guess


def _guess_from_prior(prior: Bool[ndarray, "h w"], size: tuple[int, int], band: float) -> UInt8[ndarray, "h w"]:
    mask = cv2.resize(prior.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    rows, columns = np.nonzero(mask)
    if len(rows) == 0:
        return np.full(size[::-1], cv2.GC_BGD, np.uint8)
    reach = max(2, round(band * max(np.ptp(rows), np.ptp(columns))))
    guess = np.full(mask.shape, cv2.GC_BGD, np.uint8)
    guess[widen(mask, reach)] = cv2.GC_PR_BGD
    guess[mask] = cv2.GC_PR_FGD
    return guess


def _by_parallax(
    picture: UInt8[ndarray, "h w 3"], guess: UInt8[ndarray, "h w"], evidence: UInt8[ndarray, "h w"],
    hidden: Bool[ndarray, "h w"], iterations: int,
) -> UInt8[ndarray, "h w"]:  # fmt: skip
    """Labels of two segmentations that agree."""
    may_be = (guess == cv2.GC_PR_FGD) | (guess == cv2.GC_PR_BGD)
    free = np.where(evidence == SURE_BACKGROUND, cv2.GC_BGD, guess).astype(np.uint8)
    seeded = np.where(may_be & (evidence == FOREGROUND), cv2.GC_FGD, free).astype(np.uint8)
    first, second = (_grab_cut(picture, one, hidden, iterations) for one in (free, seeded))
    return np.where(first == second, np.where(first, OBJECT, BACKGROUND), UNKNOWN).astype(np.uint8)


def _grab_cut(
    picture: UInt8[ndarray, "h w 3"], guess: UInt8[ndarray, "h w"], hidden: Bool[ndarray, "h w"], iterations: int
) -> Bool[ndarray, "h w"]:
    picture, guess = picture.copy(), guess.copy()
    picture[hidden] = PAINT
    guess[hidden] = cv2.GC_BGD
    maybe = (guess == cv2.GC_PR_FGD) | (guess == cv2.GC_FGD)
    if not maybe.any() or maybe.all():
        return maybe
    cv2.setRNGSeed(0)
    cv2.grabCut(picture, guess, (0, 0, 0, 0), np.zeros((1, 65)), np.zeros((1, 65)), iterations, cv2.GC_INIT_WITH_MASK)
    return _large_pieces((guess == cv2.GC_FGD) | (guess == cv2.GC_PR_FGD))


def _large_pieces(mask: Bool[ndarray, "h w"]) -> Bool[ndarray, "h w"]:
    count, pieces, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    if count <= 1:
        return mask
    area = stats[:, cv2.CC_STAT_AREA]
    keep = area >= MIN_PIECE * area[1:].max()
    keep[0] = False
    return keep[pieces]
