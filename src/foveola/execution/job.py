"""What there is to do: tasks, each in a folder of its own, and the job that they make up."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Protocol, runtime_checkable

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""

DONE = "done"
"""The file that marks the folder of a task as whole; the task itself writes it, last."""


class JobTask(NamedTuple):
    """One piece of work that leaves a folder behind.

    Attributes:
        name: The path of its folder below the folder of the job, such as ``"fits/global/0-0"``.
        needs: The tasks that have to be done before it may start; they stand before it in the job.
    """

    name: str
    needs: tuple[str, ...] = ()


@runtime_checkable
class Job(Protocol):
    """Tasks below one folder, and how to do one of them.

    A job is sent to other processes: it can be pickled, is small, and loads its data when a process first needs them.
    """

    @property
    def folder(self) -> Path:
        """The folder that all workers share; it is the queue."""

    @property
    def tasks(self) -> tuple[JobTask, ...]:
        """What there is to do, in the order in which it is begun."""

    def run(self, name: str, progress: Progress) -> None:
        """Does one task, or what is left of it, and writes the file `DONE` into its folder last.

        A task may be begun again after its worker died, even while a worker that only seemed dead still writes: the
        same task has to leave the same files. What ``progress`` raises has to be let through.
        """


def check_order(tasks: tuple[JobTask, ...]) -> None:
    """Looks for tasks that could never start.

    Raises:
        ValueError: If a task needs one that does not stand before it, or two have one name.

    Example:
        >>> check_order((JobTask("mean", needs=("a",)), JobTask("a")))
        Traceback (most recent call last):
        ValueError: task 'mean' needs 'a', which does not stand before it
    """
    before: set[str] = set()
    for task in tasks:
        for need in task.needs:
            if need not in before:
                raise ValueError(f"task '{task.name}' needs '{need}', which does not stand before it")
        if task.name in before:
            raise ValueError(f"two tasks are called '{task.name}'")
        before.add(task.name)
