"""The one interface of all executors, and how each of them begins and ends a job."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol, runtime_checkable

from foveola.execution.claims import Claims, claim_numbers
from foveola.execution.failure import FAILED, Failure, failed_job
from foveola.execution.job import DONE, Job, check_order
from foveola.execution.status import JobStatus, job_status

Watch = Callable[[JobStatus], None]
"""Called about twice a second with how far the job is."""
WATCH_S = 0.5


@runtime_checkable
class Executor(Protocol):
    """Where the tasks of a job are done."""

    def run(self, job: Job, watch: Watch | None = None) -> None:
        """Does what is left of a job; what failed before is tried again.

        Args:
            job: What to do. Others may be at it at the same time, here or on a machine that shares its folder.
            watch: Told how far it is.

        Raises:
            FoveolaError: When all the rest is done, if a task failed.
            OSError: At once, if files cannot be written or read, such as on a full disk.
        """


class Watching:
    """Tells a watcher how far a job is, when it was last told long enough ago.

    Args:
        job: The job.
        watch: What to tell, if anything.
    """

    def __init__(self, job: Job, watch: Watch | None) -> None:
        self.watch, self._folder, self._tasks = watch, job.folder, job.tasks
        self.status: JobStatus | None = None
        self._told = -WATCH_S

    def pulse(self) -> None:
        """Tells it now, if it is time."""
        if time.monotonic() - self._told >= WATCH_S:
            self.tell()

    def is_finished(self) -> bool:
        """Whether nothing was left to do when it was last told."""
        return self.status is not None and self.status.is_finished

    def tell(self) -> JobStatus:
        """Tells it now, and returns it."""
        self.status = job_status(self._folder, self._tasks, self.status)
        if self.watch:
            self.watch(self.status)
        self._told = time.monotonic()
        return self.status


def begin(job: Job) -> None:
    """Forgets what failed and who died in an earlier run of a job."""
    check_order(job.tasks)
    for task in job.tasks:
        if not (job.folder / task.name / DONE).exists():
            (job.folder / task.name / FAILED).unlink(missing_ok=True)
    forget_the_dead(job)


def forget_the_dead(job: Job) -> None:
    """Removes the claims of processes of this machine that are gone."""
    claims = Claims("a new start")
    for task in job.tasks:
        folder = job.folder / task.name
        if claim_numbers(folder) and (claim := claims.take(folder)):
            claim.release()


def finish(job: Job) -> None:
    """Ends a job of which nothing is left to do.

    Raises:
        FoveolaError: If a task failed: the first one, and how many there are.
    """
    names = [task.name for task in job.tasks]
    if failures := [failure for name in names if (failure := Failure.read(job.folder / name))]:
        raise failed_job(failures, len(names))
