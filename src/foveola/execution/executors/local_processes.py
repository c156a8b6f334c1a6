"""In several processes of this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from foveola.execution.cores import gpu_environment, gpus, thread_environment
from foveola.execution.executors.executor import Watch, Watching, begin, finish, forget_the_dead
from foveola.execution.executors.parcel import GRACE_S, READY, check_report, packed
from foveola.execution.job import DONE, Job
from foveola.execution.machine import host
from foveola.execution.work import LOGS
from foveola.foundation.errors import FoveolaError

LOOK_S = 0.05
FALSE_STARTS = 3
"""After so many workers in a row that did not even start, none is started any more."""


@dataclass(frozen=True)
class LocalProcesses:
    """Does a job in fresh processes of this machine, which share its cores and GPUs evenly.

    A worker that dies is replaced. When this process ends, in whatever way, so do its workers.

    Attributes:
        workers: How many processes.
        threads: How many threads each of them computes with; by default an even share of the cores, or what the
            user's own ``OMP_NUM_THREADS`` says.
    """

    workers: int
    threads: int | None = None

    def run(self, job: Job, watch: Watch | None = None) -> None:
        """Does what is left of a job, see `foveola.execution.executors.executor.Executor.run`.

        Raises:
            FoveolaError: If workers cannot be started, or for a task that failed.
        """
        begin(job)
        left = sum(not (job.folder / task.name / DONE).exists() for task in job.tasks)
        count = min(self.workers, left)
        share = thread_environment(self.threads, self.workers)
        names = gpus() if count else ()
        watching = Watching(job, watch)
        workers = [_Worker(job, index, {**share, **gpu_environment(index, names)}) for index in range(count)]
        try:
            for worker in workers:
                worker.start()
            going = workers
            while going := [worker for worker in going if not worker.is_finished()]:
                watching.pulse()
                time.sleep(LOOK_S)
        finally:
            _end(workers)
            forget_the_dead(job)
        watching.tell()
        finish(job)


@dataclass
class _Worker:
    """One process after the other, until one of them finds nothing left to do."""

    job: Job
    index: int
    environment: dict[str, str]
    process: subprocess.Popen[bytes] | None = None
    false_starts: int = 0

    @property
    def name(self) -> str:
        return f"{host()}-{self.index}"

    @property
    def log(self) -> Path:
        return self.job.folder / LOGS / f"{self.name}.log"

    def start(self) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "foveola.execution.executors.worker"]
        environment = {**os.environ, "PYTHONFAULTHANDLER": "1", **self.environment}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment,
                bufsize=0,
                start_new_session=True,  # Ctrl-C is for this process, which then ends its workers
            )
        assert self.process.stdin
        parcel = json.dumps(packed(self.job, self.name)).encode("ascii") + b"\n"
        try:
            while parcel:
                parcel = parcel[self.process.stdin.write(parcel) :]
        except BrokenPipeError:
            self.process.wait()  # it died at once, and is replaced at the next look

    def is_finished(self) -> bool:
        """Looks whether nothing is left to do for this worker; a process that died is replaced."""
        if self.process is None:
            return True
        code = self.process.poll()
        if code is None:
            return False
        answer = self._close()
        if code == 0:
            check_report(json.loads(answer.removeprefix(READY)))
            return True
        self.false_starts = 0 if answer.startswith(READY) else self.false_starts + 1
        if self.false_starts == FALSE_STARTS:
            raise FoveolaError(
                "a worker that starts",
                f"{FALSE_STARTS} that died (exit code {code})",
                str(self.log),
                "the reason stands there; or leave out --workers",
            )
        self.start()
        return False

    def end(self) -> None:
        """Waits for the process, which was told to end, and kills it if it does not."""
        if self.process is not None:
            try:
                self.process.wait(timeout=GRACE_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self._close()
        if self.log.exists() and not self.log.stat().st_size:
            self.log.unlink()

    def _close(self) -> bytes:
        assert self.process
        assert self.process.stdin
        assert self.process.stdout
        os.set_blocking(self.process.stdout.fileno(), False)  # a child that outlived it may hold the other end
        answer = self.process.stdout.read() or b""
        self.process.stdin.close()
        self.process.stdout.close()
        self.process = None
        return answer


def _end(workers: list[_Worker]) -> None:
    for worker in workers:
        if worker.process is not None:
            worker.process.terminate()
    for worker in workers:
        worker.end()
    folder = workers[0].log.parent if workers else None
    if folder and folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
