"""What the simulator's feedback is worth and what it costs.

    python benchmarks/feedback.py --weights runs/generator --data runs/furniture --cases data/hsibench/built

Of intact random furniture and of the same with a leg removed: how many pass which test, three sets of seeds. Of samples of a
network: rollouts per minute by the local executor and by Ray, and whether both say the same, bit by bit. Of cases: the same
with the person asked. Rates on the clock are this machine's at the time, whose load is told; CPU seconds a rollout, workers'
starts left out, say what idle cores would do. With `--is-worker-killed` each executor runs once more and has a worker killed as
soon as the first answer is kept.
"""

import contextlib
import json
import os
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import product
from pathlib import Path

import numpy as np
import psutil
import tyro
from rich.console import Console

from hsimul3r.files import write_whole
from hsimul3r.generator.feedback.cases import CaseImages
from hsimul3r.generator.feedback.collect import CollectConfig, Executor, collect, job_of, roll_out, tasks_of
from hsimul3r.generator.feedback.images import FurnitureImages, ImageSet
from hsimul3r.generator.feedback.judge import JudgeConfig, judge, judge_solid, solid_of
from hsimul3r.generator.feedback.record import Judgement, Rollout, RolloutStore
from hsimul3r.generator.feedback.summary import summarise
from hsimul3r.generator.flow.furniture import HELD_OUT_FROM, sample_furniture
from hsimul3r.generator.flow.network import PartFlow
from hsimul3r.generator.flow.primitives import Primitive, without_mirrors
from hsimul3r.generator.flow.weights import load_network
from hsimul3r.progress import Progress

LEGS = 4
TESTS = ("connected", "gravity", "payload")
WORKERS = ("spawn_main", "ray::roll_out")
"""In the command lines of processes that judge."""


@dataclass(frozen=True, kw_only=True)
class Args:
    """What is measured."""

    out: Path = Path("runs/feedback_benchmark")
    weights: Path | None = None
    """Folder of the embedded generator's weights; without it only the tests themselves are measured."""
    data: Path | None = None
    """Folder of flow.build_dataset with held-out objects."""
    cases: Path | None = None
    """Folder of built cases."""
    objects: int = 100
    """Random objects of each of the three sets; 0 leaves the tests out."""
    images: int = 40
    executors: tuple[Executor, ...] = ("local", "ray")
    case_names: tuple[str, ...] = (
        "sit_slouched_dining_chair_00", "sit_stool_milk_stool_00", "hand_on_chair_beside_cantilever_chair_00",
        "lean_table_hands_oval_table_00",
    )  # fmt: skip
    seeds: int = 5
    workers: int = 2
    is_worker_killed: bool = False
    collect: CollectConfig = field(default_factory=CollectConfig)


@dataclass(frozen=True, kw_only=True)
class Rate:
    """How fast an executor was."""

    rollouts: int
    wall_s: float
    cpu_s: float
    """Of this process and all below it, their starts too."""
    load: float
    """Of the machine, mean of the last minute, at the end."""
    killed: str
    """What the worker that was killed was called."""

    @property
    def per_minute(self) -> float:
        return 60 * self.rollouts / self.wall_s


def main(args: Args) -> None:
    args.out.mkdir(parents=True, exist_ok=True)
    found: dict[str, object] = {"tests": tests_of_furniture(args)} if args.objects else {}
    if args.weights is not None:
        network, cfg = load_network(args.weights), replace(args.collect, seeds=args.seeds, workers=args.workers)
        if args.data is not None:
            images = FurnitureImages(folder=args.data, split="held_out", count=args.images)
            found["furniture"] = executors(network, images, cfg, args.executors, is_worker_killed=args.is_worker_killed)
        if args.cases is not None:
            cases = CaseImages(folder=args.cases, names=args.case_names)
            found["cases"] = executors(network, cases, cfg, ("local",), is_worker_killed=False)
    text = json.dumps(found, indent=1, default=str)
    write_whole(args.out / "feedback.json", text + "\n")
    Console().print(text, highlight=False, markup=False)


def tests_of_furniture(args: Args) -> dict[str, object]:
    """Shares of intact objects and of those without a leg that pass, mean and spread over three sets, in percent."""
    cfg, sets = JudgeConfig(), []
    start = time.process_time()
    for first in range(0, 3 * args.objects, args.objects):
        rows: dict[str, list[Judgement]] = {"intact": [], "four legs": [], "a leg removed": []}
        for seed in range(HELD_OUT_FROM + first, HELD_OUT_FROM + first + args.objects):
            parts = without_mirrors(sample_furniture(seed).primitives)
            intact = judge(parts, cfg).attached
            rows["intact"].append(intact)
            broken = without_a_leg(parts, seed)
            if broken is not None:
                rows["four legs"].append(intact)
                rows["a leg removed"].append(judge_solid(solid_of(broken, cfg), 1, cfg))
        sets.append({name: passed(judgements) for name, judgements in rows.items()})
    found: dict[str, object] = {
        name: {test: _spread([one[name][test] for one in sets]) for test in ("objects", *TESTS)} for name in sets[0]
    }
    return found | {"cpu_s": round(time.process_time() - start, 1)}


