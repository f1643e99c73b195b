"""Objects for benchmarks/generator.py: where they come from, how they are photographed, and what retrieval finds for them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Final, Literal

import numpy as np

from hsimul3r.artifacts import Cameras, ConvexPart
from hsimul3r.benchmark.objects.meshes import gated_furniture, shipped_furniture, shipped_meshes
from hsimul3r.benchmark.objects.sweethome import fetch, models, read_soup
from hsimul3r.benchmark.objects.usable import SEATS
from hsimul3r.errors import GateRefused
from hsimul3r.generator.flow.dataset import read_split
from hsimul3r.generator.flow.furniture import HELD_OUT_FROM, drawn_family, sample_furniture
from hsimul3r.generator.flow.pictures import Model, model_of, shade
from hsimul3r.generator.flow.primitives import Primitive, convex_parts
from hsimul3r.generator.flow.tokens import LOG_EXTENT_MEAN, LOG_EXTENT_SPREAD
from hsimul3r.generator.protocol import Candidate, Observation
from hsimul3r.generator.registration import Guess, RegistrationConfig, place_coarsely, place_finely, placed_parts
from hsimul3r.generator.synthetic import HEIGHT, WIDTH, Conditions, Shape, Truth, mesh_observation, placed
from hsimul3r.geometry.cameras import depth, project
from hsimul3r.geometry.mesh import union
from hsimul3r.geometry.silhouette import rasterize_depth
from hsimul3r.metrics.shape import support_height

Source = Literal["procedural", "infinigen", "sweethome"]
GATE_NODES: Final = 1e6
PUBLIC_DOMAIN: Final = "CC0-1.0"


@dataclass(frozen=True, kw_only=True)
class Item:
    """An object in its own frame, on the floor, the middle of its box above the origin, the front to -Y."""

    name: str
    number: int
    category: str
    vertices: np.ndarray
    faces: np.ndarray
    model: Model
    """How it is drawn."""

    @property
    def extents_m(self) -> np.ndarray:
        return np.ptp(self.vertices, axis=0)


def items_of(source: Source, count: int, folder: Path) -> list[Item]:
    """The first `count` objects of a source, or all where there are fewer."""
    if source == "procedural":
        return [_procedural(i) for i in range(count)]
    if source == "infinigen":
        made = [shipped_furniture(name) for name in shipped_meshes()[:count]]
        return [_foreign(i, one.name, one.category, one.mesh[0], one.mesh[1]) for i, one in enumerate(made) if one.mesh]
    return _real(count, folder)


def _procedural(number: int) -> Item:
    furniture = sample_furniture(HELD_OUT_FROM + number)
    vertices, faces = union(convex_parts(furniture.primitives))
    model = model_of(furniture)
    by = _to_origin(vertices)
    return Item(
        name=f"{furniture.family} {number}", number=number, category=furniture.category, vertices=vertices + by, faces=faces,
        model=replace(model, vertices=model.vertices + by),
    )  # fmt: skip


def _foreign(number: int, name: str, category: str, vertices: np.ndarray, faces: np.ndarray) -> Item:
    vertices = vertices + _to_origin(vertices)
    seat = support_height(vertices, faces) if category in SEATS else None
    model = Model(vertices=vertices, faces=faces, part=np.zeros(len(faces), int), seat_m=seat)
    return Item(name=name, number=number, category=category, vertices=vertices, faces=faces, model=model)


def _real(count: int, folder: Path) -> list[Item]:
    """Real meshes that pass the gate, those in the public domain first; what the gate made is kept in the folder."""
    entries = sorted(models(fetch(folder)), key=lambda entry: entry.licence != PUBLIC_DOMAIN)
    found: list[Item] = []
    for entry in entries:
        if len(found) == count:
            break
        kept = folder / f"gated_{entry.name}.npz"
        if not kept.exists():
            try:
                mesh = gated_furniture(entry.name, entry.category, read_soup(entry), nodes=GATE_NODES, pieces=1).mesh
            except GateRefused:
                mesh = None
            vertices, faces = mesh or (np.zeros((0, 3)), np.zeros((0, 3), int))
            np.savez_compressed(kept, vertices=vertices, faces=faces)
        with np.load(kept, allow_pickle=False) as file:
            if len(file["faces"]):
                found.append(_foreign(len(found), entry.name, entry.category, file["vertices"], file["faces"]))
    return found


Seen = tuple[Observation, Truth, tuple[np.ndarray, ...]]
"""What the generator sees, what is true, and the photos."""


def _to_origin(vertices: np.ndarray) -> np.ndarray:
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    return -np.array([*(low + high)[:2] / 2, low[2]])


def observation_of(item: Item, conditions: Conditions, seed: int) -> Seen:
    """The object somewhere on the floor, as calibrated photos show it."""
    shape = Shape(
        name=item.name, categories=(item.category,), vertices=item.vertices, faces=item.faces,
        support=np.array([0.0, 0.0, item.model.seat_m or support_height(item.vertices, item.faces)]),
        width_m=float(item.extents_m[0]), is_seat=item.model.seat_m is not None,
    )  # fmt: skip
    observation, truth = mesh_observation(1000 * seed + item.number, conditions, shape)
    rng = np.random.default_rng([32, seed, item.number])
    model = replace(item.model, vertices=placed(item.model.vertices, truth.pose))
    images = tuple(_photo(model, truth.cameras, view, rng) for view in range(len(observation.labels)))
    return replace(observation, category=item.category), truth, images


def _photo(model: Model, cameras: Cameras, view: int, rng: np.random.Generator) -> np.ndarray:
    """Grey values of the object; people and all else are the labels' affair."""
    uv, z = project(cameras, view, model.vertices), depth(cameras, view, model.vertices)
    _, face = rasterize_depth(uv, z, model.faces, height=HEIGHT, width=WIDTH)
    T = cameras.T_cam_world[view]
    grey = 255 * shade(model, face, model.vertices @ T[:3, :3].T + T[:3, 3], rng)
    return np.repeat(grey.astype(np.uint8)[:, :, None], 3, axis=2)


