"""Progress bars with the time left, on a terminal; silence elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from foveola.execution import JobStatus


class Bars:
    """The bars of one command: one for each thing that is done once, one for all fits, one for each that is running."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self._tasks: dict[str, TaskID] = {}
        self._running: dict[str, TaskID] = {}

    def report(self, description: str, done: int, total: int) -> None:
        """Shows a bar of its own for each description, until it is full."""
        if description not in self._tasks:
            self._tasks[description] = self.progress.add_task(description, total=total)
        self.progress.update(self._tasks[description], completed=done, total=total, visible=done < total)

    def job(self, status: JobStatus) -> None:
        """Shows how far all tasks are, such as fits or trials, and each that a worker is at, wherever that is."""
        names = (*status.done, *status.failed, *status.waiting, *(running.name for running in status.running))
        kind = names[0].partition("/")[0] if names else "fits"
        self.report(kind, len(status.done) + len(status.failed), status.total)
        title = f"{kind}, {len(status.failed)} failed" if status.failed else kind
        self.progress.update(self._tasks[kind], description=title, seconds_left=status.seconds_left)
        for name in self._running.keys() - {running.name for running in status.running}:
            self.progress.remove_task(self._running.pop(name))
        for running in status.running:
            if running.name not in self._running:
                self._running[running.name] = self.progress.add_task("", total=None)
            name = running.name.partition("/")[2]
            description = ", ".join(filter(None, (name, running.what, f"on {running.worker}")))
            self.progress.update(
                self._running[running.name],
                description=description,
                completed=running.done,
                total=running.total or None,
            )


class TimeLeft(TimeRemainingColumn):
    """The time left as the status of a job tells it, where there is one."""

    def render(self, task: Task) -> Text:
        """Returns the cell of a bar."""
        if "seconds_left" not in task.fields:
            return super().render(task)
        seconds = task.fields["seconds_left"]
        text = "-:--:--" if seconds is None else str(timedelta(seconds=round(seconds)))
        return Text(text, style="progress.remaining")


@contextmanager
def bars() -> Iterator[Bars]:
    """Shows bars while the block runs."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeLeft(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        yield Bars(progress)
