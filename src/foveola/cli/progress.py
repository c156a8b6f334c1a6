"""Progress bars with the time left, on a terminal; silence elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from foveola.protocol import PlannedFit
from foveola.training import Progress as Report


class Bars:
    """The bars of one command: one for what is done once, one for all fits, one for the fit at hand."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self._tasks: dict[str, TaskID] = {}

    def report(self, description: str, done: int, total: int) -> None:
        """Shows a bar of its own for each description, until it is full."""
        if description not in self._tasks:
            self._tasks[description] = self.progress.add_task(description, total=total)
        self.progress.update(self._tasks[description], completed=done, total=total, visible=done < total)

    def fit(self, planned: PlannedFit, number: int, total: int) -> Report:
        """Moves the bar of all fits, and returns what moves the bar of this one."""
        self.report("fits", number - 1, total)
        if "this fit" in self._tasks:
            self.progress.reset(self._tasks["this fit"])
        title = f"{planned.arm}, fold {planned.fold}, seed {planned.seed}"

        def steps(epoch: str, done: int, steps_in_all: int) -> None:
            self.report("this fit", done, steps_in_all)
            self.progress.update(self._tasks["this fit"], description=f"{title}, {epoch}")

        return steps


@contextmanager
def bars() -> Iterator[Bars]:
    """Shows bars while the block runs."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("left"),
        TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        yield Bars(progress)
