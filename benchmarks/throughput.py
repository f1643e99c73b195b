"""Steps per CPU second of a sitter on a chair of 48 convex hulls: the backend against `mj_step` loops and `mujoco.rollout`.

    python benchmarks/throughput.py speed --timing plan
    python benchmarks/throughput.py memory
    python benchmarks/throughput.py warp --device cpu

The ways are interleaved within a run, so that what else the machine does reaches all of them; CPU seconds are those of this
process and all its threads. With several threads wall time counts, and tells something only where that many cores are free:
the CPU time a step costs at two threads over that at one is given beside it.
"""

import gc
import itertools
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import mujoco
import mujoco.rollout
import numpy as np
import psutil
import tyro
from jaxtyping import Float
from numpy import ndarray
from rich.console import Console
from rich.table import Table

from hsimul3r.artifacts import ConvexPart, SimScene
from hsimul3r.benchmark.interactions import sit_on_chair
from hsimul3r.geometry.mesh import convex_part
from hsimul3r.tracking.layout import HumanLayout, human_name
from sim_envs import backend
from sim_envs.conformance import scene_of
from sim_envs.contract import JUDGE, PLAN, Timing
from sim_envs.scene_builder import SceneParts, load_model

TIMINGS = {"plan": PLAN, "judge": JUDGE}
CONSOLE = Console(width=150, markup=False)


@dataclass(frozen=True, kw_only=True)
class Workload:
    """Perturbed servo targets of a sitter, the same for every way of stepping."""

    scene: SimScene
    timing: Timing
    ctrl: Float[ndarray, "sims nu"]
    steps: int
    chunk: int
    """Steps between two controls, which a caller in the loop gives."""


def workload(timing: Timing, *, simulations: int, steps: int, chunk: int) -> Workload:
    """Targets are disturbed by 3 degrees a component."""
    scene = many_hulled_sitter()
    batch = backend("mujoco_cpu").load(scene, count=1, timing=timing, threads=1)
    ctrl = np.zeros((simulations, len(batch.ctrl_names)))
    HumanLayout.of(human_name(0), batch.qpos_names, batch.ctrl_names).write_targets(ctrl, scene.bodies[0].pose[:1, :22])
    ctrl += np.random.default_rng(0).normal(0.0, 0.05, ctrl.shape)
    return Workload(scene=scene, timing=timing, ctrl=ctrl, steps=steps, chunk=chunk)


def many_hulled_sitter() -> SimScene:
    """A person on a chair whose six boxes are each cut into eight chamfered slabs of 24 vertices."""
    aligned = sit_on_chair()
    chair = aligned.assets[0]
    asset = replace(chair, parts=tuple(slab for part in chair.parts for slab in slabs(part, 8)))
    return scene_of(SceneParts(body_model=aligned.body_model, bodies=aligned.bodies, humans=(human_name(0),), assets=(asset,)))


def slabs(box: ConvexPart, count: int) -> list[ConvexPart]:
    """A box along the axes, sliced across its longest; every slab's corners are cut by a tenth."""
    low, high = box.vertices.min(axis=0), box.vertices.max(axis=0)
    along = np.eye(3)[np.argmax(high - low)]
    half = (high - low) / 2 / np.where(along, count, 1)
    signs = np.array(list(itertools.product((-1, 1), repeat=3)), float)
    corners = np.concatenate([signs * np.where(np.arange(3) == axis, 1.0, 0.9) for axis in range(3)])
    return [convex_part(low + half + 2 * i * half * along + corners * half) for i in range(count)]


