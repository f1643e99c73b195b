"""Sampling control of a static interaction: a cross-entropy search over where people start and what their servos are asked.

A sample moves each person's root and pose, lets limbs go some of the way to their contacts, offsets the targets of legs and
trunk, and is simulated for a few seconds in the coarse simulation (shooting). Four details make it cheap: antithetic samples, a
cost capped per frame, rank weights, and an end as soon as the mean is certified in the fine simulation that will judge it. With
several people each has its own cost and its own ranking of the same simulations.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from hsimul3r.conventions import BODY_JOINTS, SMPLX_PARENTS
from hsimul3r.geometry.rotations import axis_angle_from_matrix, matrix_from_axis_angle, matrix_from_quaternion
from hsimul3r.tracking import costs
from hsimul3r.tracking.costs import CostWeights
from hsimul3r.tracking.layout import HumanLayout
from hsimul3r.tracking.moment import MomentCost
from hsimul3r.tracking.pd import follow_reconstruction
from hsimul3r.tracking.problem import PersonReference, TrackingProblem
from hsimul3r.tracking.reach import reached
from hsimul3r.tracking.recording import Plan, SoftStart, soften
from hsimul3r.tracking.sampling import JOINT_KINDS, SUPPORT, antithetic, leaders, pose_scale, update
from hsimul3r.tracking.simulation import Simulation


@dataclass(frozen=True, kw_only=True)
class StaticCemConfig:
    """Search settings; the number of iterations bounds the time, so that a result never depends on the machine's speed."""

    samples: int = 96
    """A smaller population gets stuck where a person balances on one foot."""
    max_iterations: int = 40
    """For one person; several share it, since their simulations cost as much more."""
    horizon_s: float = 2.5
    control_hz: float = 30.0
    elite_share: float = 0.125
    check_every: int = 2
    """Iterations between two attempts to certify."""
    cost_cap: float = 3.0
    """Most that one frame may cost, so that falls do not drown the rest."""
    end_s: float = 0.7
    """Final part of the horizon, which counts `end_weight` times and should be at rest."""
    end_weight: float = 3.0
    inertia: float = 0.6
    """Share of the old variance in the new one."""
    least_spread: float = 0.1
    greatest_spread: float = 1.5
    """Bounds on the spread, in units of the first one."""
    root_m: float = 0.025
    root_rad: float = 0.035
    lean_rad: float = 0.03
    """Spread of leaning as a whole over the feet."""
    reach_share: float = 0.5
    """Spread of the share of the way that limbs go to their contacts."""
    first_horizon_s: float = 1.0
    """Horizon of the first iteration; it grows to `horizon_s` over `horizon_growth` iterations."""
    horizon_growth: int = 6
    pose_share: float = 1.0
    """Spread of the pose in units of POSE_SCALE; less where the pose is known and only its balance is sought."""
    offset_share: float = 0.8
    """Spread of the servo offsets in units of POSE_SCALE."""
    weights: CostWeights = field(default_factory=lambda: CostWeights(scene=5.0, squeeze=0.1))
    """Eq. 5 counts for more than in a motion: a hand's way to a table costs as much in tracking as it gains at 2."""


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """What the fine simulation says of a plan: its worst margin, and whether everything holds."""

    is_valid: bool
    score: float
    """Sum of the negative margins, zero where everything holds."""


Certify = Callable[[Sequence[Plan]], list[Certificate]]


@dataclass(frozen=True, kw_only=True)
class StaticSolution:
    """The plan, whether it was certified, and what it took."""

    plan: Plan
    is_certified: bool
    iterations: int
    simulated_s: float
    """Of all samples together, in the coarse simulation."""


