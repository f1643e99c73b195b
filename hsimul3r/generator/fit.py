"""Furniture from silhouettes by analysis and synthesis: coarse CMA-ES over families and yaws, Levenberg-Marquardt on signed
distance images, fine CMA-ES on the overlap. The object stands on the floor z = 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import cma
import numpy as np
from jaxtyping import Float
from numpy import ndarray

from hsimul3r.artifacts import ConvexPart
from hsimul3r.errors import NoObject
from hsimul3r.generator.families import Family, families
from hsimul3r.generator.objective import UNKNOWN, Crops, Objective, Weights, box_centre, crop
from hsimul3r.generator.protocol import Candidate, Observation
from hsimul3r.geometry.frusta import frustum_parts
from hsimul3r.geometry.masks import signed_distance_image
from hsimul3r.geometry.rotations import rotation_about_z


@dataclass(frozen=True, kw_only=True)
class FitConfig:
    """Settings of the fit; pixels are those of the resampled views."""

    coarse_px: int = 60
    coarse_size: int = 112
    fine_px: int = 120
    fine_size: int = 200
    first_generations: int = 12
    coarse_generations: int = 45
    coarse_population: int = 14
    coarse_sigma: float = 0.8
    survivors: int = 16
    """Starts (families x yaws) that go on after the first generations."""
    adjusted: int = 5
    """Starts that Levenberg-Marquardt improves."""
    tried_families: int = 4
    """Families whose fine search begins: the coarse one ranks them badly where people hide most of the object."""
    tried_generations: int = 40
    kept_families: int = 2
    """Families whose fine search is finished."""
    lm_iterations: int = 8
    lm_limit_px: float = 6.0
    fine_generations: int = 160
    fine_population: int = 18
    fine_sigma: float = 0.2
    foreign_category: float = 0.05
    """Added to the energy of families that the category does not name, and of those without a seat where somebody sits."""
    weights: Weights = field(default_factory=Weights)


@dataclass(frozen=True)
class _State:
    """A point of the search."""

    energy: float
    objective: Objective
    z: Float[ndarray, "size"]


class ParametricGenerator:
    """`Generator` over parametric families."""

    def __init__(self, cfg: FitConfig | None = None, kinds: Sequence[Family] | None = None):
        self.cfg = cfg or FitConfig()
        self.kinds = tuple(kinds or families())

    @property
    def name(self) -> str:
        return "parametric"

    def generate(self, observation: Observation, *, count: int, seed: int) -> tuple[Candidate, ...]:
        """Best member of each of the `count` best families, see `Generator`. Raises `NoObject` where no view shows it and
        nobody sits on it."""
        cfg = self.cfg
        coarse = crop(observation, object_px=cfg.coarse_px, size=cfg.coarse_size)
        if (coarse.labels == UNKNOWN).all() and observation.facing is None:
            raise NoObject("No view has a mask of the object.")
        fine = crop(observation, object_px=cfg.fine_px, size=cfg.fine_size)
        states = _best_of_each_family([self._adjust(state) for state in self._coarse(observation, coarse, seed)])
        kept, tried = max(count, cfg.kept_families), min(cfg.tried_generations, cfg.fine_generations)
        searches = [self._fine(state, fine, seed) for state in states[: max(kept, cfg.tried_families)]]
        for search in searches:
            search.run(tried)
        searches.sort(key=lambda search: search.energy)
        for search in searches[:kept]:
            search.run(cfg.fine_generations - tried)
        fitted = sorted((search.state() for search in searches[:kept]), key=lambda state: state.energy)
        return tuple(_candidate(state) for state in fitted[:count])

    def _coarse(self, observation: Observation, crops: Crops, seed: int) -> list[_State]:
        """The best starts, best first."""
        searches = self._searches(observation, crops, seed)
        for search in searches:
            search.run(self.cfg.first_generations)
        searches.sort(key=lambda search: search.energy)
        for search in searches[: self.cfg.survivors]:
            search.run(self.cfg.coarse_generations - self.cfg.first_generations)
        searches.sort(key=lambda search: search.energy)
        return [search.state() for search in searches[: self.cfg.adjusted]]

    def _searches(self, observation: Observation, crops: Crops, seed: int) -> list["_Search"]:
        cfg, place = self.cfg, box_centre(observation)
        objectives = [
            Objective(kind, crops, observation, start=np.array([*place, yaw]), weights=cfg.weights, has_shifts=False)
            for kind in self.kinds
            for yaw in _yaw_starts(kind, observation.facing)
        ]
        return [
            _Search(one, extra=self._extra(one), population=cfg.coarse_population, sigma=cfg.coarse_sigma, seed=seed)
            for one in objectives
        ]

    def _adjust(self, state: _State) -> _State:
        """Levenberg-Marquardt with a shift per view."""
        objective = state.objective.moved(state.objective.crops)
        z = np.concatenate([state.z, np.zeros(objective.size - objective.shape_size)])
        z = levenberg_marquardt(objective, z, iterations=self.cfg.lm_iterations, limit_px=self.cfg.lm_limit_px)
        return _State(float(objective(z[None])[0]) + self._extra(objective), objective, z)

    def _fine(self, state: _State, crops: Crops, seed: int) -> "_Search":
        cfg, objective = self.cfg, state.objective.moved(crops)
        return _Search(
            objective, extra=self._extra(objective), population=cfg.fine_population, sigma=cfg.fine_sigma, seed=seed,
            start=state.z,
        )  # fmt: skip

    def _extra(self, objective: Objective) -> float:
        seen, kind = objective.observation, objective.family
        is_foreign = seen.category != "" and seen.category not in kind.categories
        is_unusual = seen.facing is not None and not kind.is_seat
        return self.cfg.foreign_category * (is_foreign + is_unusual)


class _Search:
    """CMA-ES (package cma) on an objective; `extra` is added to its energy."""

    def __init__(
        self, objective: Objective, *, extra: float, population: int, sigma: float, seed: int,
        start: Float[ndarray, "size"] | None = None,
    ):  # fmt: skip
        self.objective, self.extra = objective, extra
        options = {"popsize": population, "seed": seed + 1, "verbose": -9, "tolfun": 1e-4, "tolfunhist": 1e-5, "tolx": 1e-3}
        self._z = np.zeros(objective.size) if start is None else start
        self.energy = float(objective(self._z[None])[0]) + extra
        self._cma = cma.CMAEvolutionStrategy(self._z, sigma, options)

    def run(self, generations: int) -> None:
        for _ in range(generations):
            if self._cma.stop():
                return
            asked = self._cma.ask()
            energies = self.objective(np.array(asked)) + self.extra
            self._cma.tell(asked, energies.tolist())
            best = int(energies.argmin())
            if energies[best] < self.energy:
                self.energy, self._z = float(energies[best]), np.array(asked[best])

    def state(self) -> _State:
        return _State(self.energy, self.objective, self._z)


def levenberg_marquardt(
    objective: Objective, z: Float[ndarray, "size"], *, iterations: int, limit_px: float
) -> Float[ndarray, "size"]:
    """Minimise the squared difference of truncated signed distance images of model and mask, unknown pixels left out."""
    problem = _DistanceProblem(objective, limit_px)
    damping, images = 1e-2, problem.images(z)
    cost = problem.cost(images, z)
    for _ in range(iterations):
        hessian, gradient = problem.normal_equations(images, z)
        for _ in range(4):
            step = np.linalg.solve(hessian + damping * np.diag(np.diag(hessian) + 1.0), -gradient)
            tried = problem.clip(z + np.clip(step, -1.0, 1.0))
            tried_images = problem.images(tried)
            tried_cost = problem.cost(tried_images, tried)
            if tried_cost < cost:
                break
            damping *= 5.0
        else:
            return z
        gain = (cost - tried_cost) / cost
        z, images, cost, damping = tried, tried_images, tried_cost, max(0.25 * damping, 1e-4)
        if gain < 2e-3:
            return z
    return z


class _DistanceProblem:
    """Residuals SDF(render) - SDF(mask), and a Gaussian prior on shape and shifts."""

    def __init__(self, objective: Objective, limit_px: float):
        self.objective, self.limit_px = objective, limit_px
        labels = objective.crops.labels
        self.is_active = labels != UNKNOWN
        self.target = self._distances(labels == 1)
        shape, shifts = objective.shape_size - 3, objective.size - objective.shape_size
        scale = np.sqrt(0.002 * self.is_active.sum())
        self.prior = scale * np.concatenate([np.zeros(3), np.full(shape, 0.3), np.full(shifts, 0.6)])
        self.step = np.concatenate([[0.13, 0.13, 0.12], np.full(shape, 0.25)])

    def images(self, z: Float[ndarray, "size"]) -> Float[ndarray, "views size size"]:
        return self._distances(self.objective.masks(z))

    def cost(self, images: Float[ndarray, "views size size"], z: Float[ndarray, "size"]) -> float:
        return float((self._residual(images) ** 2).sum() + ((self.prior * z) ** 2).sum())

    def clip(self, z: Float[ndarray, "size"]) -> Float[ndarray, "size"]:
        """Keep the shape within its ranges."""
        shape = slice(3, self.objective.shape_size)
        z = z.copy()
        z[shape] = np.clip(z[shape], -2.0, 2.0)
        return z

    def normal_equations(self, images: ndarray, z: Float[ndarray, "size"]) -> tuple[ndarray, ndarray]:
        """J^T J and J^T r; central differences for pose and shape, the images' gradient for the shifts."""
        columns = [self._difference(z, i, h) for i, h in enumerate(self.step)]
        columns += self._shift_columns(images) if self.objective.has_shifts else []
        J = np.stack(columns, axis=1)
        return J.T @ J + np.diag(self.prior**2), J.T @ self._residual(images) + self.prior**2 * z

    def _difference(self, z: Float[ndarray, "size"], i: int, h: float) -> Float[ndarray, "active"]:
        step = np.zeros(len(z))
        step[i] = h
        return (self.images(z + step) - self.images(z - step))[self.is_active] / (2.0 * h)

    def _shift_columns(self, images: Float[ndarray, "views size size"]) -> list[Float[ndarray, "active"]]:
        down, right = np.gradient(images, axis=(1, 2))
        slopes = np.stack([np.asarray(right), np.asarray(down)])
        columns = [-np.einsum("va,avhw->vhw", change, slopes) for change in self.objective.shift_derivatives()]
        return [column[self.is_active] for column in columns]

    def _residual(self, images: Float[ndarray, "views size size"]) -> Float[ndarray, "active"]:
        return (images - self.target)[self.is_active]

    def _distances(self, masks: ndarray) -> Float[ndarray, "views size size"]:
        return np.stack([signed_distance_image(mask, self.limit_px) for mask in masks])


