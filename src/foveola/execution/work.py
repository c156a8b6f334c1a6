"""What every worker does: claim a task that is left, do it, and go on until none is."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path

from foveola.execution.claims import Claim, ClaimLost, Claims
from foveola.execution.failure import FAILED, Failure
from foveola.execution.job import DONE, Job, JobTask
from foveola.execution.machine import host
from foveola.foundation.errors import FoveolaError

MAX_ATTEMPTS = 3
"""A task on which so many workers died is not begun again."""
LOGS = "logs"
"""The folder, below that of the job, with what workers said before they died."""
SHORTEST_WAIT_S, LONGEST_WAIT_S = 0.02, 0.5

log = logging.getLogger(__name__)

Pulse = Callable[[], None]
"""Called every now and then while there is work; it has to be quick."""


def work(job: Job, pulse: Pulse | None = None, *, worker: str = "", careful: bool = True) -> None:
    """Does what is left of a job, beside any other worker; returns when every task is done or has failed.

    Args:
        job: What to do.
        pulse: Called whenever a task reports progress, and for every look at a task.
        worker: What others are shown as the name of this worker; the name of the machine, if none is given.
        careful: Whether an exception that nobody foresaw counts as a failure of its task; else it is raised at once.

    Raises:
        OSError: If files cannot be written or read, such as on a full disk; then no task could be done.
    """
    claims, wait = Claims(worker or host()), SHORTEST_WAIT_S
    left, done = list(job.tasks), set[str]()
    failed: set[str] = set()
    while True:
        began = False
        for task in left:
            folder = job.folder / task.name
            state = _state(folder, task, done, failed)
            if state == "ready" and (claim := claims.take(folder)):
                began = True
                _attempt(job, task, claim, pulse, careful)
                state = _state(folder, task, done, failed)
            if state == "done":
                done.add(task.name)
            elif state == "failed":
                failed.add(task.name)
            if pulse:
                pulse()
        left = [task for task in left if task.name not in done | failed]
        if not left:
            return
        if began:
            wait = SHORTEST_WAIT_S
            continue
        time.sleep(wait)
        wait = min(2 * wait, LONGEST_WAIT_S)


def _state(folder: Path, task: JobTask, done: set[str], failed: set[str]) -> str:
    if (folder / DONE).exists():
        return "done"
    if (folder / FAILED).exists() or failed.intersection(task.needs):
        return "failed"
    return "ready" if done.issuperset(task.needs) else "waiting"


def _attempt(job: Job, task: JobTask, claim: Claim, pulse: Pulse | None, careful: bool) -> None:
    """Does a task that was claimed; its folder says afterwards what became of it."""
    folder = job.folder / task.name

    def progress(what: str, done: int, total: int) -> None:
        claim.report(what, done, total)
        if pulse:
            pulse()

    try:
        if (folder / DONE).exists() or (folder / FAILED).exists():
            return  # between the look and the claim another worker came to its end
        if claim.attempt > MAX_ATTEMPTS:
            Failure.of_deaths(folder, MAX_ATTEMPTS, job.folder / LOGS).write(folder)
            return
        job.run(task.name, progress)
        if not (folder / DONE).exists():
            raise RuntimeError(f"{type(job).__name__}.run returned, and {folder / DONE} is not there")
    except ClaimLost as lost:
        log.warning("%s: %s", task.name, lost)
    except FoveolaError as error:
        Failure.of(error, folder, claim.attempt).write(folder)
    except OSError:
        raise
    except Exception as error:
        if not careful:
            raise
        log.warning("%s failed", task.name, exc_info=True)
        Failure.of(error, folder, claim.attempt).write(folder)
    finally:
        claim.release()
