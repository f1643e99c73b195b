"""Processes that share the cores: each computes on one thread."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

ONE_THREAD = {
    name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "LP_NUM_THREADS")
}
"""Read by numerical libraries and by Mesa when a process starts: the processes share the cores, not the threads of each."""


@contextmanager
def single_threaded() -> Iterator[None]:
    """Processes started inside compute on one thread each."""
    before = {name: os.environ.get(name) for name in ONE_THREAD}
    os.environ.update(ONE_THREAD)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def end_with(parent: int) -> None:
    """Have this worker end when the process that started it is no more, even where that was killed."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
