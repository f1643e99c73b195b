"""A made shape put where the photos show it: place, turn and size on the floor from its silhouettes in all views.

Image-to-3D models give shapes without metres, and without knowing where the object stands. Its up axis is known; x, y, yaw and
three extents are searched by CMA-ES from several turns.
"""

from dataclasses import dataclass

import cma
import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from hsimul3r.errors import NoObject
from hsimul3r.generator.objective import OBJECT, UNKNOWN, XY_UNIT_M, YAW_UNIT, Crops, box_centre, crop
from hsimul3r.generator.protocol import Observation
from hsimul3r.geometry.masks import iou
from hsimul3r.geometry.rotations import rotation_about_z
from hsimul3r.geometry.silhouette import rasterize_depth

SIZE_UNIT = 0.12
"""One unit of the search for an extent, in its logarithm."""
START_SIZE_M = 0.7
"""First guess of the mean extent, before the silhouettes are looked at."""


@dataclass(frozen=True, kw_only=True)
class RegistrationConfig:
    """Settings of `register`; pixels are those of the resampled views."""

    object_px: int = 60
    size: int = 112
    turns: int = 8
    first_generations: int = 12
    generations: int = 60
    population: int = 12
    sigma: float = 1.0
    survivors: int = 2
    stretch_prior: float = 0.002
    """Added for every extent's squared deviation from the mean one, in units of 12%."""


@dataclass(frozen=True, kw_only=True)
class Registered:
    """A shape in metres in its own frame (origin on the floor under the middle of its box), and where it stands."""

    vertices: Float[ndarray, "vertices 3"]
    T_world_object: Float[ndarray, "4 4"]
    energy: float
    """Mean of 1 - IoU over the views, and the prior."""


def register(
    vertices: Float[ndarray, "vertices 3"], faces: Int[ndarray, "faces 3"], observation: Observation, *,
    cfg: RegistrationConfig, seed: int,
) -> Registered:  # fmt: skip
    """Place a shape of any size whose up axis is +Z; a few hundred faces are enough, and it is drawn thousands of times.

    Raises `NoObject` where no view has a mask.
    """
    crops = crop(observation, object_px=cfg.object_px, size=cfg.size)
    if not crops.is_used.any():
        raise NoObject("No view has a mask of the object.")
    shape = centred(vertices)
    place = _Placement(shape / np.ptp(shape, axis=0).mean(), faces, crops, box_centre(observation), cfg)
    place.start_size = place.fitting_size()
    searches = [_Search(place, 2 * np.pi * k / cfg.turns, seed) for k in range(cfg.turns)]
    for search in searches:
        search.run(cfg.first_generations)
    searches.sort(key=lambda search: search.energy)
    for search in searches[: cfg.survivors]:
        search.run(cfg.generations - cfg.first_generations)
    best = min(searches[: cfg.survivors], key=lambda search: search.energy)
    sized, T = place.of(best.z)
    return Registered(vertices=sized, T_world_object=T, energy=best.energy)


def centred(vertices: Float[ndarray, "vertices 3"]) -> Float[ndarray, "vertices 3"]:
    """Moved so that the origin is under the middle of the box, at its bottom."""
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    return vertices - [*(low + high)[:2] / 2, low[2]]


class _Placement:
    """Energy of a search variable z = (x, y, yaw from the start in units; log extents in units)."""

    def __init__(self, shape: ndarray, faces: ndarray, crops: Crops, middle: ndarray, cfg: RegistrationConfig):
        self.shape, self.faces, self.crops, self.middle, self.cfg = shape, faces, crops, middle, cfg
        self.start_size = START_SIZE_M

    def of(self, z: Float[ndarray, "6"]) -> tuple[Float[ndarray, "vertices 3"], Float[ndarray, "4 4"]]:
        """The shape in metres and its frame in the world."""
        T = np.eye(4)
        T[:3, :3] = rotation_about_z(YAW_UNIT * z[2])
        T[:2, 3] = self.middle + XY_UNIT_M * z[:2]
        return self.shape * self.start_size * np.exp(SIZE_UNIT * z[3:]), T

    def fitting_size(self) -> float:
        """Size at which silhouettes are as large as the masks, about."""
        size = self.start_size
        for _ in range(3):
            sized, T = self.shape * size, np.eye(4)
            T[:2, 3] = self.middle
            drawn, seen = self.masks(sized, T), self.crops.labels == OBJECT
            used = self.crops.is_used & drawn.any(axis=(1, 2))
            if used.any():
                size *= float(np.sqrt(np.median(seen[used].sum((1, 2)) / drawn[used].sum((1, 2)))))
        return size

    def energy(self, z: Float[ndarray, "6"]) -> float:
        drawn, labels = self.masks(*self.of(z)), self.crops.labels
        misses = [1 - iou(drawn[v], labels[v] == OBJECT, labels[v] == UNKNOWN) for v in np.flatnonzero(self.crops.is_used)]
        return float(np.mean(misses)) + self.cfg.stretch_prior * float(((z[3:] - z[3:].mean()) ** 2).sum())

    def masks(self, sized: Float[ndarray, "vertices 3"], T: Float[ndarray, "4 4"]) -> Bool[ndarray, "views size size"]:
        """Silhouettes in the views that are used."""
        world = sized @ T[:3, :3].T + T[:3, 3]
        drawn = np.zeros(self.crops.labels.shape, bool)
        for v in np.flatnonzero(self.crops.is_used):
            uv, z = _project(self.crops.cameras[v], world)
            drawn[v] = np.isfinite(rasterize_depth(uv, z, self.faces, height=self.cfg.size, width=self.cfg.size)[0])
        return drawn


class _Search:
    """CMA-ES from one turn."""

    def __init__(self, place: _Placement, yaw: float, seed: int):
        self.place = place
        self.z = np.array([0, 0, yaw / YAW_UNIT, 0, 0, 0], float)
        self.energy = place.energy(self.z)
        options = {"popsize": place.cfg.population, "seed": seed + 1, "verbose": -9, "tolfun": 1e-4, "tolx": 1e-3}
        self._cma = cma.CMAEvolutionStrategy(self.z, place.cfg.sigma, options)

    def run(self, generations: int) -> None:
        for _ in range(generations):
            if self._cma.stop():
                return
            asked = self._cma.ask()
            energies = [self.place.energy(z) for z in asked]
            self._cma.tell(asked, energies)
            best = int(np.argmin(energies))
            if energies[best] < self.energy:
                self.energy, self.z = energies[best], np.array(asked[best])


def _project(camera: Float[ndarray, "16"], world: Float[ndarray, "points 3"]) -> tuple[ndarray, ndarray]:
    """Pixels and depths in a row of `frusta.pinholes`."""
    T = camera[:12].reshape(3, 4)
    x, y, z = (world @ T[:, :3].T + T[:, 3]).T
    with np.errstate(divide="ignore", invalid="ignore"):
        ray = np.stack([x / z, y / z], axis=1)
    focal, principal, k1 = camera[12], camera[13:15], camera[15]
    return focal * (1 + k1 * (ray**2).sum(1))[:, None] * ray + principal, z
