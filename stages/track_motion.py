"""Hold the reconstruction under gravity with a controller, and record what the fine simulation makes of it (Sec. 3.3)."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from hsimul3r.artifacts import Rollout, SimScene
from hsimul3r.progress import Progress
from hsimul3r.tracking.criteria import DEVIATION, UNLABELLED, InteractionThresholds, interaction_criteria
from hsimul3r.tracking.pd import follow_reconstruction
from hsimul3r.tracking.problem import SceneTerm, TrackingProblem, searched, tracking_problem
from hsimul3r.tracking.recording import Plan, RecordConfig, SoftStart, record, rollout_of
from hsimul3r.tracking.simulation import Simulation
from hsimul3r.tracking.static_cem import Certificate, StaticCemConfig, optimise


@dataclass(frozen=True, kw_only=True)
class TrackMotionConfig:
    """Which controller, for how long, on which engine."""

    controller: Literal["pd", "static"] = "static"
    scene_term: SceneTerm = "surface"
    """What the search knows of contacts: Eq. 5 ("surface"), the object's centre in its place, or nothing. Without it neither
    the force at a contact nor the certificate counts contacts."""
    hold_s: float = 3.0
    fps: float = 60.0
    backend: str = "mujoco_cpu"
    threads: int = 0
    """0: all that this process may use. The result does not depend on it."""
    seed: int = 0
    soft_start: SoftStart = field(default_factory=SoftStart)
    search: StaticCemConfig = field(default_factory=StaticCemConfig)
    certificate: InteractionThresholds = field(
        default_factory=lambda: InteractionThresholds(deviation_m=0.2, penetration_m=0.025)
    )
    """What ends the search: somewhat stricter than the verdict."""


def run(sim_scene: SimScene, *, cfg: TrackMotionConfig, out: Path, progress: Progress) -> Rollout:
    """Raises `UnknownBackend`."""
    from sim_envs import backend
    from sim_envs.contract import JUDGE, PLAN

    engine, problem = backend(cfg.backend), tracking_problem(sim_scene)
    recording = RecordConfig(hold_s=cfg.hold_s, fps=cfg.fps, soft_start=cfg.soft_start)
    judge = engine.load(sim_scene, count=1, timing=JUDGE, threads=cfg.threads)
    report: dict[str, float] = {}
    if cfg.controller == "pd" or not problem.people:
        plan = follow_reconstruction(problem, judge.qpos_names, judge.ctrl_names)
    else:
        coarse = engine.load(sim_scene, count=cfg.search.samples, timing=PLAN, threads=cfg.threads)
        known = searched(problem, cfg.scene_term)

        def certify(plans: Sequence[Plan]) -> list[Certificate]:
            return [_certificate(_judged(plan, judge, sim_scene, problem, recording), known, cfg) for plan in plans]

        with progress.bar("searching a stable pose", cfg.search.max_iterations) as advance:
            solution = optimise(
                known, coarse, certify, cfg.search, soft_start=cfg.soft_start, seed=cfg.seed, on_iteration=advance
            )
        plan = solution.plan
        report = {
            "is_certified": float(solution.is_certified),
            "iterations": float(solution.iterations),
            "planned_s": solution.simulated_s,
        }
    rollout = _judged(plan, judge, sim_scene, problem, recording)
    return replace(
        rollout,
        provenance=replace(sim_scene.provenance, adapter=f"{cfg.controller} on {engine.name}", seed=cfg.seed),
        controller=cfg.controller,
        report={**rollout.report, **report},
    )


def _judged(plan: Plan, judge: Simulation, scene: SimScene, problem: TrackingProblem, cfg: RecordConfig) -> Rollout:
    return rollout_of(record(judge, problem, [plan], cfg), 0, scene, problem, judge, cfg)


def _certificate(rollout: Rollout, known: TrackingProblem, cfg: TrackMotionConfig) -> Certificate:
    """Of a search that knows of contacts, all of Sec. 3.4; of any other, that the scene settles where it was reconstructed."""
    criteria = interaction_criteria(rollout, known, cfg.certificate)
    if cfg.scene_term == "none":
        criteria = tuple(criterion for criterion in criteria if criterion.test == "settled" or criterion.name == DEVIATION)
    reachable = [criterion for criterion in criteria if criterion.name != UNLABELLED]
    score = sum(max(min(criterion.margin, 0.0), -3.0) for criterion in reachable)
    return Certificate(is_valid=all(criterion.holds for criterion in reachable), score=score)
