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
from hsimul3r.perception.object_boxes import Located, Region, Sighting, locate, predicted_box, region_of

EXPLAINED_GAP_M = 0.25
"""A support farther than this from every object needs another one."""
APART = 1.0
"""Two objects whose middles are nearer than this part of one's radius are the same."""
RADIUS_M = (0.2, 1.2)


@dataclass(frozen=True, kw_only=True)
class SearchConfig:
    """How far objects are looked for."""

    reach_m: float = 0.6
    """Objects whose rim is farther than this from all people are left out."""
    far_reach_m: float = 4.0
    """Where nothing is within reach, the nearest object within this distance is taken."""
    min_mean_score: float = 0.25
    """Least mean score of the detector over the views in which the object should be seen, 0 where it is missed."""
    most_objects: int = 4
    seat_size_m: tuple[float, float] = (0.45, 1.0)
    foot_size_m: tuple[float, float] = (0.3, 0.0)
    hand_size_m: tuple[float, float] = (0.7, 0.0)
    """Radius and least height of the region where something unseen by the detector must carry a seat, a foot or hands."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """Objects near people, and the one to take where none of these proves real."""

    near: tuple[Located, ...]
    far: tuple[Located, ...]


def search(
    sightings: Sequence[Sighting],
    cameras: Cameras,
    people: Sequence[PersonSupports],
    skins: Sequence[Float[ndarray, "vertices 3"]],
    cfg: SearchConfig,
) -> Found:
    """Objects near people.

    What carries a seat or a raised foot comes first: the boxes that show its place, or a region of usual size. Then the objects
    that views agree on. Hands demand an object only where there is none at all, since most hands rest on nothing.
    """
    carried = [support for person in people for support in person.supports if support.kind != "hand"]
    near: list[Located] = []
    for support in carried:
        if not _is_explained(support, near):
            near.append(_below(support, [s for s in sightings if not _is_used(s, near)], cameras, cfg))
    seen = [one for one in locate(sightings, cameras) if _is_seen_enough(one, cameras, cfg)]
    apart = [one for one in seen if all(_distance_m(one, other) > APART * one.region.radius_m for other in near)]
    skin = np.concatenate(list(skins))
    near += [one for one in apart if one.region.gap_m(skin) < cfg.reach_m]
    if not near:
        near = _below_hands(people, sightings, cameras, cfg)
    far = sorted((one for one in seen if one.region.gap_m(skin) < cfg.far_reach_m), key=lambda one: one.region.gap_m(skin))
    return Found(near=tuple(near[: cfg.most_objects]), far=tuple(far[:1]))


def usual_place(support: Support, cfg: SearchConfig) -> Region:
    """Where something of usual size must stand to carry a body part."""
    radius, height = {"seat": cfg.seat_size_m, "foot": cfg.foot_size_m, "hand": cfg.hand_size_m}[support.kind]
    return Region(xy=support.point[:2], radius_m=radius, height_m=max(height, float(support.point[2]) + 0.03))


def _is_used(sighting: Sighting, objects: Sequence[Located]) -> bool:
    return any(sighting is used for one in objects for used in one.sightings)


def _distance_m(a: Located, b: Located) -> float:
    return float(np.linalg.norm(a.region.xy - b.region.xy))


def _is_seen_enough(one: Located, cameras: Cameras, cfg: SearchConfig) -> bool:
    """Whether the views that should show the object do, on average."""
    views = [v for v in np.flatnonzero(cameras.is_registered) if predicted_box(one.region, cameras, int(v)) is not None]
    return one.score >= cfg.min_mean_score * max(len(views), 1)


def _is_explained(support: Support, objects: Sequence[Located]) -> bool:
    return any(one.region.gap_m(support.point[None]) < EXPLAINED_GAP_M for one in objects)


def _below(support: Support, sightings: Sequence[Sighting], cameras: Cameras, cfg: SearchConfig) -> Located:
    """What carries a body part: from boxes that show its place, else of usual size."""
    showing = [s for s in sightings if _shows(s, support.point, cameras)]
    if not showing:
        return Located(region=usual_place(support, cfg), sightings=(), must_carry=support)
    best = tuple({s.view: s for s in sorted(showing, key=lambda s: s.score)}.values())
    agreed = region_of(best, cameras) if len(best) > 1 else None
    if agreed is not None and agreed.gap_m(support.point[None]) < EXPLAINED_GAP_M:
        return Located(region=agreed, sightings=best, must_carry=support)
    top = max(best, key=lambda s: s.score)
    pixel_m = float(depth(cameras, top.view, support.point) / cameras.focal_px[top.view])
    return Located(
        region=Region(
            xy=support.point[:2],
            radius_m=float(np.clip(0.5 * pixel_m * top.size[0], *RADIUS_M)),
            height_m=float(np.clip(pixel_m * top.size[1], support.point[2] + 0.03, 1.2)),
        ),
        sightings=(top,),
        must_carry=support,
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
