"""How far a job is, and how long it will take."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest

from foveola.execution import DONE, JobStatus, JobTask, Running, job_status
from foveola.execution.claims import LEASE_S
from foveola.execution.record import Record


def running(name: str, seconds: float, done: int = 0, total: int = 0) -> Running:
    return Running(name, "w", 1, "epoch 1/3", done, total, seconds, 0.5)


def test_each_task_is_in_one_place(tmp_path: Path) -> None:
    names = ("fits/a/0", "fits/a/1", "fits/b/0", "fits/b/1", "fits/c/0", "fits/c/1")
    for name in names[:-1]:
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "fits/a/0" / DONE).write_text(json.dumps({"seconds": 12.5}))
    alive = replace(Record.own("one", 2), space="elsewhere", begun=time.time() - 30).now("epoch 2/7", 40, 140)
    (tmp_path / "fits/a/1/.claim-1").write_bytes(Record.own("before", 1).encode())
    (tmp_path / "fits/a/1/.claim-2").write_bytes(alive.encode())
    (tmp_path / "fits/b/0/.claim-1").write_bytes(replace(alive, beat=time.time() - LEASE_S - 9).encode())
    (tmp_path / "fits/b/1/.claim-1").touch()
    (tmp_path / "fits/c/0/failed.json").write_text(
        json.dumps({"expected": "x", "got": "y", "where": "z", "remedy": "mend", "attempts": 1, "traceback": ""})
    )
    tasks = [JobTask(name) for name in names]
    status = job_status(tmp_path, tasks)
    assert status.done == {"fits/a/0": 12.5}
    assert status.failed == {"fits/c/0": "expected x, got y, in z; mend"}
    assert status.waiting == ("fits/b/0", "fits/b/1", "fits/c/1")
    (found,) = status.running
    assert (found.name, found.worker, found.attempt, found.what, found.done, found.total) == (
        "fits/a/1",
        "one",
        2,
        "epoch 2/7",
        40,
        140,
    )
    assert 30 <= found.seconds < 90
    assert found.silent_s < 60
    assert (status.total, status.is_finished) == (6, False)
    (tmp_path / "fits/a/0" / DONE).unlink()
    assert job_status(tmp_path, tasks, status).done == {"fits/a/0": 12.5}, "what was done is not looked at again"


def test_the_time_left_follows_from_tasks_of_the_same_folder() -> None:
    done = {"fits/a/0": 10.0, "fits/a/1": 20.0, "fits/b/0": 100.0}
    waiting = ("fits/a/2", "fits/b/2", "fits/c/0")
    status = JobStatus(done, {}, (running("fits/a/3", 5.0), running("fits/b/3", 130.0)), waiting)
    mean_of_folders = (15 + 100) / 2
    assert status.seconds_left == pytest.approx((15 + 100 + mean_of_folders + (15 - 5) + 0) / 2)


def test_the_time_left_follows_from_running_tasks_at_first() -> None:
    status = JobStatus({}, {}, (running("fits/a/0", 8.0, 2, 6),), ("fits/a/1",))
    assert status.seconds_left == pytest.approx(24 + 16)
    assert JobStatus({}, {}, (running("fits/a/0", 8.0),), ("fits/a/1",)).seconds_left is None
    assert JobStatus({"fits/a/0": 1.0}, {}, (), ("fits/a/1",)).seconds_left is None, "nobody works"
    assert JobStatus({"fits/a/0": 1.0}, {}, (), ()).seconds_left == 0
