"""Sampling control of a motion: a cross-entropy search over the servo targets of the next moments, again and again.

From the state that the fine simulation is in, samples of target offsets (knots in time, linear between them, on top of the
reference's own targets) are simulated over a horizon in the coarse simulation, unless what is known already is good enough.
The best few are compared in the fine one, and the first part of the best is executed there; the rest of it, shifted, is where
the next search begins. A plan made in the coarse simulation alone and replayed in the fine one often fails.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, Self

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from hsimul3r.conventions import BODY_JOINTS
from hsimul3r.geometry.rotations import matrix_from_quaternion
from hsimul3r.tracking.costs import CostWeights
from hsimul3r.tracking.layout import HumanLayout
from hsimul3r.tracking.mending import MendingConfig
from hsimul3r.tracking.moment import MomentCost
from hsimul3r.tracking.pd import follow_reconstruction
from hsimul3r.tracking.problem import TrackingProblem
from hsimul3r.tracking.recording import Execution, Plan, SoftStart, soften
from hsimul3r.tracking.sampling import JOINT_KINDS, SUPPORT, antithetic, leaders, pose_scale, update
from hsimul3r.tracking.simulation import Simulation
from hsimul3r.tracking.static_cem import StaticCemConfig

CANDIDATES = 3
"""Compared in the fine simulation at a time."""


@dataclass(frozen=True, kw_only=True)
class WindowConfig:
    """Search settings; iterations bound the time, so that a result never depends on the machine's speed."""

    samples: int = 32
    horizon_s: float = 0.8
    rest_horizon_s: float = 1.6
    """Once the motion is over, when falls are slow; its knots are as many, and as much farther apart."""
    commit_s: float = 0.2
    """What is executed of a plan before the next search."""
    iterations: int = 6
    """At most; most moments of most motions need one."""
    good_cost: float = 0.12
    """The search ends with the first sample that costs no more: about what a reconstruction's own errors cost."""
    control_hz: float = 30.0
    knot_s: float = 0.2
    elite_share: float = 0.25
    inertia: float = 0.5
    """Share of the old variance in the new one."""
    least_spread: float = 0.1
    greatest_spread: float = 1.5
    """Bounds on the spread, in units of the first one."""
    support_share: float = 2.0
    """First spread of the offsets of hips, knees, ankles and lowest spine in units of POSE_SCALE."""
    other_share: float = 1.0
    lean_rad: float = 0.04
    """Spread of turns about all ankles or hips together."""
    persistence: float = 0.7
    """Correlation of neighbouring knots in a sample: what a reconstruction has wrong stays wrong for a while."""
    cost_cap: float = 3.0
    """Most that one moment may cost, so that falls do not drown the rest."""
    end_s: float = 0.2
    """Final part of the horizon, which counts `end_weight` times."""
    end_weight: float = 2.0
    tipping: float = 10.0
    """Weight of where people are about to fall, in that part."""
    stillness: float = 0.25
    """By how much of its cost holding still may be worse than moving on, once the motion is over."""
    weights: CostWeights = field(default_factory=lambda: CostWeights(effort=0.01))
    start: StaticCemConfig = field(
        default_factory=lambda: StaticCemConfig(samples=48, max_iterations=8, check_every=1, horizon_s=1.5, horizon_growth=4)
    )
    """Search for a start that holds, where the motion rests in its first frame."""
    start_s: float = 1.5
    """How long a start must hold."""
    mending: MendingConfig = field(default_factory=MendingConfig)
    """Of the reference, where contacts are known."""


@dataclass(frozen=True, kw_only=True)
class WindowSolution:
    """The executed commands as a plan, and what it took."""

    plan: Plan
    searches: int
    simulated_s: float
    """Of all samples together, in the coarse simulation."""


@dataclass(frozen=True, kw_only=True)
class Horizon:
    """One search's view of time: from `frame` of the reference, `len(basis)` control steps of `frames` frames each."""

    frame: int
    frames: int
    knot_s: float
    basis: Float[ndarray, "steps knots"]

    def reference_frame(self, step: int) -> int:
        """Frame at the end of a control step, beyond the motion where it rests."""
        return self.frame + (step + 1) * self.frames


