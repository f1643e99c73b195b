"""How often each controller holds a pose of HSIBench that was reconstructed with errors, how far from it, and at what cost.

    python benchmarks/control.py --quick
    python benchmarks/control.py --workers 2 --out runs/control
    python benchmarks/control.py --kinds reach --noises lifted --rows pd v2 v3 full --budget tables --out runs/reach
    python benchmarks/control.py --kinds motion --noises drift --rows pd window_v2 window_v3 window --out runs/control

Every case is staged in memory, noise is put on it (see control_cases.py), each row controls it, and the verdict of Sec. 3.4 on
the fine simulation decides. Finished attempts are kept in <out>/outcomes.jsonl: a run that was stopped goes on where it was.
Times are CPU seconds, and seconds on the clock, which say something on idle cores only (`--workers 1 --threads 2`).
<out>/control.md and control.png sum up.
"""

import hashlib
import json
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from typing import Final, Literal

import tyro
from control_cases import BANK, KINDS, Noise, cases_of, noisy, staged_scene
from control_report import Outcome, write_report
from rich.console import Console

from hsimul3r.artifacts import AlignedScene
from hsimul3r.benchmark.check import sim_scene_of
from hsimul3r.errors import NotPosable
from hsimul3r.files import owned_folder
from hsimul3r.processes import single_threaded
from hsimul3r.progress import Progress
from hsimul3r.tracking.noise import ErrorBank
from hsimul3r.tracking.static_cem import StaticCemConfig
from stages import judge_stability, track_motion

RowName = Literal["pd", "v2", "v3", "full", "coarse", "window_v2", "window_v3", "window"]
TRACKING: Final[Mapping[str, track_motion.TrackMotionConfig]] = {
    "pd": track_motion.TrackMotionConfig(controller="pd", threads=1),
    "v2": track_motion.TrackMotionConfig(controller="static", scene_term="none", threads=1),
    "v3": track_motion.TrackMotionConfig(controller="static", scene_term="center", threads=1),
    "full": track_motion.TrackMotionConfig(controller="static", scene_term="surface", threads=1),
    "coarse": track_motion.TrackMotionConfig(controller="static", scene_term="surface", threads=1, certified_in="plan"),
    "window_v2": track_motion.TrackMotionConfig(controller="window", scene_term="none", threads=1),
    "window_v3": track_motion.TrackMotionConfig(controller="window", scene_term="center", threads=1),
    "window": track_motion.TrackMotionConfig(controller="window", scene_term="surface", threads=1),
}
"""The paper's "no optimisation", its V2 and V3, and the full method; what that would be if it trusted its coarse simulation;
and the same three for motions."""
SETTINGS: Final = (
    "controller",
    "scene_term",
    "hold_s",
    "rest_s",
    "fps",
    "soft_start",
    "search",
    "window",
    "certificate",
    "certified_in",
)
"""What of these an outcome follows from."""
Budget = Literal["default", "tables"]
SEARCHES: Final[Mapping[str, StaticCemConfig]] = {
    "default": StaticCemConfig(),
    "tables": StaticCemConfig(samples=48, max_iterations=8),
}
"""How long a pose is searched: as in the demo, or as in the paper's tables (configs/hsibench.yaml)."""
JUDGING = judge_stability.JudgeStabilityConfig(threads=1)
QUIET = Progress(None)