@dataclass(frozen=True, kw_only=True)
class SearchSpace:
    """Samples (people, size) around the reconstruction: root shift 3, root turn 3, lean 2, reach 1, pose 63, servo offsets."""

    problem: TrackingProblem
    layouts: tuple[HumanLayout, ...]
    reference: Plan
    scale: Float[ndarray, "size"]
    offset_joints: tuple[int, ...]
    """Joints whose servo targets may differ from the pose."""
    reaches: tuple[Float[ndarray, "21 3"], ...]
    """Per person: what closes the contacts when it is added to the pose; a sample's reach is the share of it."""

    @classmethod
    def of(cls, problem: TrackingProblem, simulation: Simulation, cfg: StaticCemConfig) -> Self:
        """The space of a scene, its scale from the expected errors."""
        names = simulation.qpos_names, simulation.ctrl_names
        support = tuple(i + 1 for i, kind in enumerate(JOINT_KINDS) if kind in SUPPORT)
        pose = cfg.pose_share * pose_scale()
        offset = cfg.offset_share * pose_scale([JOINT_KINDS[i - 1] for i in support])
        return cls(
            problem=problem,
            layouts=tuple(HumanLayout.of(person.name, *names) for person in problem.people),
            reference=follow_reconstruction(problem, *names),
            scale=np.concatenate(
                [np.full(3, cfg.root_m), np.full(3, cfg.root_rad), np.full(2, cfg.lean_rad), [cfg.reach_share], pose, offset]
            ),
            offset_joints=support,
            reaches=tuple((reached(person, problem) - person.pose[0])[1:] for person in problem.people),
        )

    def states(
        self, samples: Float[ndarray, "sims people size"]
    ) -> tuple[Float[ndarray, "sims nq"], Float[ndarray, "sims nu"]]:
        """Start states and servo targets of samples."""
        qpos = np.tile(self.reference.qpos, (len(samples), 1))
        ctrl = np.tile(self.reference.ctrl[0], (len(samples), 1))
        ends = np.cumsum([3, 3, 2, 1, 3 * (len(BODY_JOINTS) - 1)])
        for i, (person, layout) in enumerate(zip(self.problem.people, self.layouts)):
            shift, turn, lean, reach, change, offset = np.split(samples[:, i], ends, axis=1)
            root, pose = leaned(person, lean)
            pose[:, 0] = axis_angle_from_matrix(matrix_from_axis_angle(turn) @ matrix_from_axis_angle(pose[:, 0]))
            pose[:, 1:] += np.clip(reach, 0.0, 1.0)[:, :, None] * self.reaches[i] + change.reshape(len(pose), -1, 3)
            layout.write_pose(qpos, root + shift, pose)
            pose[:, list(self.offset_joints)] += offset.reshape(len(pose), -1, 3)
            layout.write_targets(ctrl, pose)
        return qpos, ctrl

    def plan(self, sample: Float[ndarray, "people size"]) -> Plan:
        """The plan of one sample."""
        qpos, ctrl = self.states(sample[None])
        return Plan(qpos=qpos[0], ctrl=ctrl)


def leaned(
    person: PersonReference, lean: Float[ndarray, "sims 2"]
) -> tuple[Float[ndarray, "sims 3"], Float[ndarray, "sims 22 3"]]:
    """The first frame's person turned about its lower foot by small angles about the world's X and Y, soles kept level.

    It is how people shift their weight, and takes many joints to say otherwise. Returns root position and pose.
    """
    tilt = matrix_from_axis_angle(np.concatenate([lean, np.zeros((len(lean), 1))], axis=1))
    ankles = [BODY_JOINTS.index(f"{side}_ankle") for side in ("left", "right")]
    joints = person.joints[0]
    pivot = joints[min(ankles, key=lambda joint: float(joints[joint, 2]))]
    pose = np.tile(person.pose[0], (len(lean), 1, 1))
    pose[:, 0] = axis_angle_from_matrix(tilt @ matrix_from_axis_angle(person.pose[0, 0]))
    for ankle in ankles:
        R_world_shin = matrix_from_quaternion(person.quats[0, SMPLX_PARENTS[ankle]])
        back = R_world_shin.T @ np.swapaxes(tilt, -1, -2) @ R_world_shin
        pose[:, ankle] = axis_angle_from_matrix(back @ matrix_from_axis_angle(person.pose[0, ankle]))
    return pivot + (joints[0] - pivot) @ np.swapaxes(tilt, -1, -2), pose


