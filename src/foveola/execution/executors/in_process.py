"""In this process, one task after the other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from foveola.execution.executors.executor import Watch, Watching, begin, finish
from foveola.execution.job import Job
from foveola.execution.work import work


@dataclass(frozen=True)
class InProcess:
    """Does a job in this process; an exception that nobody foresaw ends it at once.

    Attributes:
        threads: How many threads PyTorch computes with; what is set already, if none is given.
    """

    threads: int | None = None

    def run(self, job: Job, watch: Watch | None = None) -> None:
        """Does what is left of a job, see `foveola.execution.executors.executor.Executor.run`."""
        begin(job)
        watching = Watching(job, watch)
        with _torch_threads(self.threads):
            watching.tell()
            work(job, watching.pulse, careful=False)
        watching.tell()
        finish(job)


@contextmanager
def _torch_threads(threads: int | None) -> Iterator[None]:
    if threads is None:
        yield
        return
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
