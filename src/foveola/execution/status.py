"""How far a job is, from its files alone."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from foveola.execution.claims import LEASE_S, holder
from foveola.execution.failure import Failure
from foveola.execution.job import DONE, JobTask


@dataclass(frozen=True)
class Running:
    """A task that a worker is at.

    Attributes:
        name: Of the task.
        worker: Who is at it.
        attempt: Counts the workers that began it.
        what: What is being done.
        done: How much of it is done.
        total: How much of it there is; 0 if that was not said yet.
        seconds: Since it was begun.
        silent_s: Seconds since the worker last said so, by the clocks of both machines.
    """

    name: str
    worker: str
    attempt: int
    what: str
    done: int
    total: int
    seconds: float
    silent_s: float


@dataclass(frozen=True)
class JobStatus:
    """How far a job is; every task is in one of the four.

    Attributes:
        done: Seconds that each finished task took, by name.
        failed: Why each failed task did, by name; also of those that needed one that failed.
        running: What workers are at.
        waiting: The names of the others.
    """

    done: Mapping[str, float]
    failed: Mapping[str, str]
    running: tuple[Running, ...]
    waiting: tuple[str, ...]

    @property
    def total(self) -> int:
        """How many tasks there are."""
        return len(self.done) + len(self.failed) + len(self.running) + len(self.waiting)

    @property
    def is_finished(self) -> bool:
        """Whether nothing is left to do."""
        return not self.running and not self.waiting

    @property
    def seconds_left(self) -> float | None:
        """The time that is left with as many workers as now, from what finished tasks of the same folder took.

        None as long as nothing tells, or nobody works.
        """
        if not self.running:
            return 0.0 if self.is_finished else None
        known = self._typical()
        if not known:
            return None
        mean = statistics.fmean(known.values())
        left = sum(known.get(_family(name), mean) for name in self.waiting)
        for running in self.running:
            left += max(0.0, known.get(_family(running.name), mean) - running.seconds)
        return left / len(self.running)

    def _typical(self) -> dict[str, float]:
        """Returns what a task takes, by the folder that it is in; from running ones where none is finished."""
        seconds: dict[str, list[float]] = {}
        for name, taken in self.done.items():
            seconds.setdefault(_family(name), []).append(taken)
        for running in self.running:
            if running.done and _family(running.name) not in {_family(name) for name in self.done}:
                whole = running.seconds * running.total / running.done
                seconds.setdefault(_family(running.name), []).append(whole)
        return {family: statistics.fmean(values) for family, values in seconds.items()}


def job_status(folder: Path, tasks: Sequence[JobTask], before: JobStatus | None = None) -> JobStatus:
    """Reads how far a job is.

    A claim whose process is known to be dead, or that was silent for `foveola.execution.claims.LEASE_S`, does not
    count as running.

    Args:
        folder: Of the job.
        tasks: What it consists of.
        before: An earlier status of it: what was done then is not looked at again.

    Example:
        >>> import tempfile
        >>> job_status(Path(tempfile.mkdtemp()), [JobTask("fits/a/0"), JobTask("fits/b/0")]).waiting
        ('fits/a/0', 'fits/b/0')
    """
    done: dict[str, float] = {}
    failed: dict[str, str] = {}
    running: list[Running] = []
    waiting: list[str] = []
    for task in tasks:
        name, path = task.name, folder / task.name
        if before and name in before.done:
            done[name] = before.done[name]
        elif (seconds := _seconds(path)) is not None:
            done[name] = seconds
        elif failure := Failure.read(path):
            failed[name] = str(failure.error())
        elif lacking := [need for need in task.needs if need in failed]:
            failed[name] = f"it needs {lacking[0]}, which failed"
        elif found := _running(name, path):
            running.append(found)
        else:
            waiting.append(name)
    return JobStatus(done, failed, tuple(running), tuple(waiting))


def _seconds(path: Path) -> float | None:
    try:
        return float(json.loads((path / DONE).read_text(encoding="utf-8"))["seconds"])
    except FileNotFoundError:
        return None


def _running(name: str, path: Path) -> Running | None:
    claim, now = holder(path), time.time()
    if claim is None or claim.is_dead or (silent := max(0.0, now - claim.beat)) > LEASE_S:
        return None
    begun = max(0.0, now - claim.begun)
    return Running(name, claim.worker, claim.attempt, claim.what, claim.done, claim.total, begun, silent)


def _family(name: str) -> str:
    return name.rpartition("/")[0]