def optimise(
    problem: TrackingProblem,
    simulation: Simulation,
    certify: Certify,
    cfg: StaticCemConfig,
    *,
    soft_start: SoftStart,
    seed: int,
    on_iteration: Callable[[float], None] = lambda _: None,
) -> StaticSolution:
    """Search until a plan is certified; else the plan that came closest. `simulation` is the coarse one, `cfg.samples` wide."""
    rng = np.random.default_rng(seed)
    space = SearchSpace.of(problem, simulation, cfg)
    size = (len(problem.people), len(space.scale))
    mean, spread = np.zeros(size), np.tile(space.scale, (len(problem.people), 1))
    best, best_score, iteration, simulated_s = space.reference, -np.inf, 0, 0.0
    candidates, limit = [space.reference], -(-cfg.max_iterations // len(problem.people))
    for iteration in range(limit + 1):
        if iteration % cfg.check_every == 0 or iteration == limit:
            for plan, certificate in zip(candidates, certify(candidates)):
                if certificate.score > best_score:
                    best, best_score = plan, certificate.score
                if certificate.is_valid:
                    return StaticSolution(
                        plan=plan, is_certified=True, iterations=iteration, simulated_s=simulated_s * cfg.samples
                    )
        if iteration == limit:
            break
        samples = antithetic(rng, mean, spread, cfg.samples)
        cost = shooting_cost(samples, space, simulation, cfg, soft_start, horizon_s=horizon_of(iteration, cfg))
        simulated_s += horizon_of(iteration, cfg)
        mean, spread = update(samples, cost, mean, spread, space.scale, cfg)
        candidates = [space.plan(mean), space.plan(leaders(samples, cost))]
        on_iteration(1.0)
    return StaticSolution(plan=best, is_certified=False, iterations=iteration, simulated_s=simulated_s * cfg.samples)


def horizon_of(iteration: int, cfg: StaticCemConfig) -> float:
    """Short at first, when a fall is soon seen, and growing: what is left then are slow falls."""
    share = min(iteration / max(cfg.horizon_growth, 1), 1.0)
    return min(cfg.first_horizon_s, cfg.horizon_s) * (1 - share) + cfg.horizon_s * share


def shooting_cost(
    samples: Float[ndarray, "sims people size"],
    space: SearchSpace,
    simulation: Simulation,
    cfg: StaticCemConfig,
    soft_start: SoftStart,
    *,
    horizon_s: float,
) -> Float[ndarray, "sims people"]:
    """Mean cost over the horizon of every sample, per person; a simulation that diverges costs more than any other."""
    moment = MomentCost.of(space.problem, simulation, cfg.weights)
    qpos, ctrl = space.states(samples)
    frames, end = round(horizon_s * cfg.control_hz), round(cfg.end_s * cfg.control_hz)
    steps = round(1.0 / (cfg.control_hz * simulation.timestep_s))
    soften(simulation, soft_start.recovery(0.0))
    simulation.reset(qpos)
    total = np.zeros(samples.shape[:2])
    for frame in range(frames):
        if (frame - 1) / cfg.control_hz <= soft_start.duration_s:
            soften(simulation, soft_start.recovery(frame / cfg.control_hz))
        simulation.step(ctrl, steps)
        capped = np.minimum(moment(simulation), cfg.cost_cap)
        if frame >= frames - end:
            capped = cfg.end_weight * capped + np.minimum(moment.end_velocity(simulation), 1.0)
        total += capped
    cost = total / frames + cfg.weights.effort * costs.effort(samples, space.scale)
    return np.where(np.isfinite(cost) & ~simulation.has_diverged()[:, None], cost, 1e6)
