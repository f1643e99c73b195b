"""Captured motions under physics: imported, given the furniture they need, followed by a controller and judged.

    python benchmarks/captured_motions.py --mocap ../shared/data/mocap --clips 01_08 02_06 02_10 --seeds 0 1 2
    python benchmarks/captured_motions.py --mocap ../shared/data/mocap --clips 01_08@4-8.5 --seeds 0

A clip may name a part of itself, from and to in seconds: it keeps the furniture of the whole clip and starts as captured. One
line of JSON a run goes to --out; runs that are there already are not repeated.
"""

import json
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

from hsimul3r.artifacts import AlignedScene, Rollout, SimScene, StabilityVerdict
from hsimul3r.motions.files import copy_motion, motion_files
from hsimul3r.progress import Progress
from hsimul3r.tracking.criteria import UNLABELLED
from stages import build_sim_scene, import_motion, judge_stability, track_motion

CONSOLE = Console(width=150, markup=False)


@dataclass(frozen=True, kw_only=True)
class Args:
    """Which clips, and where to."""

    mocap: Path
    clips: tuple[str, ...] = ("01_08", "02_06", "02_10")
    controllers: tuple[Literal["pd", "window"], ...] = ("pd", "window")
    seeds: tuple[int, ...] = (0, 1, 2)
    out: Path = Path("runs/captured_motions.jsonl")
    rollouts: Path | None = None
    """Where rollouts are kept, to look at."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """What became of a clip."""

    clip: str
    controller: str
    seed: int
    seconds: float
    is_stable: bool
    failed: tuple[str, ...]
    """Criteria that do not hold; that the floor alone is touched is none."""
    followed_s: float
    """Time until the deviation first exceeds its limit."""
    deviation_m: float
    worst_deviation_m: float
    contact_share: float | None
    peak_torque_n_m: float
    cpu_per_s: float


def main(args: Args) -> None:
    args.out.parent.mkdir(parents=True, exist_ok=True)
    done = read(args.out)
    for clip in args.clips:
        scene: SimScene | None = None
        for controller in args.controllers:
            for seed in args.seeds if controller != "pd" else args.seeds[:1]:
                if (clip, controller, seed) in {(run.clip, run.controller, run.seed) for run in done}:
                    continue
                scene = scene or sim_scene(args.mocap, clip)
                run = follow(scene, clip, controller, seed, args.rollouts)
                done.append(run)
                with args.out.open("a") as file:
                    file.write(json.dumps(asdict(run)) + "\n")
    CONSOLE.print(summary([run for run in done if run.clip in args.clips]))


def read(path: Path) -> list[Run]:
    if not path.is_file():
        return []
    return [Run(**record | {"failed": tuple(record["failed"])}) for record in map(json.loads, path.read_text().splitlines())]


def sim_scene(mocap: Path, clip: str) -> SimScene:
    """A clip, or part of it, as the engine has it."""
    name, _, span = clip.partition("@")
    with tempfile.TemporaryDirectory() as folder:
        source = copy_motion(motion_files(mocap / f"{name}.amc", None), Path(folder) / "motion")
        aligned = import_motion.run(source, cfg=import_motion.ImportMotionConfig(), out=Path(folder), progress=Progress())
        if span:
            first_s, last_s = map(float, span.split("-"))
            aligned = part_of(aligned, first_s, last_s)
        return build_sim_scene.run(
            aligned, cfg=build_sim_scene.BuildSimSceneConfig(), out=Path(folder), progress=Progress()
        )  # fmt: skip


def part_of(scene: AlignedScene, first_s: float, last_s: float) -> AlignedScene:
    """Some seconds of a scene, among all of its furniture."""
    body = scene.bodies[0]
    first, last = round(first_s * body.fps), min(round(last_s * body.fps), len(body.pose) - 1)
    ends = {id(c): len(body.pose) - 1 if c.last is None else c.last for c in scene.contacts}
    contacts = (
        replace(c, first=max(c.first - first, 0), last=min(ends[id(c)], last) - first)
        for c in scene.contacts
        if c.first <= last and ends[id(c)] >= first
    )
    cut = replace(body, pose=body.pose[first : last + 1], transl=body.transl[first : last + 1])
    return replace(scene, bodies=(cut,), contacts=tuple(contacts))


def follow(scene: SimScene, clip: str, controller: Literal["pd", "window"], seed: int, rollouts: Path | None) -> Run:
    """Track and judge once, on one thread."""
    cfg = track_motion.TrackMotionConfig(controller=controller, seed=seed, threads=1)
    start = time.process_time()
    rollout = track_motion.run(scene, cfg=cfg, out=Path(), progress=Progress(CONSOLE))
    cpu_s = time.process_time() - start
    verdict = judge_stability.run(
        scene, rollout, cfg=judge_stability.JudgeStabilityConfig(threads=1), out=Path(), progress=Progress()
    )
    if rollouts is not None:
        folder = rollouts / f"{clip}_{controller}_{seed}"
        folder.mkdir(parents=True, exist_ok=True)
        rollout.save(folder)
    return judged(clip, seed, rollout, verdict, cpu_s)


def judged(clip: str, seed: int, rollout: Rollout, verdict: StabilityVerdict, cpu_s: float) -> Run:
    seconds, deviation = (len(rollout.qpos) - 1) / rollout.fps, rollout.body_deviation_m
    failed = tuple(c.name for c in verdict.criteria if not c.holds and c.name != UNLABELLED)
    limit = next(c.threshold for c in verdict.criteria if c.name.startswith("deviation"))
    lost = np.flatnonzero(deviation > limit)
    shares = [c.value for c in verdict.criteria if c.name.endswith("[share]")]
    return Run(
        clip=clip, controller=rollout.controller, seed=seed, seconds=seconds, is_stable=not failed, failed=failed,
        followed_s=float(lost[0] / rollout.fps) if len(lost) else seconds, deviation_m=float(deviation.mean()),
        worst_deviation_m=float(deviation.max()), contact_share=min(shares, default=None),
        peak_torque_n_m=max((v for name, v in rollout.report.items() if name.startswith("peak torque")), default=0.0),
        cpu_per_s=cpu_s / seconds,
    )  # fmt: skip


def summary(runs: list[Run]) -> Table:
    table = Table(
        "clip", "controller", "seed", "s", "followed [s]", "mean / worst deviation [mm]", "contact held", "CPU s / s", "fails"
    )
    for run in runs:
        held = "-" if run.contact_share is None else f"{run.contact_share:.2f}"
        deviation = f"{1e3 * run.deviation_m:.0f} / {1e3 * run.worst_deviation_m:.0f}"
        table.add_row(
            run.clip, run.controller, str(run.seed), f"{run.seconds:.1f}", f"{run.followed_s:.1f}", deviation, held,
            f"{run.cpu_per_s:.2f}", "; ".join(run.failed) or "nothing",
        )  # fmt: skip
    return table


if __name__ == "__main__":
    main(tyro.cli(Args, description=__doc__))
