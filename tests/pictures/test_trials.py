from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib.figure
import numpy as np
import pandas as pd
import pytest

from foveola.pictures.trials import trials_picture

SCORE = pd.Series([0.7, np.nan, 0.5, 0.6], index=[0, 1, 4, 7])
SETTINGS: dict[str, Any] = {
    "lr": pd.Series([0.1, 0.2, 0.01, 0.001], index=SCORE.index),
    "norm": pd.Series(["batch", "none", "none", "batch"], index=SCORE.index),
    "open": pd.Series([True, False, True, True], index=SCORE.index),
}


@pytest.fixture
def axes_of(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Draws the trials, and returns the axes that were written."""
    seen: list[Any] = []
    monkeypatch.setattr(matplotlib.figure.Figure, "savefig", lambda figure, path, **_: seen.append((figure, path)))
    monkeypatch.setattr(Path, "replace", lambda *_: None)

    def draw(smaller_is_better: bool) -> Any:
        trials_picture(
            tmp_path / "trials.png",
            SCORE,
            SETTINGS,
            y_label="loss",
            title="4 trials",
            smaller_is_better=smaller_is_better,
            log=["lr"],
        )
        return [axes for axes in seen[-1][0].axes if axes.get_visible()]

    return draw


@pytest.mark.parametrize(("smaller_is_better", "so_far"), [(True, [0.7, 0.7, 0.5, 0.5]), (False, [0.7, 0.7, 0.7, 0.7])])
def test_the_best_so_far_only_gets_better(axes_of: Any, smaller_is_better: bool, so_far: list[float]) -> None:
    line, points = axes_of(smaller_is_better)[0].get_lines()
    assert line.get_xdata().tolist() == points.get_xdata().tolist() == [0, 1, 4, 7]
    assert line.get_ydata().tolist() == so_far


def test_each_setting_has_a_panel_with_the_best_ringed(axes_of: Any) -> None:
    history, rate, norm, opened = axes_of(True)
    assert [axes.get_xlabel() for axes in (history, rate, norm, opened)] == ["trial", "lr", "norm", "open"]
    assert (rate.get_xscale(), norm.get_xscale()) == ("log", "linear")
    points, ring = rate.get_lines()
    assert points.get_xdata().tolist() == [0.1, 0.2, 0.01, 0.001]
    assert (list(ring.get_xdata()), list(ring.get_ydata())) == ([0.01], [0.5])
    assert [text.get_text() for text in opened.get_xticklabels()] == ["True", "False"]
