"""What a generator is shown of an object that the chain has found: its masks, what people rest on it, scene points on it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from hsimul3r.artifacts import HumanMotion, ObjectView
from hsimul3r.generator.poisson import PointSurfaceConfig, points_on_object
from hsimul3r.generator.protocol import Observation
from hsimul3r.generator.supports import PersonSupports, with_people

SITTER_REACH_M: Final = 0.9
"""A sitter farther than this from the object does not say where its front is."""


def observe(
    view: ObjectView, motion: HumanMotion, people: Sequence[PersonSupports], *, sitter_reach_m: float = SITTER_REACH_M,
    fewest_views: int = PointSurfaceConfig.fewest_views,
) -> Observation:  # fmt: skip
    """The object as the cameras and the people of `motion` show it."""
    seen = Observation(cameras=motion.cameras, labels=view.labels, boxes_px=view.boxes_px, category=view.category)
    is_on = points_on_object(motion.tracks, seen, fewest_views) & ~motion.is_floor_point
    return replace(with_people(seen, people, sitter_reach_m), points=motion.tracks.points[is_on])
