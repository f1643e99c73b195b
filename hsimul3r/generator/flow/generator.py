"""`Generator` by the embedded model: samples of parts, each put where all views show it, the best first."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import numpy as np
import torch
from jaxtyping import UInt8
from numpy import ndarray

from hsimul3r.errors import BadMesh, NoGeneratorWeights
from hsimul3r.generator.families import DRAWERS, UPHOLSTERED, WOOD
from hsimul3r.generator.flow.attach import AttachConfig, attach
from hsimul3r.generator.flow.crops import CropConfig, condition_from, make_crops
from hsimul3r.generator.flow.network import PartFlow
from hsimul3r.generator.flow.primitives import Primitive, bounds, convex_parts, without_mirrors
from hsimul3r.generator.flow.sampling import SamplingConfig, noise_of, sample
from hsimul3r.generator.flow.tokens import Outline, decode
from hsimul3r.generator.flow.weights import WEIGHTS, load_network
from hsimul3r.generator.protocol import Candidate, Observation
from hsimul3r.generator.registration import (
    Guess,
    MadeObject,
    Place,
    RegistrationConfig,
    candidate_of,
    place_coarsely,
    place_finely,
)
from hsimul3r.geometry.mesh import union

FAMILY: Final = "part_flow"
SHIPPED: Final = Path(__file__).with_name("shipped")
"""The weights that come with the package."""
SEAT_CATEGORIES: Final = ("chair", "armchair", "sofa", "bench")
"""Of these a sitter says where the front is; a table beside the sitter may stand anyhow."""
ROUND_M: Final = 0.03
"""Edges of a smaller radius are drawn sharp."""


@dataclass(frozen=True, kw_only=True)
class FlowConfig:
    """How the embedded model is used."""

    weights: str = ""
    """Folder of weights that were trained or tuned, else those that come with the package."""
    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    attach: AttachConfig = field(default_factory=AttachConfig)
    crops: CropConfig = field(default_factory=CropConfig)
    registration: RegistrationConfig = field(default_factory=RegistrationConfig)
    samples: int = 4
    """Drawn and placed coarsely, at least as many as candidates are asked for."""
    kept: int = 2
    """Samples that are placed finely."""
    loose: float = 0.1
    """Added to the energy for every piece beyond the first: such an object falls apart."""
    friction: float = 0.8


class FlowGenerator:
    """Makes an object of its parts from crops of its best views."""

    def __init__(self, network: PartFlow, images: tuple[UInt8[ndarray, "height width 3"], ...], cfg: FlowConfig | None = None):
        self.network, self.images, self.cfg = network, images, cfg or FlowConfig()

    @classmethod
    def load(cls, images: tuple[UInt8[ndarray, "height width 3"], ...], *, cfg: FlowConfig | None = None) -> "FlowGenerator":
        """With the weights that the settings name. Raises `NoGeneratorWeights`, `BadWeights` or `WrongWeights`."""
        folder = Path(cfg.weights) if cfg is not None and cfg.weights else SHIPPED
        if not (folder / WEIGHTS).exists():
            raise NoGeneratorWeights(folder)
        return cls(load_network(folder), images, cfg)

    @property
    def name(self) -> str:
        return FAMILY

    def generate(self, observation: Observation, *, count: int, seed: int) -> tuple[Candidate, ...]:
        """The `count` samples that fit silhouettes and people best, the best first, see `Generator`.

        Raises `NoObject` where no view shows the object, `BadMesh` where no sample is a solid.
        """
        cfg = self.cfg
        made = self.samples(observation, count=max(count, cfg.samples), seed=seed)
        if not made:
            raise BadMesh(observation.category or "object", "has no parts in any sample")
        places = [place_coarsely(one.guess, observation, cfg=cfg.registration, seed=seed) for one in made]
        order = np.argsort([place.energy + self._looseness(one) for place, one in zip(places, made)], kind="stable")
        kept = order[: max(count, cfg.kept)]
        found = [
            self._candidate(made[i], place_finely(places[i], observation, cfg=cfg.registration, seed=seed), observation)
            for i in kept
        ]
        return tuple(sorted(found, key=lambda candidate: candidate.energy)[:count])

    def samples(self, observation: Observation, *, count: int, seed: int) -> tuple[MadeObject, ...]:
        """Objects as sampled and attached, before they are placed; those that are no solids are left out."""
        cfg = self.cfg
        crops = make_crops(observation, self.images, cfg.crops)
        is_faced = cfg.crops.has_facing and observation.category in SEAT_CATEGORIES
        with torch.no_grad():
            memory = self.network.remember(condition_from(crops, observation.facing if is_faced else None)).repeated(count)
        noise = noise_of([seed + 1000 * k for k in range(count)])
        decoded = [decode(tokens) for tokens in sample(self.network, memory, noise, cfg.sampling).double().numpy()]
        made = [self._made(parts, outline, crops[0].world_yaw) for parts, outline in decoded]
        return tuple(one for one in made if one is not None)

    def _made(self, parts: Sequence[Primitive], outline: Outline, first_yaw: float) -> MadeObject | None:
        attached = attach(without_mirrors(parts), self.cfg.attach)
        made = made_object(attached.primitives, first_yaw - outline.yaw, friction=self.cfg.friction)
        counts = {name: float(getattr(attached, name)) for name in ("pieces", "pieces_before", "moved")}
        return None if made is None else replace(made, parameters=counts)

    def _looseness(self, made: MadeObject) -> float:
        return self.cfg.loose * (made.parameters["pieces"] - 1)

    def _candidate(self, made: MadeObject, place: Place, observation: Observation) -> Candidate:
        found = candidate_of(made, place, observation)
        return replace(found, energy=found.energy + self._looseness(made))


def made_object(primitives: Sequence[Primitive], yaw: float, *, friction: float) -> MadeObject | None:
    """Parts as a solid, turned by `yaw`; None where nothing closed comes of them."""
    if not primitives:
        return None
    try:
        surface = union(convex_parts(primitives), FAMILY)
    except BadMesh:
        return None
    return MadeObject(
        family=FAMILY, guess=_guess(primitives, yaw), surface=surface, density_kg_m3=density_of(primitives), friction=friction
    )


def _guess(made: Sequence[Primitive], yaw: float) -> Guess:
    low, high = bounds(made)
    by = -np.array([*(low + high)[:2] / 2, low[2]])
    primitives = [replace(part, centre=part.centre + by) for part in made]
    sharp = [replace(part, rounding=0.0) if part.rounding * part.half.min() < ROUND_M else part for part in primitives]
    roles = {part.role for part in primitives}
    return Guess(
        parts=convex_parts(primitives), outlines=convex_parts(sharp), yaw=yaw, knee=_knee(primitives),
        is_seat="seat" in roles, has_front=not roles.isdisjoint(("back", "cushion", "post", "slat")),
    )  # fmt: skip


def _knee(primitives: Sequence[Primitive]) -> float:
    """Height of the seat or top; of the whole where there is neither."""
    tops = [part.centre[2] + part.half[2] for part in primitives if part.role in ("seat", "top")]
    return float(np.median(tops)) if tops else float(bounds(primitives)[1][2])


def density_of(primitives: Sequence[Primitive]) -> float:
    """Of the whole parts [kg/m3]: foam on a frame, drawers around air, or wood."""
    roles = {primitive.role for primitive in primitives}
    return UPHOLSTERED if "base" in roles else DRAWERS if "drawer" in roles else WOOD
