"""What stops a worker elsewhere is raised here as what it is."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from typing import Any

import pytest

from foveola.execution.executors.parcel import LONGEST, check_report, packed, report_of_work, unpacked

MakeJob = Callable[..., Any]


def test_a_job_goes_there_and_back(make_job: MakeJob) -> None:
    job = make_job("a/0", "a/1")
    parcel = json.loads(json.dumps(packed(job, "anna-1")))
    assert any(path.endswith("toy.py") for path in parcel["plugins"])
    assert unpacked(parcel) == job


def test_what_the_system_refuses_comes_back_as_it_is(make_job: MakeJob) -> None:
    job = make_job("full/0")
    outcome = json.loads(json.dumps(report_of_work(job, "anna-1")))
    with pytest.raises(OSError, match="No space left") as caught:
        check_report(outcome)
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(job.folder / "full/0/big"))


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (PermissionError(errno.EACCES, "Permission denied", "run"), PermissionError, "Permission denied: 'run'"),
        (OSError("a strange device"), OSError, "^a strange device$"),
        (KeyError("k" * 30_000), RuntimeError, "(?s)a worker stopped:.*kkk"),
    ],
)
def test_every_exception_has_its_like(
    make_job: MakeJob, monkeypatch: pytest.MonkeyPatch, error: Exception, kind: type[Exception], message: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("foveola.execution.executors.parcel.work", fail)
    outcome = json.loads(json.dumps(report_of_work(make_job("a"), "anna-1")))
    assert len(json.dumps(outcome)) < LONGEST + 500
    with pytest.raises(kind, match=message):
        check_report(outcome)


def test_all_went_well(make_job: MakeJob) -> None:
    outcome = report_of_work(make_job("a"), "anna-1")
    assert outcome == {}
    check_report(outcome)
