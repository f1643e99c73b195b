"""Attachment: parts that nearly touch are brought together when an object is decoded; parts farther off are a defect and stay.

The same simulator that calls an object with a loose leg unstable would otherwise teach little else: three of four failures
of a model without this step were parts that do not touch.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray
from scipy.optimize import nnls
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from hsimul3r.generator.flow.primitives import Primitive, clouds, volume

EQUALITY: Final = 1e3
"""Weight of "the shares sum to one" beside the distance in metres: the gap's relative error is its inverse square."""
BARS: Final = ("leg", "column", "foot", "post", "slat", "armpost", "stretcher")
"""Roles that reach their neighbour by growing longer where it lies along their axis."""
ALONG_COSINE: Final = 0.8


@dataclass(frozen=True, kw_only=True)
class AttachConfig:
    """Settings of `attach`; `reach_m` 0 leaves everything as it was made."""

    reach_m: float = 0.06
    """A part farther than this from all others is a defect and is left where it is."""
    overlap_m: float = 0.004
    """How far a part is moved into its neighbour."""
    touch_m: float = 0.001
    """Parts this near to each other touch."""


@dataclass(frozen=True, kw_only=True)
class Attached:
    """Parts without mirror images, and what was done to them."""

    primitives: tuple[Primitive, ...]
    pieces_before: int
    """Groups of touching parts as they were made; a whole object is one."""
    pieces: int
    """The same after attachment."""
    moved: int
    """Steps in which a group was moved or a bar lengthened."""
    farthest_m: float
    """The widest gap that was closed."""


@dataclass(frozen=True, kw_only=True)
class Gap:
    """Distance of two parts and their nearest points; 0 where they meet."""

    distance: float
    first: Float[ndarray, "3"]
    second: Float[ndarray, "3"]


def attach(primitives: Sequence[Primitive], cfg: AttachConfig | None = None) -> Attached:
    """Move every loose group of parts onto its nearest neighbour within reach, the nearest group first. Mirror images must be
    parts of their own."""
    cfg = cfg or AttachConfig()
    parts = list(primitives)
    gaps = _Gaps(parts, reach_m=max(cfg.reach_m, cfg.touch_m))
    before = gaps.groups(cfg.touch_m)
    groups = before
    moved, farthest = 0, 0.0
    for _ in range(3 * len(parts) if cfg.reach_m > 0 else 0):
        found = gaps.nearest(groups == _largest(groups, parts), cfg.reach_m)
        if found is None:
            break
        loose, gap = found
        _bring(parts, groups, loose, gap, cfg)
        gaps.renew(parts, np.flatnonzero(groups == groups[loose]))
        moved, farthest = moved + 1, max(farthest, gap.distance)
        groups = gaps.groups(cfg.touch_m)
    after = gaps.groups(cfg.touch_m)
    return Attached(
        primitives=tuple(parts), pieces_before=_count(before), pieces=_count(after), moved=moved, farthest_m=farthest
    )  # fmt: skip


def convex_gap(first: Float[ndarray, "a 3"], second: Float[ndarray, "b 3"]) -> Gap:
    """Distance of the convex hulls of two clouds: least squares over convex combinations of their points."""
    middle = (first.mean(axis=0) + second.mean(axis=0)) / 2
    system = np.zeros((5, len(first) + len(second)))
    system[:3, : len(first)], system[:3, len(first) :] = (first - middle).T, -(second - middle).T
    system[3, : len(first)] = system[4, len(first) :] = EQUALITY
    shares, _ = nnls(system, np.array([0.0, 0.0, 0.0, EQUALITY, EQUALITY]))
    a, b = shares[: len(first)], shares[len(first) :]
    near, other = first.T @ (a / a.sum()), second.T @ (b / b.sum())
    return Gap(distance=float(np.linalg.norm(near - other)), first=near, second=other)


class _Gaps:
    """Gaps of all pairs of parts that may lie within reach of each other."""

    def __init__(self, parts: Sequence[Primitive], *, reach_m: float):
        self.reach_m = reach_m
        self.clouds = [clouds(part) for part in parts]
        self.found: dict[tuple[int, int], Gap] = {}
        for i in range(len(parts)):
            for j in range(i + 1, len(parts)):
                self._measure(i, j)

    def renew(self, parts: Sequence[Primitive], moved: Int[ndarray, "moved"]) -> None:
        """Measure again what concerns parts that moved."""
        for i in moved:
            self.clouds[i] = clouds(parts[i])
        chosen = set(moved.tolist())
        for i in range(len(parts)):
            for j in range(i + 1, len(parts)):
                if (i in chosen) != (j in chosen):
                    self._measure(i, j)

    def groups(self, touch_m: float) -> Int[ndarray, "parts"]:
        """Number of the group of touching parts that each part is in."""
        pairs = [pair for pair, gap in self.found.items() if gap.distance <= touch_m]
        rows, columns = np.array(pairs, int).reshape(-1, 2).T
        size = len(self.clouds)
        return connected_components(coo_array((np.ones(len(pairs)), (rows, columns)), shape=(size, size)), directed=False)[1]

    def nearest(self, is_main: ndarray, reach_m: float) -> tuple[int, Gap] | None:
        """The loose part with the least gap to the main group within reach; the gap's first point is on the main group."""
        best: tuple[int, Gap] | None = None
        for (i, j), gap in self.found.items():
            if is_main[i] == is_main[j] or gap.distance > reach_m or (best and gap.distance >= best[1].distance):
                continue
            turned = Gap(distance=gap.distance, first=gap.second, second=gap.first)
            best = (j, gap) if is_main[i] else (i, turned)
        return best

    def _measure(self, i: int, j: int) -> None:
        self.found.pop((i, j), None)
        gaps = [convex_gap(a, b) for a in self.clouds[i] for b in self.clouds[j] if _box_gap(a, b) <= self.reach_m]
        if gaps:
            self.found[i, j] = min(gaps, key=lambda gap: gap.distance)


def _bring(parts: list[Primitive], groups: Int[ndarray, "parts"], loose: int, gap: Gap, cfg: AttachConfig) -> None:
    """Lengthen a single bar towards its neighbour, or move the loose part's group."""
    way = gap.first - gap.second
    length = float(np.linalg.norm(way))
    if length < 1e-9:
        return
    step = way / length * (length + cfg.overlap_m)
    group = np.flatnonzero(groups == groups[loose])
    part = parts[loose]
    along = float(part.R[:, 2] @ step)
    if len(group) == 1 and part.role in BARS and abs(along) > ALONG_COSINE * float(np.linalg.norm(step)):
        half = part.half + np.array([0.0, 0.0, abs(along) / 2])
        parts[loose] = replace(part, half=half, centre=part.centre + part.R[:, 2] * along / 2)
        return
    for i in group:
        parts[i] = replace(parts[i], centre=parts[i].centre + step)


def _box_gap(a: Float[ndarray, "a 3"], b: Float[ndarray, "b 3"]) -> float:
    apart = np.maximum(a.min(axis=0) - b.max(axis=0), b.min(axis=0) - a.max(axis=0))
    return float(np.linalg.norm(np.maximum(apart, 0.0)))


def _largest(groups: Int[ndarray, "parts"], parts: Sequence[Primitive]) -> int:
    return int(np.bincount(groups, weights=[volume(part) for part in parts]).argmax())


def _count(groups: Int[ndarray, "parts"]) -> int:
    return len(np.unique(groups))