class Retrieval(Enum):
    """Which training object stands for another."""

    NEAREST = "nearest extents"
    ANY = "any of the category"


@dataclass(frozen=True, kw_only=True)
class TrainingSet:
    """Seeds, categories and extents of all training objects."""

    seeds: np.ndarray
    categories: np.ndarray
    log_extents: np.ndarray

    @classmethod
    def read(cls, folder: Path) -> "TrainingSet":
        data = read_split(folder, "train")
        return cls(
            seeds=data.seeds, categories=np.array([drawn_family(int(seed))[1].category for seed in data.seeds]),
            log_extents=data.outline[:, 0, :3] * LOG_EXTENT_SPREAD + LOG_EXTENT_MEAN,
        )  # fmt: skip

    def found(self, item: Item, kind: Retrieval, seed: int) -> tuple[Primitive, ...]:
        """The training object nearest in extents, or any, of the object's category (the truth's, which no photo tells)."""
        rows = np.flatnonzero(self.categories == item.category)
        if kind is Retrieval.NEAREST:
            row = rows[((self.log_extents[rows] - np.log(item.extents_m)) ** 2).sum(axis=1).argmin()]
        else:
            row = np.random.default_rng([33, seed, item.number]).choice(rows)
        return sample_furniture(int(self.seeds[row])).primitives

    def parts(self, item: Item, kind: Retrieval, seed: int) -> tuple[ConvexPart, ...]:
        """Stretched to the true extents."""
        return stretched(convex_parts(self.found(item, kind, seed)), item.extents_m)

    def placed(self, item: Item, observation: Observation, truth: Truth, seed: int) -> Candidate:
        """With the true extents and turn, its place and the rest registered as a generated object's."""
        parts = self.parts(item, Retrieval.NEAREST, seed)
        guess = Guess(
            parts=parts, outlines=parts, yaw=float(truth.pose[2]), knee=float(item.extents_m[2]), is_seat=False, has_front=False
        )
        cfg = RegistrationConfig()
        place = place_finely(place_coarsely(guess, observation, cfg=cfg, seed=seed), observation, cfg=cfg, seed=seed)
        made, T = placed_parts(place, observation)
        return Candidate(
            family="retrieval", parameters={}, parts=made, T_world_object=T, energy=place.energy,
            density_kg_m3=1.0, friction=1.0,
        )  # fmt: skip


def stretched(parts: Sequence[ConvexPart], extents_m: np.ndarray) -> tuple[ConvexPart, ...]:
    """Made as large as it is known to be, on the floor."""
    points = np.concatenate([part.vertices for part in parts])
    scale = extents_m / np.ptp(points, axis=0)
    return tuple(replace(part, vertices=(part.vertices + _to_origin(points)) * scale) for part in parts)
