"""Feedback on many samples: every image with every seed is sampled, decoded and judged on all cores or on a Ray cluster.

What is in the store is not made again, and every answer is written at once: a collection that was stopped, or lost a worker,
goes on where it was. Seeds are sampled in fixed blocks, so that a sample's bits do not depend on what else is asked for.
"""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from multiprocessing import get_context
from typing import Any, Final, Literal

import torch

from hsimul3r.errors import WorkersDied
from hsimul3r.generator.feedback.images import ImageSet
from hsimul3r.generator.feedback.judge import JudgeConfig
from hsimul3r.generator.feedback.record import Rollout, RolloutStore, rollout_id, settings_id
from hsimul3r.generator.feedback.sampler import BLOCK, FlowSampler, Sampler
from hsimul3r.generator.flow.network import PartFlow
from hsimul3r.generator.flow.sampling import SamplingConfig
from hsimul3r.processes import ONE_THREAD, end_with, single_threaded
from hsimul3r.progress import Progress
from hsimul3r.require import require

Executor = Literal["local", "ray"]
DEATHS: Final = 3
"""Workers may die so often in a row without anything being finished in between."""


@dataclass(frozen=True, kw_only=True)
class CollectConfig:
    """What is sampled, and where."""

    seeds: int = 10
    """Samples of every image: seeds `first_seed` and up."""
    first_seed: int = 0
    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    """Of the embedded generator."""
    judge: JudgeConfig = field(default_factory=JudgeConfig)
    executor: Executor = "local"
    """"local": processes on this machine; "ray": a Ray cluster, that of RAY_ADDRESS or one of this machine's cores."""
    workers: int = 0
    """0: one on every core."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """Some seeds of one block, of one image."""

    image: str
    seeds: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Job:
    """What every worker is given once. Image sets read from paths: a cluster's machines must share them."""

    sampler: Sampler
    images: ImageSet
    cfg: CollectConfig

    @property
    def model(self) -> str:
        return self.sampler.model

    @property
    def judge(self) -> str:
        return settings_id(self.judge_settings)

    @property
    def judge_settings(self) -> dict[str, Any]:
        """All that a rollout depends on beside image, seed and weights."""
        return {"sampling": self.sampler.settings(), "block": BLOCK, "judge": self.cfg.judge.settings()}


@dataclass(frozen=True, kw_only=True)
class Collected:
    """What a collection found."""

    model: str
    judge: str
    new: int
    rollouts: tuple[Rollout, ...]
    """Of these images, seeds, model and judge; old ones too."""


def collect(
    generator: PartFlow | Sampler, images: ImageSet, store: RolloutStore, cfg: CollectConfig, progress: Progress
) -> Collected:
    """Judge what the store does not have yet. Raises `WorkersDied` where a task kills every worker that takes it on, and
    `MissingPackage` where Ray is asked for and not there."""
    job = job_of(generator, images, cfg)
    model, judge = job.model, job.judge
    store.describe(judge, job.judge_settings)
    store.describe(model, job.sampler.about())
    tasks, new = tasks_of(job, store), 0
    run = _on_ray if cfg.executor == "ray" else _in_processes
    workers = cfg.workers or len(os.sched_getaffinity(0))
    with progress.bar("samples judged", sum(len(task.seeds) for task in tasks)) as advance, single_threaded():
        for rollouts in run(job, tasks, workers):
            new += store.add(rollouts)
            advance(len(rollouts))
    wanted = {rollout_id(key, seed, model, judge) for key in images.keys() for seed in _seeds(cfg)}  # noqa: SIM118
    found = store.read(models=[model], judges=[judge])
    return Collected(model=model, judge=judge, new=new, rollouts=tuple(one for one in found if one.id in wanted))


def job_of(generator: PartFlow | Sampler, images: ImageSet, cfg: CollectConfig) -> Job:
    """Of a sampler, or of the embedded generator's network as it is now."""
    sampler = FlowSampler.of(generator, cfg.sampling) if isinstance(generator, PartFlow) else generator
    return Job(sampler=sampler, images=images, cfg=cfg)


def tasks_of(job: Job, store: RolloutStore) -> list[Task]:
    """What is not in the store, in blocks of seeds."""
    tasks, model, judge = [], job.model, job.judge
    for image in job.images.keys():  # noqa: SIM118
        missing = [seed for seed in _seeds(job.cfg) if rollout_id(image, seed, model, judge) not in store]
        blocks = sorted({seed // BLOCK for seed in missing})
        tasks += [Task(image=image, seeds=tuple(seed for seed in missing if seed // BLOCK == block)) for block in blocks]
    return tasks


def roll_out(job: Job, task: Task) -> list[Rollout]:
    """Sample and judge: the one function that every executor maps."""
    torch.set_num_threads(1)
    images, cfg = job.images, job.cfg.judge
    truth, person = images.truth(task.image), images.person(task.image) if cfg.asks_person else None
    found, judge = [], job.judge
    for seed, sample in zip(task.seeds, job.sampler.samples(images, task.image, task.seeds), strict=True):
        judged = job.sampler.judged(sample, cfg, person=person, truth=truth)
        found.append(
            Rollout(
                image=task.image, seed=seed, model=job.model, judge=judge, sample=sample, as_made=judged.as_made,
                attached=judged.attached, figures=judged.figures,
            )
        )  # fmt: skip
    return found


def _seeds(cfg: CollectConfig) -> range:
    return range(cfg.first_seed, cfg.first_seed + cfg.seeds)


_given: list[Job] = []
"""What this worker was started with."""


def _start(job: Job, parent: int) -> None:
    end_with(parent)
    _given[:] = [job]


def _roll_out_given(task: Task) -> list[Rollout]:
    return roll_out(_given[0], task)


def _in_processes(job: Job, tasks: Sequence[Task], workers: int) -> Iterator[list[Rollout]]:
    """Answers as they come. Where a worker dies the tasks without an answer are given to new ones."""
    left, deaths = dict.fromkeys(tasks), 0
    while left:
        with ProcessPoolExecutor(
            min(workers, len(left)), mp_context=get_context("spawn"), initializer=_start, initargs=(job, os.getpid())
        ) as pool:
            futures = {pool.submit(_roll_out_given, task): task for task in left}
            try:
                for future in as_completed(futures):
                    rollouts = future.result()
                    del left[futures[future]]
                    deaths = 0
                    yield rollouts
            except BrokenProcessPool as error:
                deaths += 1
                if deaths == DEATHS:
                    raise WorkersDied from error
            finally:
                pool.shutdown(wait=True, cancel_futures=True)


def _on_ray(job: Job, tasks: Sequence[Task], workers: int) -> Iterator[list[Rollout]]:
    """Answers as they come; Ray gives a task whose worker died to another worker."""
    ray = require("ray", "--executor ray (extra cluster)")
    if not ray.is_initialized():
        cores = {} if "RAY_ADDRESS" in os.environ else {"num_cpus": workers, "include_dashboard": False}
        ray.init(runtime_env={"env_vars": ONE_THREAD}, log_to_driver=False, **cores)
    try:
        given, remote = ray.put(job), ray.remote(max_retries=DEATHS)(roll_out)
        waiting = [remote.remote(given, task) for task in tasks]
        while waiting:
            done, waiting = ray.wait(waiting, num_returns=1)
            yield ray.get(done[0])
    except ray.exceptions.WorkerCrashedError as error:
        raise WorkersDied from error
    finally:
        ray.shutdown()
