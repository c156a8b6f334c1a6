"""What a worker does with a job, in this process."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from foveola.execution import InProcess, JobStatus, JobTask, Progress, job_status
from foveola.execution.claims import Claims
from foveola.execution.record import Record
from foveola.execution.work import work
from foveola.foundation.errors import FoveolaError

MakeJob = Callable[..., Any]


def test_every_task_is_done_once_in_order_and_nothing_is_left_behind(make_job: MakeJob, look: Any) -> None:
    job = make_job("fits/b/0", "fits/a/0", "fits/b/1")
    seen: list[JobStatus] = []
    InProcess().run(job, seen.append)
    assert look["results"](job) == {"fits/b/0": "FITS/B/0", "fits/a/0": "FITS/A/0", "fits/b/1": "FITS/B/1"}
    assert look["begun"](job) == {task.name: [os.getpid()] for task in job.tasks}
    assert look["leftovers"](job) == []
    assert (seen[0].waiting, seen[-1].is_finished) == (("fits/b/0", "fits/a/0", "fits/b/1"), True)
    before = {path: path.stat().st_mtime_ns for path in job.folder.rglob("*")}
    InProcess().run(job)
    assert {path: path.stat().st_mtime_ns for path in job.folder.rglob("*")} == before, "what is done is not done again"


def test_only_what_is_left_is_done(make_job: MakeJob, look: Any) -> None:
    job = make_job("fits/a/0", "fits/a/1", "fits/a/2")
    InProcess().run(replace(job, tasks=job.tasks[1:2]))
    InProcess().run(job)
    assert all(len(processes) == 1 for processes in look["begun"](job).values())
    assert len(look["results"](job)) == 3


def test_what_others_hold_is_left_to_them_and_waited_for(make_job: MakeJob, look: Any) -> None:
    job = make_job("fits/a/0", "fits/a/1")
    claim = Claims("another").take(job.folder / "fits/a/0")
    assert claim is not None
    looks: list[JobStatus] = []

    def watch(status: JobStatus) -> None:
        looks.append(status)
        if "fits/a/1" in status.done and not (job.folder / "fits/a/0/done").exists():
            assert look["begun"](job).keys() == {"fits/a/1"}
            job.run("fits/a/0", lambda *_: None)
            claim.release()

    InProcess().run(job, watch)
    assert look["begun"](job).keys() == {"fits/a/0", "fits/a/1"}
    assert look["results"](job).keys() == {"fits/a/0", "fits/a/1"}
    assert [running.worker for running in looks[0].running] == ["another"]


def test_needs_come_first(make_job: MakeJob, look: Any) -> None:
    job = make_job("a", JobTask("mean", needs=("a",)), "b", JobTask("all", needs=("mean", "b")))
    order: list[str] = []

    @dataclass(frozen=True)
    class Ordered:
        folder: Path = job.folder
        tasks: tuple[JobTask, ...] = job.tasks

        def run(self, name: str, progress: Progress) -> None:
            if name == "mean":
                assert (self.folder / "a/done").exists()
            order.append(name)
            job.run(name, progress)

    InProcess().run(Ordered())
    assert order == ["a", "mean", "b", "all"]
    for wrong in (("x", JobTask("a", needs=("b",)), "b"), (JobTask("a", needs=("a",)),), ("a", "a")):
        with pytest.raises(ValueError, match=r"needs|two tasks"):
            InProcess().run(make_job(*wrong))


def test_a_task_that_fails_stops_what_needs_it_and_nothing_else(make_job: MakeJob, look: Any) -> None:
    job = make_job("bad/0", JobTask("mean", needs=("bad/0",)), JobTask("last", needs=("mean",)), "a", "bad/1")
    with pytest.raises(FoveolaError) as caught:
        InProcess().run(job)
    assert str(caught.value) == (
        "expected a good task, got a bad one, in bad/0 (the first of 2 that failed, of 5); mend it"
    )
    assert look["results"](job).keys() == {"a"}
    status = job_status(job.folder, job.tasks)
    assert status.failed == {
        "bad/0": "expected a good task, got a bad one, in bad/0; mend it",
        "mean": "it needs bad/0, which failed",
        "last": "it needs mean, which failed",
        "bad/1": "expected a good task, got a bad one, in bad/1; mend it",
    }
    assert look["leftovers"](job) == []
    work(job)
    assert len(look["begun"](job)["bad/0"]) == 1, "another worker of the same run does not try again"
    with pytest.raises(FoveolaError, match="the first of 2"):
        InProcess().run(job)
    assert len(look["begun"](job)["bad/0"]) == 2, "a new run does"


def test_what_is_our_own_mistake_is_raised_here_and_kept_by_workers(make_job: MakeJob, look: Any) -> None:
    job = make_job("wrong/0", "a")
    with pytest.raises(ZeroDivisionError, match="of our own"):
        InProcess().run(job)
    assert not (job.folder / "wrong/0/failed.json").exists()
    assert look["leftovers"](job) == []
    work(job)
    failure = json.loads((job.folder / "wrong/0/failed.json").read_text())
    assert failure["got"] == "ZeroDivisionError: of our own"
    assert 'raise ZeroDivisionError("of our own")' in failure["traceback"]
    assert look["results"](job).keys() == {"a"}


def test_a_task_that_does_not_say_that_it_is_done_is_a_mistake(make_job: MakeJob) -> None:
    with pytest.raises(RuntimeError, match=r"ToyJob.run returned, and .*forgetful/0/done is not there"):
        InProcess().run(make_job("forgetful/0"))


def test_a_full_disk_stops_everything_at_once(make_job: MakeJob, look: Any) -> None:
    job = make_job("a", "full/0", "b")
    with pytest.raises(OSError, match="No space left") as caught:
        InProcess().run(job)
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(job.folder / "full/0/big"))
    assert look["results"](job).keys() == {"a"}
    assert look["leftovers"](job) == []
    assert not (job.folder / "full/0/failed.json").exists()


def test_ctrl_c_gives_the_task_back(make_job: MakeJob, look: Any) -> None:
    job = make_job("a", "b", "c")

    def interrupt(status: JobStatus) -> None:
        if "a" in status.done and status.running:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("foveola.execution.executors.executor.WATCH_S", 0.0)
        with pytest.raises(KeyboardInterrupt):
            InProcess().run(job, interrupt)
    assert look["results"](job).keys() == {"a"}
    assert look["leftovers"](job) == []
    InProcess().run(job)
    assert look["results"](job).keys() == {"a", "b", "c"}


def test_a_task_on_which_workers_die_is_given_up(make_job: MakeJob, look: Any) -> None:
    job = make_job("a", "b")
    (job.folder / "a").mkdir(parents=True)
    for number in (1, 2, 3):
        record = replace(Record.own("mortal", number), started="1")
        (job.folder / "a" / f".claim-{number}").write_bytes(record.encode())
    if not record.is_dead:
        pytest.skip("this system does not tell which processes live")
    work(job)
    failure = json.loads((job.folder / "a/failed.json").read_text())
    assert (failure["got"], failure["attempts"]) == ("a worker that died 3 times", 3)
    assert look["begun"](job).keys() == {"b"}
    InProcess().run(job)
    assert look["results"](job).keys() == {"a", "b"}, "a new run begins anew"


def test_deaths_before_the_last_are_forgiven(make_job: MakeJob, look: Any) -> None:
    job = make_job("a")
    (job.folder / "a").mkdir(parents=True)
    for number in (1, 2):
        record = replace(Record.own("mortal", number), started="1")
        (job.folder / "a" / f".claim-{number}").write_bytes(record.encode())
    if not record.is_dead:
        pytest.skip("this system does not tell which processes live")
    work(job)
    assert look["results"](job) == {"a": "A"}
    assert look["leftovers"](job) == []


def test_threads_are_set_for_the_job_alone(make_job: MakeJob) -> None:
    import torch

    before = torch.get_num_threads()
    threads = []
    InProcess(threads=before + 2).run(make_job("a"), lambda _: threads.append(torch.get_num_threads()))
    assert threads[0] == before + 2
    assert torch.get_num_threads() == before