def _best_of_each_family(states: Sequence[_State]) -> list[_State]:
    """Best first."""
    best: dict[str, _State] = {}
    for state in sorted(states, key=lambda state: state.energy):
        best.setdefault(state.objective.family.name, state)
    return list(best.values())


def _yaw_starts(kind: Family, facing: float | None) -> tuple[float, ...]:
    """Even turns, beginning at the sitter's where known."""
    offset = facing if facing is not None and kind.is_seat else 0.0
    return tuple(offset + yaw for yaw in kind.yaw_starts)


def _candidate(state: _State) -> Candidate:
    """The fitted object in its own frame: origin on the floor under the middle of its box."""
    objective, z = state.objective, state.z[None]
    values, pose = objective.values(z)[0], objective.poses(z)[0]
    parts = frustum_parts(np.unique(objective.family.rows(values[None])[0], axis=0))
    points = np.concatenate([part.vertices for part in parts])
    offset = np.array([*0.5 * (points.min(0) + points.max(0))[:2], points[:, 2].min()])
    T = np.eye(4)
    T[:3, :3] = rotation_about_z(pose[2])
    T[:3, 3] = T[:3, :3] @ offset + np.array([pose[0], pose[1], 0.0])
    names = [parameter.name for parameter in objective.family.parameters]
    return Candidate(
        family=objective.family.name,
        parameters=dict(zip(names, map(float, values))),
        parts=tuple(_shifted(part, -offset) for part in parts),
        T_world_object=T,
        energy=state.energy,
        density_kg_m3=objective.family.density_kg_m3,
        friction=objective.family.friction,
    )


def _shifted(part: ConvexPart, by: Float[ndarray, "3"]) -> ConvexPart:
    return replace(part, vertices=part.vertices + by)
