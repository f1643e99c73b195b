import importlib.util
import os
import signal
from collections import Counter
from dataclasses import replace

import numpy as np
import psutil
import pytest
from stubborn_network import stubborn

from hsimul3r.generator.feedback import collect
from hsimul3r.generator.feedback.collect import CollectConfig, Task, job_of, roll_out, tasks_of
from hsimul3r.generator.feedback.images import FurnitureImages
from hsimul3r.generator.feedback.record import RolloutStore
from hsimul3r.generator.flow.dataset import make_objects, shard_path, write_shard
from hsimul3r.generator.flow.furniture import HELD_OUT_FROM
from hsimul3r.progress import Progress

ARMCHAIR = HELD_OUT_FROM + 3
CFG = CollectConfig(seeds=5)


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp("objects")
    write_shard(shard_path(folder, "train", 0), make_objects(range(3), 1))
    return FurnitureImages(folder=folder, count=3)


@pytest.fixture(scope="module")
def network():
    return stubborn(ARMCHAIR, wander=2.0)


def bits(rollouts):
    """All that a rollout is."""
    return {one.id: (one.sample.tobytes(), one.as_made, one.attached, dict(one.figures)) for one in rollouts}


def test_a_sample_does_not_depend_on_what_else_is_asked_for(network, images):
    job = job_of(network, images, CFG)
    key = images.keys()[0]
    together = roll_out(job, Task(image=key, seeds=(5, 6, 7)))
    alone = roll_out(job, Task(image=key, seeds=(7,)))
    assert bits(alone).items() <= bits(together).items()
    assert len({one.sample.tobytes() for one in together}) == 3


def test_only_what_is_missing_is_asked_for(network, images, tmp_path):
    job, store = job_of(network, images, replace(CFG, seeds=7)), RolloutStore(tmp_path)
    tasks = tasks_of(job, store)
    first = images.keys()[0]
    assert tasks[:2] == [Task(image=first, seeds=(0, 1, 2, 3, 4)), Task(image=first, seeds=(5, 6))]
    assert len(tasks) == 6
    store.add(roll_out(job, tasks[1]))
    store.add(roll_out(job, Task(image=first, seeds=(2,))))
    assert tasks_of(job, store)[0] == Task(image=first, seeds=(0, 1, 3, 4))
    assert len(tasks_of(job, store)) == 5
    other = job_of(stubborn(ARMCHAIR, wander=1.0), images, CFG)
    assert len(tasks_of(other, store)) == 3
    judged_otherwise = replace(CFG, judge=replace(CFG.judge, tests=replace(CFG.judge.tests, payload_n=400.0)))
    assert len(tasks_of(job_of(network, images, judged_otherwise), store)) == 3


@pytest.mark.slow
def test_a_worker_that_is_killed_takes_nothing_with_it(network, images, tmp_path, monkeypatch):
    """kill -9 in the middle: every rollout is there all the same, once, with the bits that it has without the kill."""
    killed = []
    run = collect._in_processes

    def with_a_kill(job, tasks, workers):
        for rollouts in run(job, tasks, workers):
            if not killed:
                workers_now = psutil.Process().children()
                killed.append(next(one.pid for one in workers_now if "spawn_main" in " ".join(one.cmdline())))
                os.kill(killed[0], signal.SIGKILL)
            yield rollouts

    monkeypatch.setattr(collect, "_in_processes", with_a_kill)
    found = collect.collect(network, images, RolloutStore(tmp_path), replace(CFG, workers=1), Progress())
    assert killed
    assert found.new == len(found.rollouts) == 15
    job = job_of(network, images, CFG)
    alone = [one for task in tasks_of(job, RolloutStore(tmp_path / "empty")) for one in roll_out(job, task)]
    assert bits(found.rollouts) == bits(alone)
    assert len(Counter(one.attached.kind for one in alone)) > 1
    again = collect.collect(network, images, RolloutStore(tmp_path), replace(CFG, workers=1), Progress())
    assert (again.new, bits(again.rollouts)) == (0, bits(alone))


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="package ray is not installed")
def test_ray_says_the_same_as_this_process(network, images, tmp_path):
    found = collect.collect(network, images, RolloutStore(tmp_path), replace(CFG, executor="ray", workers=1), Progress())
    job = job_of(network, images, CFG)
    alone = [one for task in tasks_of(job, RolloutStore(tmp_path / "empty")) for one in roll_out(job, task)]
    assert bits(found.rollouts) == bits(alone)
    assert {np.dtype(one.sample.dtype) for one in found.rollouts} == {np.dtype(np.float32)}
