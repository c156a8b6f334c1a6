"""A job for tests, and what it left behind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from foveola.execution import DONE, JobTask
from foveola.foundation.plugins import load_plugin

TOY = Path(__file__).with_name("toy.py")

MakeJob = Callable[..., Any]


@pytest.fixture
def make_job(tmp_path: Path) -> MakeJob:
    """Makes a job of tasks with the names given, or with their needs."""

    def made(*tasks: str | JobTask, steps: int = 3) -> Any:
        all_tasks = tuple(task if isinstance(task, JobTask) else JobTask(task) for task in tasks)
        return load_plugin(TOY).ToyJob(tmp_path / "job", all_tasks, steps)

    return made


def begun(job: Any) -> dict[str, list[int]]:
    """Returns the processes that began each task, in order."""
    paths = {task.name: job.folder / task.name / "begun" for task in job.tasks}
    return {name: [int(line) for line in path.read_text().split()] for name, path in paths.items() if path.exists()}


def results(job: Any) -> dict[str, str]:
    """Returns what each finished task left behind."""
    folders = {task.name: job.folder / task.name for task in job.tasks}
    return {name: (path / "result").read_text() for name, path in folders.items() if (path / DONE).exists()}


@pytest.fixture
def look() -> Any:
    """Reads which processes began each task, or what each finished task left behind."""
    return {"begun": begun, "results": results, "leftovers": leftovers}


def leftovers(job: Any) -> list[str]:
    """Returns every file that should not outlive a job."""
    return [path.name for path in job.folder.rglob("*") if path.name.startswith(".")]
