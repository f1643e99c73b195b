"""A robot tries its retargeted motion under gravity, with its motors' limits, among the objects: does it hold?"""

from dataclasses import dataclass, field, replace
from pathlib import Path

from hsimul3r.progress import Progress
from hsimul3r.retarget.check.follow import FollowConfig, duration_s, follow
from hsimul3r.retarget.check.policy import POLICY_FPS, STEPS
from hsimul3r.retarget.check.problem import robot_problem
from hsimul3r.retarget.check.verdict import RobotCheck, RobotLimits, reason_of, robot_criteria, robot_report, run_plan
from hsimul3r.retarget.motion import RobotMotion
from hsimul3r.tracking.recording import Execution, RecordConfig, SoftStart
from hsimul3r.tracking.simulation import Fidelity, Simulation


@dataclass(frozen=True, kw_only=True)
class CheckRobotConfig:
    """Which controller, and what counts as held."""

    follow: FollowConfig = field(default_factory=FollowConfig)
    limits: RobotLimits = field(default_factory=RobotLimits)
    soft_start: SoftStart = field(default_factory=SoftStart)
    fps: float = 60.0
    """Of the commands; a policy has its own."""
    threads: int = 0
    """0: all that this process may use. The result does not depend on it."""
    seed: int = 0


def run(motion: RobotMotion, *, cfg: CheckRobotConfig, out: Path, progress: Progress) -> RobotCheck:
    """Raises `BadRobot`."""
    from sim_envs.contract import JUDGE, PLAN, Timing
    from sim_envs.robot_scene import load_robot

    is_policy = cfg.follow.controller == "policy"
    fps = POLICY_FPS if is_policy else cfg.fps
    problem = robot_problem(motion, fps)
    fine = Timing(timestep_s=1 / (POLICY_FPS * STEPS), is_discrete=JUDGE.is_discrete) if is_policy else JUDGE
    timing = {"plan": PLAN, "judge": fine}

    def simulator(fidelity: Fidelity, count: int) -> Simulation:
        return load_robot(problem.robot, motion.assets, count=count, timing=timing[fidelity], threads=cfg.threads)

    recording = RecordConfig(duration_s=duration_s(problem, cfg.follow), fps=fps, soft_start=cfg.soft_start)
    with progress.bar("the robot follows", recording.duration_s / cfg.follow.window.commit_s) as advance:
        controlled = follow(problem, simulator, recording, cfg.follow, seed=cfg.seed, on_search=advance)
    judge = simulator("judge", 1)
    tried = run_plan(problem, judge, controlled.plan, Execution(simulation=judge, cfg=recording))
    criteria = robot_criteria(tried, problem, cfg.limits)
    return RobotCheck(
        provenance=replace(motion.provenance, adapter=f"{cfg.follow.controller} on mujoco_cpu", seed=cfg.seed),
        robot=motion.robot,
        controller=cfg.follow.controller,
        is_feasible=all(criterion.holds for criterion in criteria),
        criteria=criteria,
        reason=reason_of(criteria, cfg.follow.controller),
        run=tried,
        report={**robot_report(tried, problem, cfg.limits), **controlled.report},
    )
