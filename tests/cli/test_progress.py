from __future__ import annotations

import io
import sys

import pytest
from rich.progress import Progress

from foveola.cli.progress import Bars, bars
from foveola.protocol import PlannedFit


def test_without_a_terminal_nothing_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with bars() as shown:
        shown.report("Decoding images", 3, 7)
        shown.fit(PlannedFit("plain", 0, 0), 1, 2)("epoch 1/3", 5, 9)
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


def test_one_bar_for_all_fits_and_one_for_the_fit_at_hand() -> None:
    shown = Bars(Progress(disable=True))
    shown.report("Decoding images", 7, 7)
    first = shown.fit(PlannedFit("plain", 0, 0), 1, 2)
    first("epoch 3/3", 9, 9)
    second = shown.fit(PlannedFit("global", 4, 1), 2, 2)
    second("epoch 1/3", 2, 9)
    decoding, fits, fit = shown.progress.tasks
    assert not decoding.visible
    assert (fits.description, fits.completed, fits.total) == ("fits", 1, 2)
    assert (fit.description, fit.completed, fit.total) == ("global, fold 4, seed 1, epoch 1/3", 2, 9)
    assert fit.visible