def without_a_leg(parts: Sequence[Primitive], seed: int) -> list[Primitive] | None:
    """Of an object with four legs; None of others."""
    legs = [i for i, part in enumerate(parts) if part.role == "leg"]
    return [part for i, part in enumerate(parts) if i != legs[seed % LEGS]] if len(legs) == LEGS else None


def passed(judgements: Sequence[Judgement]) -> dict[str, float]:
    """Shares that got through each test and all before it, in percent."""
    shares = {test: 100 * float(np.mean([bool(one.holds(test)) for one in judgements])) for test in TESTS}
    return {"objects": float(len(judgements))} | shares


def executors(
    network: PartFlow, images: ImageSet, cfg: CollectConfig, names: Sequence[Executor], *, is_worker_killed: bool
) -> dict[str, object]:
    """Rates, the summary, CPU seconds of a rollout in this process, and whether all executors gave the same bits."""
    job = job_of(network, images, cfg)
    with tempfile.TemporaryDirectory() as folder:
        first = tasks_of(job, RolloutStore(Path(folder)))[: 2 if cfg.seeds > 1 else 1]
    start = time.process_time()
    alone = [one for task in first for one in roll_out(job, task)]
    found: dict[str, object] = {"cpu_s_a_rollout": round((time.process_time() - start) / len(alone), 3)}
    bits = []
    for name, is_killed in product(names, (False, True) if is_worker_killed else (False,)):
        rate, rollouts = rate_of(network, images, replace(cfg, executor=name), is_worker_killed=is_killed)
        found[name + ", a worker killed" * is_killed] = {**asdict(rate), "per_minute": round(rate.per_minute, 1)}
        bits.append({one.id: _bits(one) for one in rollouts})
        found["summary"] = summarise(
            rollouts, lambda one: job.sampler.shape(one.sample, cfg.judge), candidates=cfg.seeds
        ).lines()
    same = all(_bits(one) == every[one.id] for every in bits for one in alone) and all(every == bits[0] for every in bits)
    return found | {"same_bits": same}


def rate_of(
    network: PartFlow, images: ImageSet, cfg: CollectConfig, *, is_worker_killed: bool
) -> tuple[Rate, tuple[Rollout, ...]]:
    """One collection into an empty store."""
    with tempfile.TemporaryDirectory() as folder:
        watch = Watch(Path(folder), is_worker_killed=is_worker_killed)
        wall = time.perf_counter()
        with watch:
            found = collect(network, images, RolloutStore(Path(folder)), cfg, Progress(Console()))
        return Rate(
            rollouts=len(found.rollouts), wall_s=round(time.perf_counter() - wall, 1), cpu_s=round(watch.cpu_s, 1),
            load=round(os.getloadavg()[0], 1), killed=watch.killed,
        ), found.rollouts  # fmt: skip


class Watch(threading.Thread):
    """CPU time of this process and all below it, looked at every half second; kills a worker once there is an answer."""

    def __init__(self, store: Path, *, is_worker_killed: bool):
        super().__init__(daemon=True)
        self.killed, self._store, self._may_kill = "", store, is_worker_killed
        self._used: dict[int, float] = {}
        self._done = threading.Event()

    @property
    def cpu_s(self) -> float:
        return sum(self._used.values()) + time.process_time() - self._start

    def __enter__(self) -> None:
        self._start = time.process_time()
        self.start()

    def __exit__(self, *error: object) -> None:
        self._done.set()
        self.join()

    def run(self) -> None:
        while not self._done.wait(0.5):
            below = psutil.Process().children(recursive=True)
            for process in below:
                with contextlib.suppress(psutil.Error):
                    used = process.cpu_times()
                    self._used[process.pid] = used.user + used.system
            if self._may_kill and any((self._store / "shards").glob("*.npz")):
                self._kill_one(below)

    def _kill_one(self, below: Sequence[psutil.Process]) -> None:
        """The first worker that is at work."""
        for process in below:
            with contextlib.suppress(psutil.Error):
                name = " ".join(process.cmdline())
                if any(word in name for word in WORKERS):
                    process.kill()
                    self.killed, self._may_kill = f"{process.pid} {name[:80]}", False
                    return


def _bits(rollout: Rollout) -> tuple[object, ...]:
    return rollout.sample.tobytes(), rollout.as_made, rollout.attached, dict(rollout.figures)


def _spread(values: Sequence[float]) -> str:
    return f"{np.mean(values):.1f} +- {np.std(values, ddof=1):.1f}"


if __name__ == "__main__":
    main(tyro.cli(Args))
