"""On all nodes of a Ray cluster, or on this machine alone by the same means."""

from __future__ import annotations

import logging
import os
import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foveola.execution.cores import LIBRARIES
from foveola.execution.executors.executor import Watch, Watching, begin, finish, forget_the_dead
from foveola.execution.executors.parcel import (
    GRACE_S,
    Parcel,
    WorkerReport,
    check_report,
    log_as_sender,
    packed,
    report_of_work,
    unpacked,
)
from foveola.execution.job import DONE, Job
from foveola.execution.machine import host
from foveola.foundation.errors import FoveolaError
from foveola.foundation.extras import needed

LOOK_S = 0.25
CONNECT_S = 10.0
QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",  # nothing is told to anybody
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RayCluster:
    """Does a job on the nodes of a Ray cluster, all of which see the folder of the job under the same path.

    Whoever starts a cluster decides what it reports to Ray's makers: give ``ray start --disable-usage-stats``. One
    that is started here reports nothing.

    Attributes:
        address: ``"auto"`` for the cluster that runs on this machine or that ``RAY_ADDRESS`` names, and if there is
            none, for one that is started on this machine; ``"local"`` always starts one; else the address of one.
        workers: How many workers; by default one a GPU, or where there are none, one for every ``threads`` cores.
        threads: How many cores a worker takes, and threads it computes with; by default 1, or where there are GPUs,
            an even share of the cores.
    """

    address: str = "auto"
    workers: int | None = None
    threads: int | None = None

    def run(self, job: Job, watch: Watch | None = None) -> None:
        """Does what is left of a job, see `foveola.execution.executors.executor.Executor.run`.

        Raises:
            FoveolaError: If Ray is not installed, the cluster does not answer, a node does not see the folder, or for
                a task that failed.
        """
        begin(job)
        watching = Watching(job, watch)
        left = sum(not (job.folder / task.name / DONE).exists() for task in job.tasks)
        if left:
            job.folder.mkdir(parents=True, exist_ok=True)
            with _connected(self.address) as ray, _mark(job.folder) as mark:
                _drive(ray, self._workers(ray, job, mark, left), watching)
            forget_the_dead(job)
        watching.tell()
        finish(job)

    def _workers(self, ray: Any, job: Job, mark: Path, left: int) -> list[_Worker]:
        resources = ray.cluster_resources()
        cpus, gpus = int(resources.get("CPU", 0)) or 1, int(resources.get("GPU", 0))
        threads = self.threads or (max(1, cpus // gpus) if gpus else 1)
        count = self.workers or gpus or max(1, cpus // threads)
        options = {
            "num_cpus": threads,
            "num_gpus": 1 if gpus else 0,
            "max_retries": 0,
            "scheduling_strategy": "SPREAD",
        }
        remote = ray.remote(**options)(_worker)
        return [_Worker(remote, packed(job, str(index)), mark, threads) for index in range(min(count, left))]


@dataclass
class _Worker:
    """One call of `_worker` after the other, until one of them finds nothing left to do."""

    remote: Any
    parcel: Parcel
    mark: Path
    threads: int

    def start(self) -> Any:
        return self.remote.remote(self.parcel, str(self.mark), str(Path.cwd()), self.threads)


def _worker(parcel: Parcel, mark: str, folder: str, threads: int) -> WorkerReport | str:
    """Works on a node; returns the name of the node if it does not see the folder."""
    os.environ.update(dict.fromkeys(LIBRARIES, str(threads)))  # before what is imported next looks at it
    if not Path(mark).exists() or not Path(folder).is_dir():
        return host()
    log_as_sender(parcel)
    os.chdir(folder)  # paths in the job may begin there
    worker = f"{host()}-{parcel['worker']}"
    return report_of_work(unpacked(parcel), worker)


def _drive(ray: Any, workers: list[_Worker], watching: Watching) -> None:
    """Keeps the workers going until nothing is left to do, or something stops them all."""
    calls = {worker.start(): worker for worker in workers}
    try:
        while calls and not watching.is_finished():
            ready, _ = ray.wait(list(calls), timeout=LOOK_S)
            for call in ready:
                worker = calls.pop(call)
                if not _ended(ray, call, worker):
                    calls[worker.start()] = worker
            watching.pulse()
    finally:
        for call in calls:
            ray.cancel(call)
        _, stubborn = ray.wait(list(calls), num_returns=len(calls), timeout=GRACE_S) if calls else ([], [])
        for call in stubborn:
            ray.cancel(call, force=True)


def _ended(ray: Any, call: Any, worker: _Worker) -> bool:
    """Whether a worker came to its end; not if it died, or its node did."""
    try:
        outcome = ray.get(call)
    except (ray.exceptions.RayTaskError, ray.exceptions.TaskCancelledError):
        raise
    except ray.exceptions.RayError as error:
        log.warning("a worker died and is replaced: %s", str(error).partition("\n")[0])
        return False
    if isinstance(outcome, str):
        raise FoveolaError(
            "nodes that share one file system",
            f"node {outcome} that does not see it",
            str(worker.mark.parent),
            "choose an --out and a working folder that every node sees",
        )
    check_report(outcome)
    return True


@contextmanager
def _mark(folder: Path) -> Iterator[Path]:
    """Leaves a file in a folder for as long as the block runs: who sees it sees the same file system."""
    mark = folder.absolute() / f".cluster-{uuid.uuid4().hex}"
    mark.touch()
    try:
        yield mark
    finally:
        mark.unlink(missing_ok=True)


@contextmanager
def _connected(address: str) -> Iterator[Any]:
    """Connects to a cluster, or starts one, for as long as the block runs; yields the package."""
    os.environ.update(QUIET)
    ray = needed("ray", "cluster")
    if ray.is_initialized():
        yield ray
        return
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if address not in ("auto", "local"):
        _check_answers(address)
        ray.init(address=address, **options)
    elif address == "local" or not _joined(ray, options):
        ray.init(address="local", include_dashboard=False, **options)
    try:
        yield ray
    finally:
        ray.shutdown()


def _joined(ray: Any, options: dict[str, Any]) -> bool:
    """Joins the cluster that is there, if there is one."""
    try:
        ray.init(address="auto", **options)
    except ConnectionError as error:
        log.info("no Ray cluster runs yet: %s", str(error).partition("\n")[0])
        return False
    return True


def _check_answers(address: str) -> None:
    """Looks whether anybody listens at an address; Ray itself would wait for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=CONNECT_S).close()
    except (OSError, ValueError) as error:
        raise FoveolaError(
            "the address of a Ray cluster, as 10.0.0.1:6379",
            f"'{address}' ({error})",
            "--cluster",
            "check that it runs, or give auto",
        ) from error
