"""`Generator` by the embedded model: samples of parts, each put where all views show it, the best first."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy import ndarray

from hsimul3r.artifacts import ConvexPart
from hsimul3r.errors import BadMesh, NoGeneratorWeights
from hsimul3r.generator.families import DRAWERS, UPHOLSTERED, WOOD
from hsimul3r.generator.flow.attach import AttachConfig, Attached, attach
from hsimul3r.generator.flow.crops import CropConfig, condition_from, make_crops
from hsimul3r.generator.flow.network import PartFlow
from hsimul3r.generator.flow.primitives import Primitive, convex_parts, without_mirrors
from hsimul3r.generator.flow.sampling import SamplingConfig, noise_of, sample
from hsimul3r.generator.flow.tokens import decode
from hsimul3r.generator.flow.weights import WEIGHTS, load_network
from hsimul3r.generator.objective import Weights
from hsimul3r.generator.protocol import Candidate, Observation, Support
from hsimul3r.generator.registration import RegistrationConfig, register
from hsimul3r.geometry.mesh import Surface, union

FAMILY: Final = "part_flow"
SHIPPED: Final = Path(__file__).with_name("shipped")
"""Where weights that come with the package will lie."""


@dataclass(frozen=True, kw_only=True)
class FlowConfig:
    """How the embedded model is used."""

    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    attach: AttachConfig = field(default_factory=AttachConfig)
    crops: CropConfig = field(default_factory=CropConfig)
    registration: RegistrationConfig = field(default_factory=RegistrationConfig)
    weights: Weights = field(default_factory=Weights)
    """Of what the people rest on, beside the silhouettes."""
    loose: float = 0.1
    """Added to the energy for every piece beyond the first: such an object falls apart."""
    friction: float = 0.8


class FlowGenerator:
    """Makes an object of its parts from crops of its best views."""

    def __init__(self, network: PartFlow, images: tuple[UInt8[ndarray, "height width 3"], ...], cfg: FlowConfig | None = None):
        self.network, self.images, self.cfg = network, images, cfg or FlowConfig()

    @classmethod
    def load(
        cls, images: tuple[UInt8[ndarray, "height width 3"], ...], *, folder: Path = SHIPPED, cfg: FlowConfig | None = None
    ) -> "FlowGenerator":
        """With the weights of a folder. Raises `NoGeneratorWeights`, `BadWeights` or `WrongWeights`."""
        if not (folder / WEIGHTS).exists():
            raise NoGeneratorWeights(folder)
        return cls(load_network(folder), images, cfg)

    @property
    def name(self) -> str:
        return FAMILY

    def generate(self, observation: Observation, *, count: int, seed: int) -> tuple[Candidate, ...]:
        """`count` samples, the one that fits silhouettes and people best first, see `Generator`.

        Raises `NoObject` where no view shows the object, `BadMesh` where no sample is a solid.
        """
        made = [self._candidate(one, observation, seed) for one in self.samples(observation, count=count, seed=seed)]
        found = [candidate for candidate in made if candidate is not None]
        if not found:
            raise BadMesh(observation.category or "object", "has no parts in any sample")
        return tuple(sorted(found, key=lambda candidate: candidate.energy))

    def samples(self, observation: Observation, *, count: int, seed: int) -> tuple[Attached, ...]:
        """Objects as sampled and attached, before they are placed; those without parts are left out."""
        cfg = self.cfg
        crops = make_crops(observation, self.images, cfg.crops)
        facing = observation.facing if cfg.crops.has_facing else None
        with torch.no_grad():
            memory = self.network.remember(condition_from(crops, facing)).repeated(count)
        noise = noise_of([seed + 1000 * k for k in range(count)])
        decoded = [decode(tokens)[0] for tokens in sample(self.network, memory, noise, cfg.sampling).double().numpy()]
        return tuple(attach(without_mirrors(parts), cfg.attach) for parts in decoded if parts)

    def _candidate(self, made: Attached, observation: Observation, seed: int) -> Candidate | None:
        """An object in metres in the world; None where its parts make no solid."""
        try:
            parts = convex_parts(made.primitives)
            vertices, faces = union(parts, FAMILY)
        except BadMesh:
            return None
        placed = register(vertices, faces, observation, cfg=self.cfg.registration, seed=seed)
        scale = np.ptp(placed.vertices, axis=0) / np.ptp(vertices, axis=0)
        shift = placed.vertices.min(axis=0) - vertices.min(axis=0) * scale
        energy = placed.energy + self.cfg.loose * (made.pieces - 1)
        energy -= carried(observation.supports, (placed.vertices, faces), placed.T_world_object, self.cfg.weights)
        return Candidate(
            family=FAMILY,
            parameters={"pieces": float(made.pieces), "pieces_before": float(made.pieces_before), "moved": float(made.moved)},
            parts=tuple(ConvexPart(vertices=part.vertices * scale + shift, faces=part.faces) for part in parts),
            T_world_object=placed.T_world_object, energy=energy, density_kg_m3=_density(made.primitives),
            friction=self.cfg.friction,
        )  # fmt: skip


def carried(
    supports: Sequence[Support], surface: Surface, T_world_object: Float[ndarray, "4 4"], weights: Weights
) -> float:  # fmt: skip
    """Reward for every body part that finds the object's surface at its height, as the parametric fit has it."""
    total = 0.0
    for support in supports:
        local = T_world_object[:3, :3].T @ (support.point - T_world_object[:3, 3])
        heights = heights_at(surface, local[:2])
        if len(heights):
            gap = float(np.abs(heights - local[2]).min()) / weights.support_height_m
            total += weights.support * max(1.0 - (gap / weights.support_cut) ** 2, 0.0)
    return total


def heights_at(surface: Surface, point: Float[ndarray, "2"]) -> Float[ndarray, "hits"]:
    """Heights at which a plumb line through (x, y) leaves the mesh upwards."""
    vertices, faces = surface
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    first, second, offset = (b - a)[:, :2], (c - a)[:, :2], point - a[:, :2]
    area = first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]
    is_up = area > 1e-12
    safe = np.where(is_up, area, 1.0)
    u = (offset[:, 0] * second[:, 1] - offset[:, 1] * second[:, 0]) / safe
    v = (first[:, 0] * offset[:, 1] - first[:, 1] * offset[:, 0]) / safe
    hit = is_up & (u >= 0) & (v >= 0) & (u + v <= 1)
    return (a[:, 2] + u * (b - a)[:, 2] + v * (c - a)[:, 2])[hit]


def _density(primitives: Sequence[Primitive]) -> float:
    """Of the whole parts [kg/m3]: foam on a frame, drawers around air, or wood."""
    roles = {primitive.role for primitive in primitives}
    return UPHOLSTERED if "base" in roles else DRAWERS if "drawer" in roles else WOOD
