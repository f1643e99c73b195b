"""What the crew of tests/benchmark/test_crew.py is sent to do, in processes of its own."""

import os
import signal
import time
from pathlib import Path


def twice(task: str) -> str:
    return task * 2


def thread_limit(task: str) -> str:
    return os.environ.get(task, "unset")


def die_first(task: str, folder: Path) -> str:
    """A task called "bad" kills its process the first time; a note in `folder` says that it did."""
    if task == "bad" and not (folder / "died").exists():
        (folder / "died").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return task


def sleep(task: str) -> str:
    time.sleep(float(task))
    return str(os.getpid())
