"""How far a run is, read from its folder."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from foveola.comparison import load_data
from foveola.execution.record import Record
from foveola.protocol import RunFolder, read_configuration

Foveola = Callable[..., Any]


@pytest.fixture
def run(foveola: Foveola, draw_folder: Callable[..., Path]) -> Path:
    """A run of which one fit is done, one is running, one failed and one waits."""
    options = {"data": str(draw_folder()), "arms": ["plain", "l1"], "protocol": "holdout", "seeds": 2}
    configuration, data, fingerprint = load_data(read_configuration(options=options))
    RunFolder(Path("run")).open(configuration, data.splits, fingerprint, [])
    fits = Path("run") / "fits"
    for name in ("plain/0-0", "plain/0-1", "l1/0-0"):
        (fits / name).mkdir(parents=True)
    (fits / "plain/0-0/done").write_text(json.dumps({"seconds": 250.0}))
    record = replace(Record.own("anna-2", 1), space="elsewhere").now("epoch 3/7", 30, 70)
    (fits / "plain/0-1/.claim-1").write_bytes(record.encode())
    failure = {"expected": "finite numbers", "got": "NaN", "where": "l1/0-0", "remedy": "give a smaller --lr"}
    (fits / "l1/0-0/failed.json").write_text(json.dumps({**failure, "attempts": 1}))
    return Path("run")


def test_each_fit_is_counted_where_it_is(foveola: Foveola, run: Path) -> None:
    answer = foveola("status", run)
    assert (answer.code, answer.err) == (0, "")
    rows = [line.replace("│", " ").split() for line in answer.out.splitlines()]
    assert ["plain", "1", "1", "0", "0"] in rows
    assert ["l1", "0", "0", "1", "1"] in rows
    assert "plain/0-1: epoch 3/7, for " in answer.out
    assert "on anna-2, last heard of " in answer.out
    assert "l1/0-0 failed: expected finite numbers, got NaN, in l1/0-0; give a smaller --lr" in answer.out
    assert "Time left: about 8 min" in answer.out
    found = json.loads(foveola("status", run, "--json").out)
    assert found["arms"] == {
        "plain": {"done": 1, "running": 1, "failed": 0, "waiting": 0},
        "l1": {"done": 0, "running": 0, "failed": 1, "waiting": 1},
    }
    assert [(fit["name"], fit["worker"], fit["done"]) for fit in found["running"]] == [("fits/plain/0-1", "anna-2", 30)]
    assert list(found["failed"]) == ["fits/l1/0-0"]
    assert found["seconds_left"] == pytest.approx(500, abs=60)
    assert found["finished"] is False


def test_a_run_that_nobody_is_at(foveola: Foveola, run: Path) -> None:
    (run / "fits/plain/0-1/.claim-1").unlink()
    assert "Nobody is at it; the same command goes on" in foveola("status", run).out
    shutil.rmtree(run / "fits/l1")
    for name in ("plain/0-1", "l1/0-0", "l1/0-1"):
        shutil.copytree(run / "fits/plain/0-0", run / "fits" / name, dirs_exist_ok=True)
    assert foveola("status", run).out.endswith("Nothing is left to do\n")


def test_what_is_no_run_is_said(refused: Callable[..., str]) -> None:
    Path("empty").mkdir()
    for name in ("empty", "missing"):
        assert name in refused("status", name)
