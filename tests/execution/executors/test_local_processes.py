"""Workers in processes of their own: killed, orphaned, interrupted, and out of disk."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from foveola.execution import InProcess, JobStatus, JobTask, LocalProcesses
from foveola.execution.claims import holder
from foveola.execution.machine import process_space, process_start
from foveola.foundation.errors import FoveolaError
from foveola.foundation.plugins import loaded_plugins

pytestmark = pytest.mark.skipif(not process_space(), reason="this system does not tell which processes live")

MakeJob = Callable[..., Any]
PATIENCE_S = 90
DRIVER = """
import signal
import sys
from pathlib import Path

signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs the tests in the background has it ignored
from foveola.execution import LocalProcesses, JobTask
from foveola.foundation.plugins import load_plugin

tasks = tuple(JobTask(name) for name in sys.argv[3:])
LocalProcesses(2).run(load_plugin(sys.argv[1]).ToyJob(Path(sys.argv[2]), tasks, 3))
"""


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.01)


def start_driver(job: Any) -> subprocess.Popen[bytes]:
    """Starts a process that does the job with two workers."""
    (plugin,) = (path for path in loaded_plugins() if path.endswith("toy.py"))
    command = [sys.executable, "-c", DRIVER, plugin, str(job.folder), *(task.name for task in job.tasks)]
    return subprocess.Popen(command, stderr=subprocess.PIPE)


def hurry(job: Any) -> None:
    (job.folder / "hurry").touch()


def test_two_workers_share_the_tasks(make_job: MakeJob, look: Any) -> None:
    job = make_job("slow/0", "slow/1", "a/0", JobTask("mean", needs=("slow/0", "slow/1")))
    seen: list[JobStatus] = []

    def watch(status: JobStatus) -> None:
        seen.append(status)
        if len(status.running) == 2:
            hurry(job)

    LocalProcesses(2, threads=3).run(job, watch)
    begun = look["begun"](job)
    assert all(len(processes) == 1 for processes in begun.values())
    assert begun["slow/0"] != begun["slow/1"]
    assert os.getpid() not in {process for processes in begun.values() for process in processes}
    assert look["results"](job).keys() == {task.name for task in job.tasks}
    assert (seen[0].total, seen[-1].is_finished) == (4, True)
    assert json.loads((job.folder / "a/0/done").read_text())["threads"] == "3"
    assert look["leftovers"](job) == []
    assert not (job.folder / "logs").exists(), "nobody had anything to say"
    before = time.monotonic()
    LocalProcesses(2).run(job)
    assert time.monotonic() - before < 0.5, "no worker is started where nothing is left"


def test_a_worker_that_is_killed_is_replaced_and_its_task_done_once(make_job: MakeJob, look: Any) -> None:
    job = make_job("slow/0", "slow/1", "a/0", "a/1")
    killed: list[int] = []

    def watch(_: JobStatus) -> None:
        if not killed and {"slow/0", "slow/1"} <= look["begun"](job).keys():
            claim = holder(job.folder / "slow/1")
            assert claim is not None
            os.kill(claim.pid, signal.SIGKILL)
            killed.append(claim.pid)
            hurry(job)

    LocalProcesses(2).run(job, watch)
    begun = look["begun"](job)
    assert len(begun["slow/1"]) == 2
    assert begun["slow/1"][0] == killed[0]
    assert {name for name, processes in begun.items() if len(processes) == 1} == {"slow/0", "a/0", "a/1"}
    assert look["results"](job) == {name: name.upper() for name in begun}
    assert look["leftovers"](job) == []


def test_when_the_driver_is_killed_its_workers_end_and_the_same_job_goes_on(make_job: MakeJob, look: Any) -> None:
    job = make_job("a/0", "slow/0", "slow/1", "a/1")
    with start_driver(job) as driver:
        wait_until(lambda: {"slow/0", "slow/1"} <= look["begun"](job).keys())
        driver.kill()
    done = {path: path.stat().st_mtime_ns for path in job.folder.rglob("done")}
    assert [path.parent.name for path in done] == ["0"]
    workers = {process for processes in look["begun"](job).values() for process in processes}
    assert len(workers) == 2
    wait_until(lambda: not any(map(process_start, workers)))
    hurry(job)
    InProcess().run(job)
    assert look["results"](job).keys() == {"a/0", "slow/0", "slow/1", "a/1"}
    assert {path: path.stat().st_mtime_ns for path in done} == done, "what was finished is not touched"
    assert look["leftovers"](job) == []


def test_ctrl_c_ends_the_workers_and_gives_their_tasks_back(make_job: MakeJob, look: Any) -> None:
    job = make_job("slow/0", "slow/1", "slow/2")
    with start_driver(job) as driver:
        wait_until(lambda: len(look["begun"](job)) == 2)
        driver.send_signal(signal.SIGINT)
        assert driver.stderr is not None
        assert b"KeyboardInterrupt" in driver.stderr.read()
        driver.wait(timeout=PATIENCE_S)
    workers = {process for processes in look["begun"](job).values() for process in processes}
    assert not any(map(process_start, workers))
    assert look["leftovers"](job) == []
    assert look["results"](job) == {}


def test_two_drivers_share_a_job(make_job: MakeJob, look: Any) -> None:
    job = make_job("slow/0", "slow/1", "slow/2", "a/0", "a/1")
    with start_driver(job) as driver:
        wait_until(lambda: len(look["begun"](job)) == 2)

        def watch(status: JobStatus) -> None:
            if len(status.running) == 3:
                hurry(job)

        InProcess().run(job, watch)
        assert driver.wait(timeout=PATIENCE_S) == 0
    begun = look["begun"](job)
    assert all(len(processes) == 1 for processes in begun.values())
    assert begun["slow/2"] == [os.getpid()]
    assert len({process for processes in begun.values() for process in processes}) == 3
    assert look["leftovers"](job) == []


def test_failures_are_kept_while_others_go_on(make_job: MakeJob, look: Any) -> None:
    job = make_job("deadly/0", "wrong/0", "a/0", "bad/0")
    with pytest.raises(FoveolaError) as caught:
        LocalProcesses(2).run(job)
    assert "expected a task that runs to its end, got a worker that died 3 times, in " in str(caught.value)
    assert f"(the first of 3 that failed, of 4); see what it said, in {job.folder / 'logs'} or" in str(caught.value)
    assert look["results"](job) == {"a/0": "A/0"}
    assert len(look["begun"](job)["deadly/0"]) == 3
    assert "ZeroDivisionError" in json.loads((job.folder / "wrong/0/failed.json").read_text())["traceback"]
    assert look["leftovers"](job) == []


def test_a_full_disk_stops_every_worker_and_is_raised_here(make_job: MakeJob, look: Any) -> None:
    job = make_job("slow/0", "full/0", "a/0")
    with pytest.raises(OSError, match="No space left") as caught:
        LocalProcesses(2).run(job)
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(job.folder / "full/0/big"))
    assert look["leftovers"](job) == []
    assert "slow/0" not in look["results"](job)


def test_workers_that_cannot_start_are_not_started_for_ever(make_job: MakeJob, tmp_path: Path) -> None:
    job = make_job("a/0")
    broken = tmp_path / "sitecustomize.py"
    broken.write_text("import os; print('no such luck', file=__import__('sys').stderr); os._exit(4)\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(tmp_path))
        with pytest.raises(FoveolaError, match=r"a worker that starts, got 3 that died \(exit code 4\), in .*\.log"):
            LocalProcesses(1).run(job)
    (log,) = (job.folder / "logs").iterdir()
    assert log.read_text().count("no such luck") == 3
