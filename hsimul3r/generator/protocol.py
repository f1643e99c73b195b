"""What a maker of object shapes is given and what it returns; the parametric fit and learnt models stand behind it."""

from dataclasses import dataclass, field
from typing import Final, Literal, Protocol

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray

from hsimul3r.artifacts import Cameras, ConvexPart

FLESH_STEP_M: Final = 0.035


@dataclass(frozen=True, kw_only=True)
class Support:
    """A body part that hovers where something should carry it: the object's seat or top is to be at this point."""

    kind: Literal["seat", "foot", "hand"]
    point: Float[ndarray, "3"]
    """Lowest point of the body part, world."""


@dataclass(frozen=True, kw_only=True)
class Observation:
    """One object as the cameras and the people show it, world frame with the floor at z = 0."""

    cameras: Cameras
    labels: tuple[UInt8[ndarray, "height width"] | None, ...]
    """Per view: 0 background, 1 object, 2 unknown; None where the object was not looked for."""
    boxes_px: Float[ndarray, "views 4"]
    category: str = ""
    """conventions.OBJECT_CATEGORIES, or "" where nothing is known."""
    supports: tuple[Support, ...] = ()
    facing: float | None = None
    """Yaw of a chair in which the sitter would sit straight [rad]."""
    points: Float[ndarray, "points 3"] = field(default_factory=lambda: np.zeros((0, 3)))
    """Scene points on the object's surface, world; few, and some of them another's."""
    flesh: Float[ndarray, "flesh 3"] = field(default_factory=lambda: np.zeros((0, 3)))
    """Points well inside the people, `FLESH_STEP_M` apart each way: the object is not there."""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A made object. Lower energy fits better; energies of one observation compare."""

    family: str
    parameters: dict[str, float]
    parts: tuple[ConvexPart, ...]
    """In the object's own frame (conventions.py)."""
    T_world_object: Float[ndarray, "4 4"]
    energy: float
    density_kg_m3: float
    friction: float


class Generator(Protocol):
    """Makes objects that explain an observation."""

    @property
    def name(self) -> str: ...

    def generate(self, observation: Observation, *, count: int, seed: int) -> tuple[Candidate, ...]:
        """Up to `count` candidates, the best first; the same seed gives the same bits."""
        ...
