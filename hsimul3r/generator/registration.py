"""A generator's sample put where the photos, the floor and the people have it: x, y, turn, width, depth, height of its seat
or top, and height above it. The chain's objects and those that feedback judges are placed here.

The maker's own guess of turn and extents is where the search begins: coarsely from several turns, then finely with a shift for
every view, which soaks up the cameras' errors. A shape without metres is first made as large as its masks. Energies are made as
those of the parametric fit (objective.py), to be compared.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import cma
import numpy as np
from jaxtyping import Float
from numpy import ndarray

from hsimul3r.artifacts import ConvexPart
from hsimul3r.errors import NoObject
from hsimul3r.generator.objective import (
    XY_UNIT_M,
    YAW_UNIT,
    Crops,
    Weights,
    best_views,
    box_centre,
    crop,
    object_box,
    without_translation,
)
from hsimul3r.generator.protocol import Candidate, Observation
from hsimul3r.geometry.cameras import project
from hsimul3r.geometry.convex_sets import ConvexSet
from hsimul3r.geometry.mesh import Surface, convex_part
from hsimul3r.geometry.rotations import rotation_about_z

PLACE_SIZE: Final = 7
"""Search variables before the views' shifts: x, y, yaw, stretch of width, depth, heights below and above the knee."""
SIZE_UNIT: Final = 0.12
"""One unit of the search for an extent, in its logarithm."""
START_SIZE_M: Final = 0.7
"""First guess of the mean extent of a shape without metres, and the last where nothing is known of cameras."""
BLIND_TURNS: Final = 8
"""From so many turns the search begins where the maker knows of none; `RegistrationConfig.turns` otherwise."""
PLUMB_LINES: Final = 0.04 * np.array([[0, 0], [1, 0], [-1, 0], [0, 1], [0, -1]])
"""What carries a body part is looked for below these points about it, so that no slit between boards is hit alone [m]."""


@dataclass(frozen=True, kw_only=True)
class RegistrationConfig:
    """Settings of `place_coarsely` and `place_finely`; pixels are those of the resampled views."""

    coarse_px: int = 60
    coarse_size: int = 112
    fine_px: int = 120
    fine_size: int = 200
    turns: int = 4
    first_generations: int = 8
    coarse_generations: int = 30
    coarse_population: int = 12
    coarse_sigma: float = 0.8
    survivors: int = 2
    """Turns that go on after the first generations."""
    fine_generations: int = 120
    fine_population: int = 14
    fine_sigma: float = 0.25
    size_prior: float = 0.0015
    """Added for every stretch's squared deviation from the guess, in units of 12%."""
    points: float = 0.05
    """Weight of the scene points on the object."""
    point_reach_m: float = 0.05
    """Points farther than this from the surface are taken for another's."""
    weights: Weights = field(default_factory=Weights)


@dataclass(frozen=True, kw_only=True)
class Guess:
    """A made object before it is placed: parts in metres in its own frame, on the floor, and its turn in the world."""

    parts: tuple[ConvexPart, ...]
    outlines: tuple[ConvexPart, ...]
    """The same with as few edges as their silhouettes need: they are drawn thousands of times."""
    yaw: float | None
    """None where its maker does not know which way it is turned."""
    knee: float
    """Height of the seat or top: what lies below and above it is stretched apart."""
    is_seat: bool
    """True where people sit on it: hands do not rest on it then, as in the parametric fit."""
    has_front: bool
    """True where a sitter looks out of its front (-Y)."""


@dataclass(frozen=True, kw_only=True)
class MadeObject:
    """A generator's sample as a solid in its own frame."""

    family: str
    guess: Guess
    surface: Surface
    """The parts united."""
    density_kg_m3: float
    friction: float
    parameters: Mapping[str, float] = field(default_factory=dict)
    """What its maker says of it."""

    def turned(self, yaw: float) -> "MadeObject":
        """The same, its turn told against a direction whose yaw in the world this is."""
        told = self.guess.yaw
        return self if told is None else replace(self, guess=replace(self.guess, yaw=told + yaw))


@dataclass(frozen=True, kw_only=True)
class Place:
    """A point of the search."""

    guess: Guess
    z: Float[ndarray, "size"]
    energy: float