class SearchSpace(Protocol):
    """Where the planner searches: offsets of servo targets around a reference's own, of one body or several."""

    @property
    def frames(self) -> int:
        """Of the reference."""
        ...

    @property
    def reference(self) -> Plan: ...
    @property
    def scale(self) -> Float[ndarray, "size"]:
        """Expected errors: the first spread of samples."""
        ...

    def offsets_of(self, ctrl: Float[ndarray, "nu"], frame: int, knots: int) -> Float[ndarray, "people knots size"]:
        """What turns the reference's targets of a frame into `ctrl`, kept over all knots."""
        ...

    def leans(self, frame: int) -> Float[ndarray, "people leans size"]:
        """Offsets that bring everybody's weight elsewhere."""
        ...

    def commands(self, samples: Float[ndarray, "sims people knots size"], horizon: Horizon) -> Float[ndarray, "steps sims nu"]:
        """Servo targets of samples over a horizon."""
        ...


class Moment(Protocol):
    """What samples are compared by, per body: the cost of one moment, of not being at rest, and of being about to fall."""

    def __call__(self, simulation: Simulation, frame: int = 0) -> Float[ndarray, "sims people"]: ...
    def end_velocity(self, simulation: Simulation) -> Float[ndarray, "sims people"]: ...
    def tipping(self, simulation: Simulation, frame: int) -> Float[ndarray, "sims people"]: ...


@dataclass(frozen=True, kw_only=True)
class WindowSpace:
    """Offsets (people, knots, 63) of servo targets around the reference's own."""

    problem: TrackingProblem
    servos: tuple[ndarray, ...]
    """Per person: places in ctrl, three of each joint after the root in the order of BODY_JOINTS."""
    reference: Plan
    scale: Float[ndarray, "63"]

    @classmethod
    def of(
        cls,
        problem: TrackingProblem,
        simulation: Simulation,
        cfg: WindowConfig,
        leads: Sequence[Float[ndarray, "frames 63"]] = (),
    ) -> Self:
        """The space of a motion, its scale from the expected errors; `leads` are added to everybody's targets."""
        names = simulation.qpos_names, simulation.ctrl_names
        servos = tuple(HumanLayout.of(person.name, *names).servos.reshape(-1) for person in problem.people)
        reference = follow_reconstruction(problem, *names)
        for places, lead in zip(servos, leads):
            reference.ctrl[:, places] += lead
        share = np.repeat([cfg.support_share if kind in SUPPORT else cfg.other_share for kind in JOINT_KINDS], 3)
        return cls(
            problem=problem,
            servos=servos,
            reference=reference,
            scale=share * pose_scale(),
        )

    @property
    def frames(self) -> int:
        return self.problem.frames

    def offsets_of(self, ctrl: Float[ndarray, "nu"], frame: int, knots: int) -> Float[ndarray, "people knots 63"]:
        """What turns the reference's targets of a frame into `ctrl`, kept over all knots."""
        change = ctrl - self.reference.ctrl[frame]
        return np.stack([np.tile(change[servos], (knots, 1)) for servos in self.servos])

    def leans(self, frame: int) -> Float[ndarray, "people 4 63"]:
        """Offsets that turn the whole body about its ankles, and the trunk about its hips, each about the world's X and Y.

        It is how people keep their balance, and takes many joints to say otherwise.
        """
        frame = min(frame, self.problem.frames - 1)
        found = np.zeros((len(self.problem.people), 4, len(BODY_JOINTS) - 1, 3))
        for i, person in enumerate(self.problem.people):
            R = matrix_from_quaternion(person.quats[frame])
            for joint, kind in enumerate(JOINT_KINDS, start=1):
                if kind in ("ankle", "hip"):
                    first = 0 if kind == "ankle" else 2
                    found[i, first : first + 2, joint - 1] = R[joint, :2]
        return found.reshape(*found.shape[:2], -1)

    def commands(self, samples: Float[ndarray, "sims people knots 63"], horizon: Horizon) -> Float[ndarray, "steps sims nu"]:
        """Servo targets of samples over a horizon."""
        steps = range(len(horizon.basis))
        frames = np.minimum([horizon.reference_frame(step) for step in steps], self.problem.frames - 1)
        ctrl = np.repeat(self.reference.ctrl[frames][:, None], len(samples), axis=1)
        for i, servos in enumerate(self.servos):
            ctrl[:, :, servos] += np.einsum("tk,nkd->tnd", horizon.basis, samples[:, i])
        return ctrl


