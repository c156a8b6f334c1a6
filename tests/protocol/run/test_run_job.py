"""A comparison as a job: small to send, loaded once a process, and refused on other images."""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from foveola.foundation.errors import FoveolaError
from foveola.protocol import read_run
from foveola.protocol.run import run_job
from foveola.protocol.run.run_job import RunJob

DrawScans = Callable[..., dict[str, np.ndarray]]


@pytest.fixture
def job(finished: Path, monkeypatch: pytest.MonkeyPatch) -> RunJob:
    """The job of the finished run, in a process that has loaded nothing."""
    monkeypatch.setattr(run_job, "_DATA", {})
    return read_run(finished)


def test_it_has_the_fits_of_the_run(job: RunJob, finished: Path) -> None:
    assert {task.name for task in job.tasks} == {
        path.parent.relative_to(finished).as_posix() for path in finished.glob("fits/*/*/done")
    }
    assert [task.name for task in job.tasks][:2] == ["fits/plain/0-0", "fits/l1-fair/0-0"]


def test_it_is_sent_without_its_images(job: RunJob) -> None:
    job.data()
    assert len(pickle.dumps(job)) < 20_000
    sent: RunJob = pickle.loads(pickle.dumps(job))
    assert sent.tasks == job.tasks


def test_images_are_loaded_once_and_mapped(job: RunJob, monkeypatch: pytest.MonkeyPatch) -> None:
    data = job.data()
    monkeypatch.setattr(run_job, "load_cohort", lambda *_, **__: pytest.fail("loaded again"))
    assert job.data() is data
    assert isinstance(data.pixels, np.memmap)
    monkeypatch.undo()
    monkeypatch.setattr(run_job, "_DATA", {})
    assert isinstance(data.pixels, np.memmap)
    other = replace(job, pixels=Path(str(data.pixels.filename)))
    assert np.array_equal(other.data().pixels, data.pixels)


def test_a_machine_with_other_images_refuses(
    job: RunJob, finished: Path, draw_scans: DrawScans, tmp_path: Path
) -> None:
    run = shutil.copytree(finished, tmp_path / "run")
    np.savez(tmp_path / "others.npz", **draw_scans(seed=9))  # type: ignore[arg-type]
    values = yaml.safe_load((run / "run.yaml").read_text())
    (run / "run.yaml").write_text(yaml.safe_dump({**values, "data": str(tmp_path / "others.npz")}, sort_keys=False))
    with pytest.raises(FoveolaError, match="the images and labels of the run that is there, got changed ones"):
        read_run(run).data()


def test_a_folder_without_a_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(FoveolaError, match=r"expected a run folder, got a folder without manifest\.json"):
        read_run(tmp_path)
    with pytest.raises(FoveolaError, match="got no such folder"):
        read_run(tmp_path / "none")
