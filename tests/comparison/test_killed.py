"""A run that is killed at random moments ends as one that was left alone."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import forked
import numpy as np
import pytest
import yaml

from foveola.comparison import compare
from foveola.protocol import RunConfiguration

Configure = Callable[..., RunConfiguration]

KILLS = 3
PATIENCE_S = 180


def changes(folder: Path) -> set[tuple[str, int]]:
    """Every visible file of a fit and when it was written."""
    found = set()
    for path in folder.glob("fits/*/*/[a-z]*"):
        try:
            found.add((str(path), path.stat().st_mtime_ns))
        except FileNotFoundError:
            continue  # it has just got another name
    return found


def wait_for_a_change(folder: Path, process: forked.Started) -> None:
    before, deadline = changes(folder), time.monotonic() + PATIENCE_S
    while not changes(folder) - before and process.poll() is None:
        assert time.monotonic() < deadline, "nothing was trained"
        time.sleep(0.01)


@pytest.mark.usefixtures("no_pictures")
def test_kill_9_at_random_moments(configure: Configure, tmp_path: Path) -> None:
    options = {"training.epochs": 12, "training.cutoff": 7, "seeds": 2}
    configuration = configure(["plain", "global", "stochastic-gates"], options)
    compare(configuration, tmp_path / "undisturbed")
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(configuration.model_dump(mode="json"), sort_keys=False))
    run = tmp_path / "run"
    command = ["compare", "--config", str(tmp_path / "study.yaml"), "--out", str(run)]
    rng = np.random.default_rng(17)
    killed, done = 0, dict[Path, int]()
    for _ in range(KILLS):
        process = forked.start(command)
        wait_for_a_change(run, process)
        time.sleep(rng.uniform(0, 0.5))
        process.kill()
        killed += process.wait().returncode < 0
        for path, when in done.items():
            assert path.stat().st_mtime_ns == when, "a finished fit was trained again"
        done = {path: path.stat().st_mtime_ns for path in run.glob("fits/*/*/done")}
    assert killed >= 2
    assert not (run / "results.csv").exists(), "it was finished before it was killed for the last time"
    result = forked.command(command)
    assert result.returncode == 0, result.stderr
    for name in ("predictions.csv", "results.csv", "comparisons.csv"):
        assert (run / name).read_bytes() == (tmp_path / "undisturbed" / name).read_bytes(), name
    for path in (tmp_path / "undisturbed").glob("fits/*/*/*.*[yv]"):
        assert (run / path.relative_to(tmp_path / "undisturbed")).read_bytes() == path.read_bytes(), path.name
    for path, when in done.items():
        assert path.stat().st_mtime_ns == when, "a finished fit was trained again"