def place_coarsely(guess: Guess, observation: Observation, *, cfg: RegistrationConfig, seed: int) -> Place:
    """The best of several turns in small views. Raises `NoObject` where no view has a mask."""
    crops = crop(observation, object_px=cfg.coarse_px, size=cfg.coarse_size)
    if not crops.is_used.any():
        raise NoObject("No view has a mask of the object.")
    problem = _Problem(guess, crops, observation, cfg, has_shifts=False)
    turns = BLIND_TURNS if guess.yaw is None else cfg.turns
    starts = [np.array([0, 0, 2 * np.pi * k / turns / YAW_UNIT, 0, 0, 0, 0]) for k in range(turns)]
    searches = [_Search(problem, z, cfg.coarse_population, cfg.coarse_sigma, seed) for z in starts]
    for search in searches:
        search.run(cfg.first_generations)
    searches.sort(key=lambda search: search.energy)
    for search in searches[: cfg.survivors]:
        search.run(cfg.coarse_generations - cfg.first_generations)
    best = min(searches[: cfg.survivors], key=lambda search: search.energy)
    return Place(guess=guess, z=best.z, energy=best.energy)


def place_finely(place: Place, observation: Observation, *, cfg: RegistrationConfig, seed: int) -> Place:
    """From a coarse place on, in larger views that may shift."""
    crops = crop(observation, object_px=cfg.fine_px, size=cfg.fine_size)
    problem = _Problem(place.guess, crops, observation, cfg, has_shifts=True)
    start = np.concatenate([place.z[:PLACE_SIZE], np.zeros(problem.size - PLACE_SIZE)])
    search = _Search(problem, start, cfg.fine_population, cfg.fine_sigma, seed)
    search.run(cfg.fine_generations)
    return Place(guess=place.guess, z=search.z, energy=search.energy)


def placed_parts(place: Place, observation: Observation) -> tuple[tuple[ConvexPart, ...], Float[ndarray, "4 4"]]:
    """The parts in metres, and the object's frame in the world."""
    sizes, guess = np.exp(SIZE_UNIT * place.z[3:PLACE_SIZE]), place.guess
    solid = ConvexSet.of(guess.parts, knee=guess.knee)
    pose = _poses(place.z[None], box_centre(observation), guess.yaw or 0.0)[0]
    parts = tuple(convex_part(solid.stretched(part.vertices, sizes)) for part in guess.parts)
    T = np.eye(4)
    T[:3, :3] = rotation_about_z(pose[2])
    T[:2, 3] = pose[:2]
    return parts, T


def placed(made: MadeObject, observation: Observation, *, cfg: RegistrationConfig, seed: int) -> Candidate:
    """A sample where it fits best. Raises `NoObject` where no view has a mask."""
    coarse = place_coarsely(made.guess, observation, cfg=cfg, seed=seed)
    return candidate_of(made, place_finely(coarse, observation, cfg=cfg, seed=seed), observation)


def candidate_of(made: MadeObject, place: Place, observation: Observation) -> Candidate:
    """A sample in metres in the world."""
    parts, T = placed_parts(place, observation)
    return Candidate(
        family=made.family, parameters=dict(made.parameters), parts=parts, T_world_object=T, energy=place.energy,
        density_kg_m3=made.density_kg_m3, friction=made.friction,
    )  # fmt: skip


def centred(vertices: Float[ndarray, "vertices 3"]) -> Float[ndarray, "vertices 3"]:
    """Moved so that the origin is under the middle of the box, at its bottom."""
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    return vertices - [*(low + high)[:2] / 2, low[2]]


def fitting_size(vertices: Float[ndarray, "vertices 3"], observation: Observation) -> float:
    """Factor by which a shape whose mean extent is 1 comes to fill the object's boxes in the views [m].

    Raises `NoObject` where no view has a mask.
    """
    usable = best_views(observation)
    size, middle = START_SIZE_M, np.append(box_centre(observation), 0.0)
    for _ in range(3):
        ratios = []
        for view in usable:
            drawn = np.ptp(project(observation.cameras, view, size * vertices + middle), axis=0)
            box = object_box(np.asarray(observation.labels[view]), observation.boxes_px[view])
            ratios.append(np.hypot(*(box[2:] - box[:2])) / np.hypot(*drawn))
        size *= float(np.median(ratios))
    return size