def knot_basis(steps: int, step_s: float, knot_s: float) -> Float[ndarray, "steps knots"]:
    """Weights of the knots at the beginning of each step, linear between two knots."""
    place = np.arange(steps) * step_s / knot_s
    before = np.floor(place + 1e-9).astype(int)
    basis = np.zeros((steps, int(before[-1]) + 2))
    share = place - before
    basis[np.arange(steps), before] = 1.0 - share
    basis[np.arange(steps), before + 1] = share
    return basis


def persistent(knots: int, correlation: float) -> Float[ndarray, "knots knots"]:
    """Turns independent unit noise at knots into a stationary one whose neighbours are correlated."""
    lag = np.abs(np.subtract.outer(np.arange(knots), np.arange(knots)))
    return np.linalg.cholesky(correlation**lag)


def shifted(knots: Float[ndarray, "people knots size"], by: float, stretch: float = 1.0) -> Float[ndarray, "people knots size"]:
    """The same curve seen from `by` knots later, at knots `stretch` times as far apart; its last value is kept."""
    count = knots.shape[1]
    place = np.minimum(np.arange(count) * stretch + by, count - 1)
    before = np.minimum(np.floor(place).astype(int), max(count - 2, 0))
    share = (place - before)[:, None]
    return knots[:, before] * (1 - share) + knots[:, np.minimum(before + 1, count - 1)] * share


@dataclass(frozen=True, kw_only=True)
class Rehearsal:
    """Simulations in which samples are compared, and what they are compared by."""

    simulation: Simulation
    moment: Moment

    @classmethod
    def of(cls, problem: TrackingProblem, simulation: Simulation, weights: CostWeights) -> Self:
        """Find everything by name, once."""
        return cls(simulation=simulation, moment=MomentCost.of(problem, simulation, weights))


