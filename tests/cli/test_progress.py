from __future__ import annotations

import io
import sys

import pytest
from rich.progress import Progress

from foveola.cli.progress import Bars, TimeLeft, bars
from foveola.execution import JobStatus, Running


def running(name: str, done: int = 0) -> Running:
    what, total = ("epoch 1/3", 9) if done else ("", 0)
    return Running(name, "anna-1", 1, what, done, total, 40.0, 0.5)


def test_without_a_terminal_nothing_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with bars() as shown:
        shown.report("Decoding images", 3, 7)
        shown.job(JobStatus({}, {}, (running("fits/plain/0-0", 5),), ("fits/global/0-0",)))
    assert capsys.readouterr() == ("", "")


def test_on_a_terminal_bars_move_on_stderr_and_leave_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with bars() as shown:
        shown.report("Decoding images", 3, 7)
        shown.progress.refresh()
    assert "Decoding images" in terminal.getvalue()
    assert "3/7" in terminal.getvalue()
    assert terminal.getvalue().rstrip().endswith("\x1b[2K"), "the last thing done is to clear the line"


def test_one_bar_for_all_fits_and_one_for_each_that_is_running() -> None:
    shown = Bars(Progress(disable=True))
    shown.report("Decoding images", 7, 7)
    shown.job(JobStatus({}, {}, (running("fits/plain/0-0"), running("fits/global/0-0", 3)), ("fits/plain/4-1",)))
    decoding, fits, plain, fit = shown.progress.tasks
    assert not decoding.visible
    assert (fits.description, fits.completed, fits.total) == ("fits", 0, 3)
    assert (plain.description, plain.completed, plain.total) == ("plain/0-0, on anna-1", 0, None)
    assert (fit.description, fit.completed, fit.total) == ("global/0-0, epoch 1/3, on anna-1", 3, 9)
    shown.job(JobStatus({"fits/global/0-0": 30.0}, {"fits/plain/0-0": "no"}, (running("fits/plain/4-1", 2),), ()))
    _, fits, last = shown.progress.tasks
    assert (fits.description, fits.completed, fits.total) == ("fits, 1 failed", 2, 3)
    assert (last.description, last.completed) == ("plain/4-1, epoch 1/3, on anna-1", 2)
    assert last.visible
    shown.job(JobStatus(dict.fromkeys(("fits/a/0", "fits/b/0", "fits/c/0"), 30.0), {}, (), ()))
    assert not any(task.visible for task in shown.progress.tasks)


def test_trials_are_called_trials() -> None:
    shown = Bars(Progress(disable=True))
    shown.job(JobStatus({}, {}, (running("trials/3", 2),), ("trials/4",)))
    trials, trial = shown.progress.tasks
    assert (trials.description, trials.completed, trials.total) == ("trials", 0, 2)
    assert trial.description == "3, epoch 1/3, on anna-1"


def test_the_time_left_is_that_of_the_job() -> None:
    shown, column = Bars(Progress(disable=True)), TimeLeft()
    shown.report("Decoding images", 3, 7)
    shown.job(JobStatus({"fits/plain/0-0": 3000.0}, {}, (running("fits/plain/0-1"),), ("fits/plain/0-2",)))
    decoding, fits, _ = shown.progress.tasks
    assert column.render(fits).plain == "1:39:20"
    assert column.render(decoding).plain == "-:--:--"
    shown.job(JobStatus({}, {}, (), ("fits/plain/0-0",)))
    assert column.render(fits).plain == "-:--:--"