class _Problem:
    """Energy of a population of search variables."""

    def __init__(
        self, guess: Guess, crops: Crops, observation: Observation, cfg: RegistrationConfig, *, has_shifts: bool
    ):  # fmt: skip
        self.guess, self.crops, self.observation, self.cfg = guess, crops, observation, cfg
        self.solid = ConvexSet.of(guess.outlines, knee=guess.knee)
        self.middle, self.yaw = box_centre(observation), guess.yaw or 0.0
        start = np.array([*self.middle, self.yaw])
        self.free_shifts = (
            without_translation(crops.cameras, crops.is_used, start) if has_shifts else np.zeros((0, 2 * len(crops.labels)))
        )
        self.size = PLACE_SIZE + len(self.free_shifts)

    def __call__(self, z: Float[ndarray, "n size"]) -> Float[ndarray, "n"]:
        sizes, poses = np.exp(SIZE_UNIT * z[:, 3:PLACE_SIZE]), _poses(z, self.middle, self.yaw)
        shifts = (z[:, PLACE_SIZE:] @ self.free_shifts).reshape(len(z), -1, 2) * self.crops.shift_unit_px[:, None]
        energy = self.solid.silhouette_energies(sizes, poses, shifts, self.crops.cameras, self.crops.counts)
        weights = self.cfg.weights
        energy += self.cfg.size_prior * (z[:, 3:PLACE_SIZE] ** 2).sum(axis=1)
        energy += weights.shift_prior * (z[:, PLACE_SIZE:] ** 2).sum(axis=1)
        if self.observation.facing is not None and self.guess.has_front:
            energy -= weights.facing * 0.5 * (1.0 + np.cos(poses[:, 2] - self.observation.facing))
        energy -= self._carried(sizes, poses)
        return energy + self._off_points(sizes, poses)

    def _carried(self, sizes: Float[ndarray, "n 4"], poses: Float[ndarray, "n 3"]) -> Float[ndarray, "n"]:
        """Reward for every body part that finds the object at its height, as the parametric fit has it."""
        weights, total = self.cfg.weights, np.zeros(len(poses))
        for support in self.observation.supports:
            if support.kind == "hand" and self.guess.is_seat:
                continue
            about = np.array([support.point]) + np.pad(PLUMB_LINES, ((0, 0), (0, 1)))
            local = self.solid.unstretched(_local(about, poses), sizes)
            tops = self.solid.tops(local[..., :2].reshape(-1, 2), local[..., 2].reshape(-1))
            gaps = np.abs(tops.reshape(len(poses), -1) - local[..., 2]).min(axis=1) * sizes[:, 2] / weights.support_height_m
            total += weights.support * np.maximum(1.0 - (gaps / weights.support_cut) ** 2, 0.0)
        return total

    def _off_points(self, sizes: Float[ndarray, "n 4"], poses: Float[ndarray, "n 3"]) -> Float[ndarray, "n"]:
        """How far scene points on the object are from its surface, mean of their distances up to the reach."""
        points, cfg = self.observation.points, self.cfg
        if not len(points):
            return np.zeros(len(poses))
        away = [self.solid.distances(one, size) for one, size in zip(_local(points, poses), sizes)]
        return cfg.points * np.minimum(np.array(away) / cfg.point_reach_m, 1.0).mean(axis=1)


class _Search:
    """CMA-ES from one start."""

    def __init__(self, problem: _Problem, start: Float[ndarray, "size"], population: int, sigma: float, seed: int):
        self.problem, self.z = problem, start
        self.energy = float(problem(start[None])[0])
        options = {"popsize": population, "seed": seed + 1, "verbose": -9, "tolfun": 1e-4, "tolfunhist": 1e-5, "tolx": 1e-3}
        self._cma = cma.CMAEvolutionStrategy(start, sigma, options)

    def run(self, generations: int) -> None:
        for _ in range(generations):
            if self._cma.stop():
                return
            asked = np.array(self._cma.ask())
            energies = self.problem(asked)
            self._cma.tell(list(asked), energies.tolist())
            best = int(energies.argmin())
            if energies[best] < self.energy:
                self.energy, self.z = float(energies[best]), asked[best]


def _poses(z: Float[ndarray, "n size"], middle: Float[ndarray, "2"], yaw: float) -> Float[ndarray, "n 3"]:
    """Place and yaw (x, y, yaw)."""
    return np.array([*middle, yaw]) + z[:, :3] * np.array([XY_UNIT_M, XY_UNIT_M, YAW_UNIT])


def _local(points: Float[ndarray, "points 3"], poses: Float[ndarray, "n 3"]) -> Float[ndarray, "n points 3"]:
    """World points in the frames of objects at these poses."""
    cos, sin = np.cos(poses[:, 2:]), np.sin(poses[:, 2:])
    dx, dy = points[:, 0] - poses[:, :1], points[:, 1] - poses[:, 1:2]
    return np.stack([cos * dx + sin * dy, cos * dy - sin * dx, np.broadcast_to(points[:, 2], dx.shape)], axis=-1)