def loop(work: Workload, *, reads: bool) -> Callable[[], None]:
    """`for: mj_step`, one simulation after the other; where it `reads`, what the backend gives out after every chunk."""
    model = load_model(work.scene, work.timing)
    data = mujoco.MjData(model)
    fields = ("qpos", "qvel", "xpos", "xquat", "sensordata", "solver_niter")
    held = {name: np.zeros((len(work.ctrl), *getattr(data, name).shape)) for name in fields}

    def run() -> None:
        for sim, ctrl in enumerate(work.ctrl):
            mujoco.mj_resetDataKeyframe(model, data, 0)
            for _ in range(work.steps // work.chunk):
                data.ctrl[:] = ctrl
                for _ in range(work.chunk):
                    mujoco.mj_step(model, data)
                for name in fields if reads else ():
                    held[name][sim] = getattr(data, name)

    return run


def rollout(work: Workload) -> Callable[[], None]:
    """`mujoco.rollout` of whole trajectories on one thread."""
    model = load_model(work.scene, work.timing)
    data = mujoco.MjData(model)
    mujoco.mj_resetDataKeyframe(model, data, 0)
    kind = mujoco.mjtState.mjSTATE_FULLPHYSICS
    start = np.zeros(mujoco.mj_stateSize(model, kind.value))
    mujoco.mj_getState(model, data, start, kind.value)
    starts = np.tile(start, (len(work.ctrl), 1))
    control = np.repeat(work.ctrl[:, None], work.steps, axis=1)

    def run() -> None:
        with mujoco.rollout.Rollout(nthread=0) as pool:
            pool.rollout(model, data, starts, control)

    return run


def batch(work: Workload, threads: int, name: str = "mujoco_cpu") -> Callable[[], None]:
    """The backend, given controls every `chunk` steps."""
    simulations = backend(name).load(work.scene, count=len(work.ctrl), timing=work.timing, threads=threads)
    qpos = np.tile(work.scene.qpos, (len(work.ctrl), 1))

    def run() -> None:
        simulations.reset(qpos)
        for _ in range(work.steps // work.chunk):
            simulations.step(work.ctrl, work.chunk)
        assert not simulations.has_diverged().any() and not simulations.capped_steps().any()

    return run


@dataclass(frozen=True, kw_only=True)
class Speed:
    """Loops, rollout and the backend on one thread and on two, in turns."""

    timing: Literal["plan", "judge"] = "plan"
    simulations: int = 8
    steps: int = 240
    chunk: int = 4
    repeats: int = 3

    def run(self) -> None:
        work = workload(TIMINGS[self.timing], simulations=self.simulations, steps=self.steps, chunk=self.chunk)
        ways = {
            "loop": loop(work, reads=False),
            "loop that reads": loop(work, reads=True),
            "mujoco.rollout": rollout(work),
            "1 thread": batch(work, 1),
            "2 threads": batch(work, 2),
        }
        cpu, wall = measured(ways, self.repeats, self.simulations * self.steps)
        table = Table("way", "steps / CPU s: median (least, most)", "against the loop: median (least, most)", "steps / s")
        for name in ways:
            ratio = cpu[name] / cpu["loop"]
            table.add_row(name, spread(cpu[name], ".0f"), spread(ratio, ".2f"), spread(wall[name], ".0f"))
        CONSOLE.print(f"{self.timing}, {work.timing.timestep_s:.5f} s, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
        CONSOLE.print(table)
        CONSOLE.print(f"1 to 2 threads: wall {spread(wall['2 threads'] / wall['1 thread'], '.2f')} times as fast;", end=" ")
        CONSOLE.print(f"CPU a step {spread(cpu['1 thread'] / cpu['2 threads'], '.2f')} times as much")


def measured(
    ways: dict[str, Callable[[], None]], repeats: int, steps: int
) -> tuple[dict[str, Float[ndarray, "repeats"]], dict[str, Float[ndarray, "repeats"]]]:
    """Steps per CPU second and per second of every way, one after the other in each repeat; a first round warms up."""
    cpu: dict[str, list[float]] = {name: [] for name in ways}
    wall: dict[str, list[float]] = {name: [] for name in ways}
    for repeat in range(repeats + 1):
        for name, run in ways.items():
            began, began_cpu = time.perf_counter(), time.process_time()
            run()
            if repeat:
                cpu[name].append(steps / (time.process_time() - began_cpu))
                wall[name].append(steps / (time.perf_counter() - began))
    return {k: np.array(v) for k, v in cpu.items()}, {k: np.array(v) for k, v in wall.items()}


def spread(values: Float[ndarray, "repeats"], form: str) -> str:
    """Median, least and most."""
    return f"{np.median(values):{form}} ({values.min():{form}}, {values.max():{form}})"


@dataclass(frozen=True, kw_only=True)
class Memory:
    """What a world adds to the process."""

    worlds: int = 4096

    def run(self) -> None:
        scene, process = many_hulled_sitter(), psutil.Process()
        kept = [backend("mujoco_cpu").load(scene, count=1, timing=PLAN, threads=1)]
        gc.collect()
        before = process.memory_info().rss
        kept.append(backend("mujoco_cpu").load(scene, count=self.worlds, timing=PLAN, threads=1))
        gc.collect()
        CONSOLE.print(f"{(process.memory_info().rss - before) / self.worlds / 1024:.1f} KiB a world, of {self.worlds} worlds")


@dataclass(frozen=True, kw_only=True)
class Warp:
    """mujoco_warp against mujoco_cpu: speed, and the largest difference in qpos after 60 steps, with the same controls."""

    timing: Literal["plan", "judge"] = "judge"
    simulations: int = 8
    steps: int = 60
    repeats: int = 3

    def run(self) -> None:
        work = workload(TIMINGS[self.timing], simulations=self.simulations, steps=self.steps, chunk=self.steps)
        ways = {name: batch(work, 1, name) for name in ("mujoco_cpu", "mujoco_warp")}
        cpu, wall = measured(ways, self.repeats, self.simulations * self.steps)
        for name in ways:
            CONSOLE.print(f"{name}: {spread(cpu[name], '.0f')} steps / CPU s, {spread(wall[name], '.0f')} steps / s")
        ends = [self._end(work, name) for name in ways]
        difference = np.abs(ends[1] - ends[0]).max(axis=1)
        CONSOLE.print(f"{self.timing}: after {self.steps} steps qpos differs by {spread(difference, '.1e')}")

    def _end(self, work: Workload, name: str) -> Float[ndarray, "sims nq"]:
        simulations = backend(name).load(work.scene, count=len(work.ctrl), timing=work.timing, threads=1)
        simulations.step(work.ctrl, work.steps)
        return simulations.state()[0]


def main() -> None:
    command = tyro.extras.subcommand_cli_from_dict({"speed": Speed, "memory": Memory, "warp": Warp})
    command.run()


if __name__ == "__main__":
    main()
