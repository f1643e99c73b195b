"""Processes that work beside each other, one task at a time each: one that dies takes nothing but its task with it."""

import multiprocessing
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess

from hsimul3r.processes import single_threaded

Work = Callable[[str], str]
"""From a task to its answer, in a process of its own: a module's function, or a partial of one."""


@dataclass(kw_only=True)
class _Member:
    process: SpawnProcess
    connection: Connection
    task: str | None = None


class Crew:
    """Use as a context manager; leaving it ends the processes at once, whatever they do."""

    def __init__(self, work: Work, count: int):
        self._work = work
        self._members = [self._hire() for _ in range(count)]

    def __enter__(self) -> "Crew":
        return self

    def __exit__(self, *_: object) -> None:
        for member in self._members:
            member.process.kill()
        for member in self._members:
            member.process.join()
            member.connection.close()

    @property
    def tasks(self) -> tuple[str, ...]:
        """What is being worked on."""
        return tuple(member.task for member in self._members if member.task is not None)

    @property
    def has_idle(self) -> bool:
        return len(self.tasks) < len(self._members)

    def give(self, task: str) -> None:
        """Hand a task to somebody idle."""
        member = next(member for member in self._members if member.task is None)
        try:
            member.connection.send_bytes(task.encode())
        except OSError:  # it died idle
            member = self._replace(member)
            member.connection.send_bytes(task.encode())
        member.task = task

    def answers(self) -> Iterator[tuple[str, str | None]]:
        """Wait until somebody answers; yields task and answer, None where the process died, which is replaced."""
        busy = {member.connection: member for member in self._members if member.task is not None}
        for connection in wait(list(busy)):
            member = busy[connection]  # pyright: ignore[reportArgumentType]
            task, member.task = str(member.task), None
            try:
                yield task, member.connection.recv_bytes().decode()
            except (EOFError, ConnectionResetError):
                self._replace(member)
                yield task, None

    def _replace(self, member: _Member) -> _Member:
        member.process.kill()
        member.process.join()
        member.connection.close()
        self._members[self._members.index(member)] = successor = self._hire()
        return successor

    def _hire(self) -> _Member:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs, self._work), daemon=True)
        with single_threaded():
            process.start()
        theirs.close()
        return _Member(process=process, connection=ours)


def _serve(connection: Connection, work: Work) -> None:
    """Answer tasks until the other side is gone; Ctrl+C is the other side's to handle."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        try:
            task = connection.recv_bytes().decode()
        except EOFError:
            return
        connection.send_bytes(work(task).encode())