@dataclass(frozen=True, kw_only=True)
class Args:
    """What is run."""

    out: Path = Path("runs/control")
    kinds: tuple[str, ...] = ("stand", "lean", "sit", "lie")
    noises: tuple[Noise, ...] = ("mixed",)
    rows: tuple[RowName, ...] = ("pd", "full")
    seeds: tuple[int, ...] = (0, 1, 2)
    count: int = 30
    """Cases of each kind."""
    budget: Budget = "default"
    workers: int = 2
    threads: int = 1
    """Of each attempt; with more than one, and one worker, the clock on idle cores is what a user waits for."""
    quick: bool = False
    """Three cases of each kind, one seed."""
    report_only: bool = False
    """Sum up what is there."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """One case with everything that is still to be run on it."""

    kind: str
    case: str
    budget: str
    threads: int
    runs: tuple[tuple[str, int, str], ...]
    """Noise, seed and row."""


def main(args: Args) -> None:
    if args.quick:
        args = replace(args, count=3, seeds=(0,))
    unknown = set(args.kinds) - set(KINDS)
    if unknown:
        raise SystemExit(f"Unknown kinds {sorted(unknown)}; known: {', '.join(KINDS)}")
    with owned_folder(args.out, option="--out"):
        notes = args.out / "outcomes.jsonl"
        known = read(notes, args.budget)
        tasks = [] if args.report_only else list(tasks_of(args, known))
        progress = Progress(Console())
        with progress.bar("cases", len(tasks)) as advance, notes.open("a") as file:
            for found in run_all(tasks, args.workers):
                known += found
                file.writelines(json.dumps(asdict(outcome)) + "\n" for outcome in found)
                file.flush()
                advance(1)
        progress.say(f"Written: {write_report(known, args.out)}")


def read(notes: Path, budget: str) -> list[Outcome]:
    """Finished attempts of this version of the settings."""
    lines = notes.read_text().splitlines() if notes.is_file() else []
    outcomes = [Outcome(**json.loads(line)) for line in lines]
    return [outcome for outcome in outcomes if outcome.key == key_of(outcome.row, budget)]


def tracking_of(row: str, budget: str) -> track_motion.TrackMotionConfig:
    """The settings of a row."""
    return replace(TRACKING[row], search=SEARCHES[budget])


def key_of(row: str, budget: str) -> str:
    """What a row's outcomes follow from, besides the code."""
    tracking = asdict(tracking_of(row, budget))
    unused = ("search", "window") if row == "pd" else ("search",) if row.startswith("window") else ("window",)
    settings = [{name: tracking[name] for name in SETTINGS if name not in unused}, asdict(JUDGING)]
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]


def tasks_of(args: Args, known: Sequence[Outcome]) -> Iterator[Task]:
    """What is asked for and not done: all cases with the first seed first, so that a stopped run covers all kinds."""
    done = {(o.kind, o.case, o.noise, o.seed, o.row) for o in known}
    names = {kind: cases_of(kind, args.count) for kind in args.kinds}
    for seed, place, kind in product(args.seeds, range(args.count), args.kinds):
        for case in names[kind][place : place + 1]:
            runs = tuple((noise, seed, row) for noise in args.noises for row in args.rows)
            missing = tuple(run for run in runs if (kind, case, *run) not in done)
            if missing:
                yield Task(kind=kind, case=case, budget=args.budget, threads=args.threads, runs=missing)


def run_all(tasks: Sequence[Task], workers: int) -> Iterator[list[Outcome]]:
    """The outcomes of every task as it is done, in processes of one thread."""
    with single_threaded(), ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for future in as_completed([pool.submit(run_task, task) for task in tasks]):
            yield future.result()


def run_task(task: Task) -> list[Outcome]:
    """All runs on one case."""
    bank = ErrorBank.load(BANK) if BANK.is_file() else None
    outcomes = []
    try:
        true = staged_scene(task.case)
    except NotPosable:
        return []
    for noise, seed, row in task.runs:
        try:
            scene = noisy(true, task.case, noise, seed, bank)
        except NotPosable:
            continue
        outcomes.append(
            attempt(
                scene,
                Outcome(kind=task.kind, case=task.case, noise=noise, seed=seed, row=row, key=key_of(row, task.budget)),
                replace(tracking_of(row, task.budget), threads=task.threads),
            )
        )
    return outcomes


def attempt(scene: AlignedScene, blank: Outcome, cfg: track_motion.TrackMotionConfig) -> Outcome:
    """One controller on one scene, judged."""
    sim_scene = sim_scene_of(scene)
    cfg = replace(cfg, seed=blank.seed)
    with tempfile.TemporaryDirectory() as folder:
        started, clock = time.process_time(), time.perf_counter()
        rollout = track_motion.run(sim_scene, cfg=cfg, out=Path(folder), progress=QUIET)
        cpu_s, wall_s = time.process_time() - started, time.perf_counter() - clock
        verdict = judge_stability.run(sim_scene, rollout, cfg=JUDGING, out=Path(folder), progress=QUIET)
    touching = [c.holds for c in verdict.criteria if c.test == "contact" and "touches" in c.name]
    frames = len(rollout.qpos) if len(scene.bodies[0].pose) > 1 else round(JUDGING.interaction.window_s * rollout.fps)
    return replace(
        blank,
        is_stable=verdict.is_stable,
        feedback_type=verdict.feedback_type,
        touches=bool(touching) and all(touching),
        deviation_mm=1000 * float(rollout.body_deviation_m[-frames:].mean()),
        cpu_s=cpu_s,
        wall_s=wall_s,
        seconds=(len(rollout.qpos) - 1) / rollout.fps,
        iterations=rollout.report.get("iterations", 0.0),
        is_certified=rollout.report.get("is_certified", 0.0) > 0,
        failed=tuple(c.name for c in verdict.criteria if not c.holds),
    )


if __name__ == "__main__":
    main(tyro.cli(Args, description=__doc__))
