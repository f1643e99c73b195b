"""Objects as boxes: the same object in several views found by geometry, and boxes for the views that missed it."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from hsimul3r.artifacts import Cameras
from hsimul3r.generator.protocol import Support
from hsimul3r.geometry.cameras import depth, intersect_rays, project, rays
from hsimul3r.perception.boxes import intersection_over_union

MAX_CENTRE_HEIGHT_M = 1.2
MAX_SIZE_RATIO = 2.5
CENTRAL_PART = 0.35
"""An object's middle lies at most this part of the box's size from the middle of a box that shows it."""
SAME_BOX_IOU = 0.6


@dataclass(frozen=True, kw_only=True)
class Sighting:
    """A box in one view."""

    view: int
    box_px: Float[ndarray, "4"]
    category: str
    score: float

    @property
    def middle(self) -> Float[ndarray, "2"]:
        return 0.5 * (self.box_px[:2] + self.box_px[2:])

    @property
    def size(self) -> Float[ndarray, "2"]:
        return self.box_px[2:] - self.box_px[:2]


@dataclass(frozen=True, kw_only=True)
class Region:
    """An upright cylinder of the world that an object fills."""

    xy: Float[ndarray, "2"]
    radius_m: float
    height_m: float

    def corners(self) -> Float[ndarray, "16 3"]:
        """Points on the rims at the floor and at the top."""
        turn = np.arange(8) * np.pi / 4
        rim = self.xy + self.radius_m * np.stack([np.cos(turn), np.sin(turn)], axis=1)
        return np.concatenate([np.column_stack([rim, np.full(8, z)]) for z in (0.0, self.height_m)])

    def gap_m(self, points: Float[ndarray, "points 3"]) -> float:
        """Horizontal distance of the nearest point, 0 inside."""
        return float(np.maximum(np.linalg.norm(points[:, :2] - self.xy, axis=1) - self.radius_m, 0.0).min())


@dataclass(frozen=True, kw_only=True)
class Located:
    """An object that several views agree on (or that one view and a person's contact place)."""

    region: Region
    sightings: tuple[Sighting, ...]
    must_carry: Support | None = None
    """The support that alone says that something is there."""

    @property
    def score(self) -> float:
        return sum(sighting.score for sighting in self.sightings)

    @property
    def category(self) -> str:
        """The category with the highest sum of scores."""
        sums: dict[str, float] = {}
        for sighting in self.sightings:
            sums[sighting.category] = sums.get(sighting.category, 0.0) + sighting.score
        return max(sums, key=lambda name: sums[name], default="")


def without_doubles(sightings: Sequence[Sighting]) -> tuple[Sighting, ...]:
    """Of boxes of one view that are the same, whatever their category, the best."""
    kept: list[Sighting] = []
    for one in sorted(sightings, key=lambda sighting: -sighting.score):
        if all(one.view != other.view or intersection_over_union(one.box_px, other.box_px) < SAME_BOX_IOU for other in kept):
            kept.append(one)
    return tuple(kept)


def locate(sightings: Sequence[Sighting], cameras: Cameras) -> tuple[Located, ...]:
    """Objects that two or more views agree on, the best supported first; every sighting serves once.

    Each pair of boxes of two views gives a place where the rays through their middles meet; the other views join where that
    place lies in the middle of a box of fitting size.
    """
    left, found = list(sightings), []
    while True:
        candidates = [_gather(pair, left, cameras) for pair in combinations(left, 2) if pair[0].view != pair[1].view]
        best = max((c for c in candidates if c is not None), key=lambda c: c.score, default=None)
        if best is None:
            return tuple(found)
        found.append(best)
        left = [sighting for sighting in left if all(sighting is not used for used in best.sightings)]


def region_of(sightings: Sequence[Sighting], cameras: Cameras) -> Region | None:
    """Cylinder that explains boxes of two or more views; None where their rays do not meet above the floor."""
    lines = [rays(cameras, s.view, s.middle) for s in sightings]
    try:
        middle = intersect_rays(np.array([o for o, _ in lines]), np.array([d for _, d in lines]))
    except ValueError:
        return None
    distance = np.array([depth(cameras, s.view, middle) for s in sightings])
    if not 0.0 < middle[2] < MAX_CENTRE_HEIGHT_M or (distance < 0.3).any():
        return None
    sizes = np.array([s.size[0] for s in sightings]) * distance / cameras.focal_px[[s.view for s in sightings]]
    tops = [_top_height(cameras, s, middle) for s in sightings]
    if sizes.max() > MAX_SIZE_RATIO * sizes.min():
        return None
    height = float(np.clip(np.median(tops), 0.2, 1.6))
    return Region(xy=middle[:2], radius_m=0.5 * float(np.median(sizes)), height_m=height)


def predicted_box(region: Region, cameras: Cameras, view: int, *, padding: float = 0.06) -> Float[ndarray, "4"] | None:
    """Box of a region in a view, widened and cut at the picture; None where it is out of sight."""
    uv = project(cameras, view, region.corners())
    uv = uv[np.isfinite(uv).all(axis=1)]
    if len(uv) < 8:
        return None
    low, high = uv.min(0), uv.max(0)
    return cut_box(np.concatenate([low - padding * (high - low), high + padding * (high - low)]), cameras.size_px[view])


def cut_box(box: Float[ndarray, "4"], size_px: ndarray) -> Float[ndarray, "4"] | None:
    """The part of a box inside the picture; None where less than 8 pixels of a side are left."""
    cut = np.concatenate([np.maximum(box[:2], 0.0), np.minimum(box[2:], np.asarray(size_px) - 1.0)])
    return cut if (cut[2:] - cut[:2] >= 8.0).all() else None


def _gather(pair: tuple[Sighting, Sighting], sightings: Sequence[Sighting], cameras: Cameras) -> Located | None:
    region = region_of(pair, cameras)
    if region is None or any(_offset(region, cameras, s) > CENTRAL_PART for s in pair):
        return None
    members = list(pair)
    for view in {s.view for s in sightings} - {s.view for s in pair}:
        fitting = [s for s in sightings if s.view == view and _offset(region, cameras, s) < CENTRAL_PART]
        fitting = [s for s in fitting if region_of([*pair, s], cameras) is not None]
        if fitting:
            members.append(max(fitting, key=lambda s: s.score))
    whole = region_of(members, cameras)
    return Located(region=whole if whole is not None else region, sightings=tuple(members))


def _offset(region: Region, cameras: Cameras, sighting: Sighting) -> float:
    """Distance between the middle of a box and that of the region, in box sizes; inf where out of sight."""
    uv = project(cameras, sighting.view, np.array([*region.xy, 0.5 * region.height_m]))
    return float(np.nan_to_num((np.abs(uv - sighting.middle) / sighting.size).max(), nan=np.inf))


def _top_height(cameras: Cameras, sighting: Sighting, middle: Float[ndarray, "3"]) -> float:
    """Height at which the ray through the middle of the box's upper edge passes over the object's middle."""
    origin, direction = rays(cameras, sighting.view, np.array([sighting.middle[0], sighting.box_px[1]]))
    flat = np.linalg.norm(direction[:2])
    reach = np.linalg.norm(middle[:2] - origin[:2])
    return float(origin[2] + direction[2] * reach / max(flat, 1e-9))
