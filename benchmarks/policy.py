"""How robustly policies follow a clip, beside plain servos and the replayed plan of sampling control.

    python benchmarks/policy.py runs/NAME/70_sim --solved runs/NAME/80_rollout_window \
        --policies runs/NAME/82_policy/warm_start.onnx runs/NAME/82_policy/policy.onnx

Everybody starts from the same disturbed states, several a seed, in the fine simulation; each motion is judged by the criteria
of the verdict (Sec. 3.4). The undisturbed start is judged by the whole verdict, objects alone included.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from time import process_time

import numpy as np
import tyro
from rich.console import Console

from hsimul3r.artifacts import Rollout, SimScene
from hsimul3r.progress import Progress
from hsimul3r.tracking.criteria import interaction_criteria
from hsimul3r.tracking.layout import HumanLayout
from hsimul3r.tracking.pd import follow_reconstruction
from hsimul3r.tracking.policy import Act, PolicySpec, follow_policy
from hsimul3r.tracking.problem import TrackingProblem, at_rate, tracking_problem
from hsimul3r.tracking.recording import Plan, RecordConfig, record, rollout_of
from hsimul3r.tracking.reference import disturbed
from hsimul3r.tracking.simulation import Simulation
from sim_envs import backend
from sim_envs.contract import JUDGE
from stages import judge_stability, track_motion
from stages.adapters.policy_network import load_policy

CONSOLE = Console(highlight=False)


@dataclass(frozen=True, kw_only=True)
class Args:
    """What is compared, and from how many starts."""

    scene: tyro.conf.Positional[Path]
    solved: Path
    policies: tuple[Path, ...]
    seeds: tuple[int, ...] = (0, 1, 2)
    starts: int = 8
    """Disturbed starts a seed."""
    joint_rad: float = 0.05
    root_m: float = 0.01
    out: Path | None = None
    """JSON of all figures."""


@dataclass(frozen=True, kw_only=True)
class Score:
    """One row and seed."""

    row: str
    seed: int
    success: float
    """Share of the starts from which every criterion holds."""
    deviation_m: float
    """Median over the starts of the mean deviation."""
    cpu_s: float
    """Of one second of one motion, recording included."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """The clip in the fine simulation."""

    scene: SimScene
    problem: TrackingProblem
    simulation: Simulation
    recording: RecordConfig


def main(args: Args) -> None:
    scene, solved = SimScene.load(args.scene), Rollout.load(args.solved)
    simulation = backend("mujoco_cpu").load(scene, count=args.starts, timing=JUDGE, threads=1)
    recording = RecordConfig(duration_s=(len(solved.qpos) - 1) / solved.fps, fps=solved.fps)
    problem = at_rate(tracking_problem(scene), solved.fps)
    task = Task(scene=scene, problem=problem, simulation=simulation, recording=recording)
    policies = {path.stem: load_policy(path) for path in args.policies}
    scores = [score for seed in args.seeds for score in _scores(task, solved, policies, seed, args)]
    lines = ["| row | success per seed | mean | median deviation [mm] | CPU s a second |", "|---|---|---|---|---|"]
    for row in dict.fromkeys(score.row for score in scores):
        mine = [score for score in scores if score.row == row]
        shares = [score.success for score in mine]
        lines.append(
            f"| {row} | {', '.join(f'{share:.2f}' for share in shares)} | {np.mean(shares):.2f} | "
            f"{1000 * np.median([score.deviation_m for score in mine]):.0f} | {np.mean([score.cpu_s for score in mine]):.2f} |"
        )
    verdicts = {path.stem: _verdict(scene, path) for path in args.policies}
    lines += [f"{name}, undisturbed: type {kind}. {reason}" for name, (kind, reason) in verdicts.items()]
    CONSOLE.print("\n".join(lines), markup=False, soft_wrap=True)
    if args.out:
        args.out.write_text(json.dumps({"scores": [asdict(score) for score in scores], "verdicts": verdicts}, indent=1))


def _scores(task: Task, solved: Rollout, policies: dict[str, tuple[Act, PolicySpec]], seed: int, args: Args) -> list[Score]:
    """All rows from the same disturbances: of the reconstruction, and for the replayed plan of its own start."""
    names = task.simulation.qpos_names, task.simulation.ctrl_names
    layout, rng = HumanLayout.of(task.problem.people[0].name, *names), np.random.default_rng(seed)
    joints = args.joint_rad * rng.normal(size=(args.starts, 21, 3))
    root = args.root_m * rng.normal(size=(args.starts, 3))
    reference = follow_reconstruction(task.problem, *names)
    plans = {"pd": reference, "replayed plan": Plan(qpos=solved.qpos[0], ctrl=solved.ctrl)}
    rows = {
        name: [replace(plan, qpos=q) for q in disturbed(np.tile(plan.qpos, (args.starts, 1)), layout, joints, root)]
        for name, plan in plans.items()
    }
    found = [_score(task, name, seed, disturbed_plans, process_time()) for name, disturbed_plans in rows.items()]
    for name, (act, spec) in policies.items():
        begin = process_time()
        followed = follow_policy(task.problem, task.simulation, act, spec, task.recording, rows["pd"])
        found.append(_score(task, name, seed, followed, begin))
    return found


def _score(task: Task, row: str, seed: int, plans: Sequence[Plan], begin: float) -> Score:
    recording = record(task.simulation, task.problem, plans, task.recording)
    cpu_s = (process_time() - begin) / (len(plans) * task.recording.duration_s)
    limits = judge_stability.JudgeStabilityConfig().interaction
    rollouts = [rollout_of(recording, i, task.scene, task.problem, task.simulation, task.recording) for i in range(len(plans))]
    holds = [all(c.holds for c in interaction_criteria(rollout, task.problem, limits)) for rollout in rollouts]
    deviation = [float(rollout.body_deviation_m.mean()) for rollout in rollouts]
    return Score(row=row, seed=seed, success=float(np.mean(holds)), deviation_m=float(np.median(deviation)), cpu_s=cpu_s)


def _verdict(scene: SimScene, policy: Path) -> tuple[int, str]:
    cfg = track_motion.TrackMotionConfig(controller="ppo", policy=str(policy), threads=1)
    rollout = track_motion.run(scene, cfg=cfg, out=Path(), progress=Progress())
    judging = judge_stability.JudgeStabilityConfig(threads=1)
    verdict = judge_stability.run(scene, rollout, cfg=judging, out=Path(), progress=Progress())
    return verdict.feedback_type, verdict.reason


if __name__ == "__main__":
    main(tyro.cli(Args))
