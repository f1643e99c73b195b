"""A robot follows a retargeted motion: by its servos alone, led, or by the sampling controller that follows people."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from hsimul3r.errors import PolicyMismatch
from hsimul3r.retarget.check.cost import RobotMoment
from hsimul3r.retarget.check.policy import PolicyFollower
from hsimul3r.retarget.check.problem import RobotProblem
from hsimul3r.retarget.check.space import RobotSpace, reference_plan
from hsimul3r.tracking.controllers import Controlled
from hsimul3r.tracking.costs import CostWeights
from hsimul3r.tracking.motion import followed_s
from hsimul3r.tracking.recording import Execution, RecordConfig
from hsimul3r.tracking.simulation import Simulation, Simulator
from hsimul3r.tracking.window import CANDIDATES, Rehearsal, WindowConfig, WindowPlanner, track

RobotController = Literal["pd", "lead", "window", "policy"]
"""`pd`: servos are asked for the motion's angles; `lead`: for what makes these come about; `window`: corrected by search;
`policy`: by a trained network."""


@dataclass(frozen=True, kw_only=True)
class FollowConfig:
    """Which controller, and its search."""

    controller: RobotController = "window"
    policy: Path | None = None
    """ONNX file of mjlab_kit, for the controller of that name."""
    window: WindowConfig = field(
        default_factory=lambda: WindowConfig(good_cost=0.08, weights=CostWeights(effort=0.01, scene=5.0))
    )
    rest_s: float = 1.0
    """How long the last frame is held, where the motion rests in it."""
    hold_s: float = 3.0
    """How long a single moment is held."""


def duration_s(problem: RobotProblem, cfg: FollowConfig) -> float:
    """How long the robot has to follow."""
    motion_s = (problem.frames - 1) / problem.fps
    return followed_s(motion_s, rests_at_end=problem.rests_at_end(), hold_s=cfg.hold_s, rest_s=cfg.rest_s)


def follow(
    problem: RobotProblem,
    simulator: Simulator,
    recording: RecordConfig,
    cfg: FollowConfig,
    *,
    seed: int,
    on_search: Callable[[float], None] = lambda _: None,
) -> Controlled:
    """Commands for the fine simulation, from the motion's first state."""
    judge = simulator("judge", 1)
    if cfg.controller == "policy":
        if cfg.policy is None:
            raise PolicyMismatch("", "the controller 'policy' needs a file: --robot-check.follow.policy runs/policy.onnx.")
        return Controlled(plan=PolicyFollower.of(cfg.policy, problem, judge).plan(recording))
    if cfg.controller != "window":
        return Controlled(plan=reference_plan(problem, judge, leads=cfg.controller == "lead"))
    planner = _planner(problem, simulator, recording, cfg.window)
    start = replace(planner.space.reference, ctrl=planner.space.reference.ctrl[:1])
    frames = round(recording.duration_s * recording.fps)
    execution = Execution(simulation=judge, cfg=recording)
    solution = track(planner, execution, start, frames, seed=seed, on_search=on_search)
    report = {"searches": float(solution.searches), "planned_s": solution.simulated_s}
    return Controlled(plan=solution.plan, report=report)


def _planner(problem: RobotProblem, simulator: Simulator, recording: RecordConfig, cfg: WindowConfig) -> WindowPlanner:
    """The planner of people over a robot's targets and cost."""
    coarse, fine = simulator("plan", cfg.samples), simulator("judge", CANDIDATES)
    return WindowPlanner(
        space=RobotSpace.of(problem, coarse, cfg),
        cfg=cfg,
        soft_start=recording.soft_start,
        fps=recording.fps,
        coarse=_rehearsal(problem, coarse, cfg.weights),
        fine=_rehearsal(problem, fine, cfg.weights),
    )


def _rehearsal(problem: RobotProblem, simulation: Simulation, weights: CostWeights) -> Rehearsal:
    return Rehearsal(simulation=simulation, moment=RobotMoment.of(problem, simulation, weights))
