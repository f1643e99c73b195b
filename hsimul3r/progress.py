"""Progress bars for everything long; silent when nobody watches."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as RichProgress

Item = TypeVar("Item")


class Advance(Protocol):
    """Moves a bar on by an amount; a label given takes the place of the bar's."""

    def __call__(self, amount: float, label: str | None = None) -> None: ...


class Progress:
    """Hands out progress bars on a terminal; `Progress(None)` shows nothing, a log file gets the spoken lines only."""

    def __init__(self, console: Console | None = None):
        self.console = console

    def track(self, items: Iterable[Item], label: str, total: int | None = None) -> Iterator[Item]:
        """Iterate over `items` with a bar."""
        with self.bar(label, total if total is not None else len(list(items := list(items)))) as advance:
            for item in items:
                yield item
                advance(1)

    @contextmanager
    def bar(self, label: str, total: float) -> Iterator[Advance]:
        """A bar of `total` units; the yielded function advances it."""
        if self.console is None or not self.console.is_terminal:
            yield lambda amount, label=None: None
            return
        columns = (TextColumn("  {task.description:<34}"), BarColumn(bar_width=28), MofNCompleteColumn(), TimeElapsedColumn())
        with RichProgress(*columns, console=self.console) as bars:
            task = bars.add_task(label, total=total)
            yield lambda amount, label=None: bars.update(task, advance=amount, description=label)

    def say(self, message: str) -> None:
        """One line for the user."""
        if self.console is not None:
            self.console.print(message, highlight=False)
