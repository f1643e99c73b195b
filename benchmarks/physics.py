"""How fast the simulation is and how often each controller holds a hand-made interaction under reconstruction noise.

    python benchmarks/physics.py speed
    python benchmarks/physics.py control --seeds 0 1 2 --joint-deg 5 --root-m 0.03 --tilt-deg 3

Times are CPU seconds, which do not depend on what else the machine does; wall time is given beside them.
"""

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

from hsimul3r.artifacts import SimScene
from hsimul3r.benchmark.interactions import INTERACTIONS, with_noise
from hsimul3r.progress import Progress
from hsimul3r.tracking.pd import follow_reconstruction
from hsimul3r.tracking.problem import tracking_problem
from sim_envs import backend
from sim_envs.contract import JUDGE, PLAN
from stages import build_sim_scene, judge_stability, track_motion

QUIET = Progress(None)
CONSOLE = Console(width=150, markup=False)


@dataclass(frozen=True, kw_only=True)
class Speed:
    """Steps per CPU second of the batch, in the coarse and the fine simulation, one thread."""

    kinds: tuple[str, ...] = tuple(INTERACTIONS)
    simulations: int = 48
    seconds: float = 1.0

    def run(self) -> None:
        table = Table("scene", "simulation", "steps / CPU s", "simulated s / CPU s")
        for kind in self.kinds:
            scene = built(kind, None, None)
            for name, timing in (("plan 1/60", PLAN), ("judge 1/240", JUDGE)):
                batch = backend("mujoco_cpu").load(scene, count=self.simulations, timing=timing, threads=1)
                plan = follow_reconstruction(tracking_problem(scene), batch.qpos_names, batch.ctrl_names)
                ctrl = plan.ctrl + np.random.default_rng(0).normal(0, 0.05, (self.simulations, plan.ctrl.shape[1]))
                steps = round(self.seconds / timing.timestep_s)
                started = time.process_time()
                batch.step(ctrl, steps)
                rate = self.simulations * steps / (time.process_time() - started)
                table.add_row(kind, name, f"{rate:.0f}", f"{rate * timing.timestep_s:.1f}")
        CONSOLE.print(table)


@dataclass(frozen=True, kw_only=True)
class Noise:
    """Standard deviations of what is added to the clean interaction."""

    joint_deg: float = 5.0
    root_m: float = 0.03
    tilt_deg: float = 3.0


@dataclass(frozen=True, kw_only=True)
class Control:
    """Verdicts of every controller on noisy interactions; without seeds, on the clean ones."""

    kinds: tuple[str, ...] = tuple(INTERACTIONS)
    controllers: tuple[str, ...] = ("pd", "static")
    seeds: tuple[int, ...] = ()
    noise: tyro.conf.OmitArgPrefixes[Noise] = Noise()
    threads: int = 0

    def run(self) -> None:
        table = Table(
            "scene", "controller", "stable", "types", "deviation mm", "CPU s median (max)", "wall s median (max)", "iterations"
        )
        for kind in self.kinds:
            for controller in self.controllers:
                cases = [self._case(kind, controller, seed) for seed in self.seeds or (None,)]
                stable, kinds, deviation, cpu, wall, iterations = (list(column) for column in zip(*cases))
                table.add_row(
                    kind,
                    controller,
                    f"{sum(stable)}/{len(stable)}",
                    " ".join(str(k) for k in kinds),
                    f"{np.median(deviation) * 1e3:.0f}",
                    f"{np.median(cpu):.1f} ({max(cpu):.1f})",
                    f"{np.median(wall):.1f} ({max(wall):.1f})",
                    f"{np.median(iterations):.0f}",
                )
        CONSOLE.print(table)

    def _case(self, kind: str, controller: str, seed: int | None) -> tuple[bool, int, float, float, float, float]:
        scene = built(kind, self.noise, seed)
        mode = "pd" if controller == "pd" else "static"
        cfg = track_motion.TrackMotionConfig(controller=mode, seed=seed or 0, threads=self.threads)
        started, started_cpu, folder = time.perf_counter(), time.process_time(), Path()
        rollout = track_motion.run(scene, cfg=cfg, out=folder, progress=QUIET)
        wall, cpu = time.perf_counter() - started, time.process_time() - started_cpu
        verdict = judge_stability.run(scene, rollout, cfg=judge_stability.JudgeStabilityConfig(), out=folder, progress=QUIET)
        iterations = rollout.report.get("iterations", 0.0)
        CONSOLE.print(f"{kind} seed {seed} {controller}: type {verdict.feedback_type}, {cpu:.1f} CPU s. {verdict.reason}")
        deviation = float(rollout.body_deviation_m[-1])
        return verdict.is_stable, verdict.feedback_type, deviation, cpu, wall, iterations


def built(kind: str, noise: Noise | None, seed: int | None) -> SimScene:
    """An interaction as a scene for the engine; noisy where a seed is given."""
    aligned = INTERACTIONS[kind]()
    if noise is not None and seed is not None:
        aligned = with_noise(aligned, joint_deg=noise.joint_deg, root_m=noise.root_m, tilt_deg=noise.tilt_deg, seed=seed)
    with tempfile.TemporaryDirectory() as folder:
        cfg = build_sim_scene.BuildSimSceneConfig()
        return build_sim_scene.run(aligned, cfg=cfg, out=Path(folder), progress=QUIET)


def main() -> None:
    command = tyro.extras.subcommand_cli_from_dict({"speed": Speed, "control": Control})
    command.run()


if __name__ == "__main__":
    main()
