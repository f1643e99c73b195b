import multiprocessing
import time
from functools import partial

import errands
import pytest

from hsimul3r.benchmark.crew import Crew, Work


def all_answers(work: Work, tasks: list[str], count: int) -> list[tuple[str, str | None]]:
    waiting, found = list(tasks), []
    with Crew(work, count) as crew:
        while waiting or crew.tasks:
            while waiting and crew.has_idle:
                crew.give(waiting.pop(0))
            found += list(crew.answers())
    return found


def test_every_task_is_answered_once():
    tasks = [str(i) for i in range(7)]
    assert sorted(all_answers(errands.twice, tasks, 2)) == sorted((task, task * 2) for task in tasks)


def test_processes_do_not_share_out_the_cores_again():
    assert all_answers(errands.thread_limit, ["OMP_NUM_THREADS", "LP_NUM_THREADS"], 1) == [
        ("OMP_NUM_THREADS", "1"), ("LP_NUM_THREADS", "1"),
    ]  # fmt: skip


def test_a_process_that_dies_loses_its_own_task_only_and_is_replaced(tmp_path):
    found = all_answers(partial(errands.die_first, folder=tmp_path), ["a", "bad", "b", "bad", "c"], 1)
    assert found == [("a", "a"), ("bad", None), ("b", "b"), ("bad", "bad"), ("c", "c")]


def test_one_that_dies_idle_is_replaced_when_it_is_needed():
    with Crew(errands.sleep, 1) as crew:
        crew.give("0")
        ((_, first),) = crew.answers()
        (child,) = multiprocessing.active_children()
        child.kill()
        child.join()
        crew.give("0")
        ((_, second),) = crew.answers()
    assert first == str(child.pid)
    assert second not in (None, first)


def test_leaving_ends_processes_that_are_at_work():
    start = time.perf_counter()
    with pytest.raises(KeyboardInterrupt), Crew(errands.sleep, 2) as crew:
        crew.give("60")
        assert len(multiprocessing.active_children()) == 2
        raise KeyboardInterrupt
    assert time.perf_counter() - start < 20
    assert multiprocessing.active_children() == []
