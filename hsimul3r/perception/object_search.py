"""Which objects matter: those near people, those that views agree on, and what must stand where a body hovers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from hsimul3r.artifacts import Cameras
from hsimul3r.generator.protocol import Support
from hsimul3r.generator.supports import PersonSupports
from hsimul3r.geometry.cameras import depth, project
from hsimul3r.perception.object_boxes import Located, Region, Sighting, locate

EXPLAINED_GAP_M = 0.25
"""A support farther than this from every object needs another one."""
RADIUS_M = (0.2, 1.2)


@dataclass(frozen=True, kw_only=True)
class SearchConfig:
    """How far objects are looked for."""

    reach_m: float = 0.6
    """Objects whose rim is farther than this from all people are left out."""
    far_reach_m: float = 4.0
    """Where nothing is within reach, the nearest object within this distance is taken."""
    most_objects: int = 4
    seat_size_m: tuple[float, float] = (0.45, 1.0)
    foot_size_m: tuple[float, float] = (0.3, 0.0)
    hand_size_m: tuple[float, float] = (0.7, 0.0)
    """Radius and least height of the region where something unseen by the detector must carry a seat, a foot or hands."""


def search(
    sightings: Sequence[Sighting],
    cameras: Cameras,
    people: Sequence[PersonSupports],
    skins: Sequence[Float[ndarray, "vertices 3"]],
    cfg: SearchConfig,
) -> tuple[Located, ...]:
    """Objects near people, the best supported first.

    Objects that views agree on come first. A seat or a raised foot that none of them carries gets the boxes that show it, or a
    region of usual size. Hands do so only where there is no object at all, since most hands rest on nothing.
    """
    seen = locate(sightings, cameras)
    skin = np.concatenate(list(skins))
    near = [one for one in seen if one.region.gap_m(skin) < cfg.reach_m]
    left = [s for s in sightings if not any(s is used for one in near for used in one.sightings)]
    for person in people:
        for support in person.supports:
            if support.kind != "hand" and not _is_explained(support, near):
                near.append(_below(support, left, cameras, cfg))
    if not near:
        near = _below_hands(people, left, cameras, cfg)
    if not near:
        near = sorted(seen, key=lambda one: one.region.gap_m(skin))[:1]
        near = [one for one in near if one.region.gap_m(skin) < cfg.far_reach_m]
    return tuple(sorted(near, key=lambda one: -one.score)[: cfg.most_objects])


def _is_explained(support: Support, objects: Sequence[Located]) -> bool:
    return any(one.region.gap_m(support.point[None]) < EXPLAINED_GAP_M for one in objects)


def _below(support: Support, sightings: Sequence[Sighting], cameras: Cameras, cfg: SearchConfig) -> Located:
    """What carries a body part: from boxes that show its place, else of usual size."""
    showing = [s for s in sightings if _shows(s, support.point, cameras)]
    if not showing:
        radius, height = {"seat": cfg.seat_size_m, "foot": cfg.foot_size_m, "hand": cfg.hand_size_m}[support.kind]
        region = Region(xy=support.point[:2], radius_m=radius, height_m=max(height, float(support.point[2]) + 0.03))
        return Located(region=region, sightings=())
    best = {s.view: s for s in sorted(showing, key=lambda s: s.score)}
    distance = np.array([depth(cameras, s.view, support.point) for s in best.values()])
    widths = np.array([s.size[0] for s in best.values()]) * distance / cameras.focal_px[list(best)]
    heights = np.array([s.size[1] for s in best.values()]) * distance / cameras.focal_px[list(best)]
    return Located(
        region=Region(
            xy=support.point[:2],
            radius_m=float(np.clip(0.5 * np.median(widths), *RADIUS_M)),
            height_m=float(np.clip(np.median(heights), support.point[2], 1.4)),
        ),
        sightings=tuple(best.values()),
    )


def _below_hands(
    people: Sequence[PersonSupports], sightings: Sequence[Sighting], cameras: Cameras, cfg: SearchConfig
) -> list[Located]:
    """One object below both hands of the first person whose two hands are at one height before the body."""
    for person in people:
        hands = [support.point for support in person.supports if support.kind == "hand"]
        if len(hands) == 2 and abs(hands[0][2] - hands[1][2]) < 0.15:
            return [_below(Support(kind="hand", point=0.5 * (hands[0] + hands[1])), sightings, cameras, cfg)]
    return []


def _shows(sighting: Sighting, point: Float[ndarray, "3"], cameras: Cameras) -> bool:
    uv = project(cameras, sighting.view, point)
    return bool((uv > sighting.box_px[:2]).all() and (uv < sighting.box_px[2:]).all())
