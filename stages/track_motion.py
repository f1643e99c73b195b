"""Hold or follow the reconstruction under gravity, and record what the fine simulation makes of the commands (Sec. 3.3)."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, assert_never

from hsimul3r.artifacts import Rollout, SimScene
from hsimul3r.progress import Progress
from hsimul3r.tracking.controllers import (
    Controller,
    ControllerName,
    ControlTask,
    OpenLoop,
    StaticSearch,
    WindowSearch,
    controller_for,
)
from hsimul3r.tracking.criteria import DEVIATION, UNLABELLED, InteractionThresholds, interaction_criteria
from hsimul3r.tracking.motion import duration_s, followed_s, rests_at_end
from hsimul3r.tracking.policy import PolicyFollower
from hsimul3r.tracking.problem import SceneTerm, TrackingProblem, at_rate, searched, tracking_problem
from hsimul3r.tracking.recording import Plan, RecordConfig, SoftStart, record, rollout_of
from hsimul3r.tracking.simulation import Fidelity, Simulation
from hsimul3r.tracking.static_cem import Certificate, StaticCemConfig
from hsimul3r.tracking.supports import footings
from hsimul3r.tracking.window import WindowConfig
from stages.adapters.policy_network import load_policy


@dataclass(frozen=True, kw_only=True)
class TrackMotionConfig:
    """Which controller, for how long, on which engine."""

    controller: ControllerName | Literal["auto", "ppo"] = "auto"
    """"auto": static for a single moment, window for a motion. "ppo": a trained policy, `policy`."""
    scene_term: SceneTerm = "surface"
    """What the search knows of contacts: Eq. 5 ("surface"), the object's centre in its place, or nothing. Without it neither
    the force at a contact nor the certificate counts contacts."""
    hold_s: float = 3.0
    """How long a single moment is held."""
    rest_s: float = 1.0
    """How long the last frame of a motion is held, where the motion rests in it; one that does not ends with it."""
    fps: float = 60.0
    backend: str = "mujoco_cpu"
    threads: int = 0
    """0: all that this process may use. The result does not depend on it."""
    seed: int = 0
    soft_start: SoftStart = field(default_factory=SoftStart)
    search: StaticCemConfig = field(default_factory=StaticCemConfig)
    window: WindowConfig = field(default_factory=WindowConfig)
    policy: str = ""
    """File of the policy that "ppo" follows, as `hsimul3r train-policy` writes it."""
    policy_sha256: str = ""
    """What the policy's file must hold; any, where empty."""
    certificate: InteractionThresholds = field(
        default_factory=lambda: InteractionThresholds(deviation_m=0.2, penetration_m=0.025)
    )
    """What ends the search for a pose: somewhat stricter than the verdict."""
    certified_in: Fidelity = "judge"
    """The simulation that has to confirm it; "plan", the search's own, only to measure how much that would be worth."""


def run(sim_scene: SimScene, *, cfg: TrackMotionConfig, out: Path, progress: Progress) -> Rollout:
    """Raises `UnknownBackend`, `NotForMotions`; with "ppo" `PolicyMismatch`, `MixedLayouts`, `NotOnePerson`."""
    from sim_envs import backend
    from sim_envs.contract import JUDGE, PLAN
    from sim_envs.guard import guarded

    engine = backend(cfg.backend)
    timing = {"plan": PLAN, "judge": JUDGE}
    problem = at_rate(tracking_problem(sim_scene), cfg.fps)
    judge = engine.load(sim_scene, count=1, timing=JUDGE, threads=cfg.threads)
    judge = guarded(judge, sim_scene, JUDGE, out / "divergence")

    certifier = judge if cfg.certified_in == "judge" else engine.load(sim_scene, count=1, timing=PLAN, threads=cfg.threads)

    def certify(task: ControlTask, plans: Sequence[Plan]) -> list[Certificate]:
        rollouts = (_judged(plan, certifier, sim_scene, task.problem, task.recording) for plan in plans)
        return [_certificate(rollout, task.known, cfg) for rollout in rollouts]

    task = ControlTask(
        problem=problem,
        known=searched(problem, cfg.scene_term),
        simulator=lambda fidelity, count: engine.load(sim_scene, count=count, timing=timing[fidelity], threads=cfg.threads),
        recording=RecordConfig(duration_s=_duration_s(problem, cfg), fps=cfg.fps, soft_start=cfg.soft_start),
        certify=certify,
        seed=cfg.seed,
        progress=progress,
        footings=footings(sim_scene, problem) if problem.frames > 1 and cfg.scene_term == "surface" else (),
    )
    name = controller_for(problem) if cfg.controller == "auto" else cfg.controller
    controlled = _controller(name, problem, cfg).control(task)
    rollout = _judged(controlled.plan, judge, sim_scene, problem, task.recording)
    return replace(
        rollout,
        provenance=replace(sim_scene.provenance, adapter=f"{name} on {engine.name}", seed=cfg.seed),
        controller=name,
        report={**rollout.report, **controlled.report},
    )


def _duration_s(problem: TrackingProblem, cfg: TrackMotionConfig) -> float:
    return followed_s(duration_s(problem), rests_at_end=rests_at_end(problem), hold_s=cfg.hold_s, rest_s=cfg.rest_s)


def _controller(name: ControllerName | Literal["ppo"], problem: TrackingProblem, cfg: TrackMotionConfig) -> Controller:
    if not problem.people:
        return OpenLoop()
    match name:
        case "pd":
            return OpenLoop()
        case "static":
            return StaticSearch(cfg=cfg.search)
        case "window":
            return WindowSearch(cfg=cfg.window)
        case "ppo":
            act, spec = load_policy(Path(cfg.policy), cfg.policy_sha256)
            return PolicyFollower(act=act, spec=spec)
    assert_never(name)


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