@dataclass(frozen=True, kw_only=True)
class WindowPlanner:
    """The searches of one motion."""

    space: SearchSpace
    cfg: WindowConfig
    soft_start: SoftStart
    fps: float
    coarse: Rehearsal
    """`cfg.samples` simulations."""
    fine: Rehearsal
    """`CANDIDATES` simulations."""

    @property
    def frames(self) -> int:
        """Frames of a control step."""
        return max(round(self.fps / self.cfg.control_hz), 1)

    @property
    def step_s(self) -> float:
        return self.frames / self.fps

    @property
    def commit(self) -> int:
        """Control steps that are executed of a plan."""
        return max(round(self.cfg.commit_s / self.step_s), 1)

    def horizon(self, frame: int) -> Horizon:
        """What lies ahead of a frame: farther where half of it is beyond the end of the motion."""
        cfg = self.cfg
        is_over = frame + 0.5 * cfg.horizon_s * self.fps >= self.space.frames - 1
        stretch = cfg.rest_horizon_s / cfg.horizon_s if is_over else 1.0
        steps = max(round(stretch * cfg.horizon_s / self.step_s), self.commit)
        knot_s = stretch * cfg.knot_s
        return Horizon(frame=frame, frames=self.frames, knot_s=knot_s, basis=knot_basis(steps, self.step_s, knot_s))

    def search(
        self,
        rng: np.random.Generator,
        start: tuple[Float[ndarray, "nq"], Float[ndarray, "nv"]],
        mean: Float[ndarray, "people knots 63"],
        horizon: Horizon,
    ) -> tuple[Float[ndarray, "people knots 63"], int]:
        """The best offsets found from a state of the fine simulation, and the iterations taken.

        What is left of the last window's plan, no offset, and holding the present offset still are tried first; only where
        none of them is good in the fine simulation samples are drawn around the best.
        """
        still = np.repeat(mean[:, :1], mean.shape[1], axis=1)
        known = np.stack([mean, np.zeros_like(mean), still])
        known_cost = self.cost(known, start, horizon, self.fine).sum(axis=1)
        if horizon.frame >= self.space.frames - 1:
            known_cost[-1] /= 1.0 + self.cfg.stillness
        best = known[known_cost.argmin()]
        if known_cost.min() <= self.cfg.good_cost * len(mean):
            return best, 0
        mean, leader, spent = best, best, 0
        scale = np.broadcast_to(self.space.scale, mean.shape[1:])
        spread, mixing = np.tile(scale, (len(mean), 1, 1)), persistent(mean.shape[1], self.cfg.persistence)
        while spent < self.cfg.iterations:
            spent += 1
            samples = antithetic(rng, mean, spread, self.cfg.samples, mixing=mixing)
            samples += self.leaning(rng, mixing, horizon)
            samples[-1] = leader
            cost = self.cost(samples, start, horizon, self.coarse)
            leader = leaders(samples, cost)
            mean, spread = update(samples, cost, mean, spread, scale, self.cfg)
            if cost.min(axis=0).max() <= self.cfg.good_cost:
                break
        found = np.stack([mean, leader, (mean + best) / 2])
        found_cost = self.cost(found, start, horizon, self.fine).sum(axis=1)
        return (found[found_cost.argmin()] if found_cost.min() < known_cost.min() else best), spent

    def leaning(
        self, rng: np.random.Generator, mixing: Float[ndarray, "knots knots"], horizon: Horizon
    ) -> Float[ndarray, "sims people knots 63"]:
        """Random leans in mirrored pairs; none in the first sample."""
        leans = self.space.leans(horizon.frame + len(horizon.basis) * horizon.frames // 2)
        none = np.zeros((len(leans), len(mixing), leans.shape[1]))
        strength = antithetic(rng, none, np.full(none.shape, self.cfg.lean_rad), self.cfg.samples, mixing=mixing)
        return np.einsum("nikl,ild->nikd", strength, leans)

    def cost(
        self,
        samples: Float[ndarray, "sims people knots 63"],
        start: tuple[Float[ndarray, "nq"], Float[ndarray, "nv"]],
        horizon: Horizon,
        rehearsal: Rehearsal,
    ) -> Float[ndarray, "sims people"]:
        """Mean cost over the horizon of every sample, per person; a simulation that diverges costs more than any other."""
        cfg, simulation, moment = self.cfg, rehearsal.simulation, rehearsal.moment
        commands = self.space.commands(samples, horizon)
        steps, end = round(self.step_s / simulation.timestep_s), len(commands) - round(cfg.end_s / self.step_s)
        self._soften(simulation, horizon.frame)
        simulation.reset(*(np.tile(part, (len(samples), 1)) for part in start))
        total = np.zeros(samples.shape[:2])
        for step, ctrl in enumerate(commands):
            self._soften(simulation, horizon.frame + step * horizon.frames)
            simulation.step(ctrl, steps)
            frame = horizon.reference_frame(step)
            capped = np.minimum(moment(simulation, frame), cfg.cost_cap)
            if frame >= self.space.frames:
                capped += np.minimum(moment.end_velocity(simulation), 1.0)
            if step >= end:
                capped = cfg.end_weight * capped + np.minimum(cfg.tipping * moment.tipping(simulation, frame), cfg.cost_cap)
            total += capped
        change = ((samples / self.space.scale) ** 2).mean(axis=(-2, -1))
        cost = total / len(commands) + cfg.weights.effort * change
        return np.where(np.isfinite(cost) & ~simulation.has_diverged()[:, None], cost, 1e6)

    def _soften(self, simulation: Simulation, frame: int) -> None:
        """As the fine simulation will have it; nothing changes any more after the soft start."""
        if (frame - 2 * self.frames) / self.fps <= self.soft_start.duration_s:
            soften(simulation, self.soft_start.recovery(frame / self.fps))


def track(
    planner: WindowPlanner,
    execution: Execution,
    start: Plan,
    frames: int,
    *,
    seed: int,
    on_search: Callable[[float], None] = lambda _: None,
) -> WindowSolution:
    """Plan and execute `frames` frames in the fine simulation of `execution`, from the state and first targets of `start`."""
    rng, ctrl, searches, simulated_s = np.random.default_rng(seed), [], 0, 0.0
    horizon = planner.horizon(0)
    mean = planner.space.offsets_of(start.ctrl[0], 0, horizon.basis.shape[1])
    execution.start([start])
    while len(ctrl) < frames:
        qpos, qvel = execution.simulation.state()
        best, iterations = planner.search(rng, (qpos[0], qvel[0]), mean, horizon)
        for command in planner.space.commands(best[None], horizon)[: planner.commit]:
            for _ in range(min(planner.frames, frames - len(ctrl))):
                execution.advance(command)
                ctrl.append(command[0])
        searches += 1
        simulated_s += len(horizon.basis) * planner.step_s * iterations * planner.cfg.samples
        ahead = planner.horizon(len(ctrl))
        mean = shifted(best, planner.commit * planner.step_s / horizon.knot_s, ahead.knot_s / horizon.knot_s)
        horizon = ahead
        on_search(1.0)
    plan = Plan(qpos=start.qpos, qvel=start.qvel, ctrl=np.stack(ctrl))
    return WindowSolution(plan=plan, searches=searches, simulated_s=simulated_s)
