"""What the trials of a search came to, one by one and by setting."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from foveola.foundation.atomic import replacing
from foveola.pictures.curve import COLOURS, DPI, FAINT, INK, finish_axes

PANEL_INCHES = (3.4, 2.6)
PANELS_A_ROW = 3


def trials_picture(
    path: Path | str,
    score: pd.Series[float],
    settings: Mapping[str, pd.Series[Any]],
    *,
    y_label: str,
    title: str,
    smaller_is_better: bool,
    log: Collection[str] = (),
) -> None:
    """Draws the score of every trial with the best so far, and beside it the score against each setting.

    Args:
        path: Where the PNG goes; written whole or not at all.
        score: Of each trial, by its number, in ascending order; NaN where there is none.
        settings: The values of each setting, in the same order; numbers or text.
        y_label: What the score is.
        title: What stands above.
        smaller_is_better: Whether the smallest score is the best.
        log: The settings of which equal ratios are equally far apart.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "trials.png"
        >>> import numpy as np
        >>> score, lr = pd.Series([0.7, 0.6, np.nan]), pd.Series([0.1, 0.01, 10.0])
        >>> trials_picture(path, score, {"lr": lr}, y_label="loss", title="digits", smaller_is_better=True, log=["lr"])
        >>> path.read_bytes()[1:4]
        b'PNG'
    """
    panels = 1 + len(settings)
    columns = min(panels, PANELS_A_ROW)
    rows = math.ceil(panels / columns)
    size = (columns * PANEL_INCHES[0], rows * PANEL_INCHES[1] + 0.3)
    figure = Figure(figsize=size, dpi=DPI, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    first, *others = figure.subplots(rows, columns, squeeze=False, sharey=True).flat
    _draw_history(first, score, smaller_is_better)
    finish_axes(first, "trial", y_label)
    best = score.idxmin() if smaller_is_better else score.idxmax()
    for axes, (key, values) in zip(others, settings.items(), strict=False):
        _draw_setting(axes, score, values, best, log=key in log)
        finish_axes(axes, key, "")
    for axes in others[len(settings) :]:
        axes.set_visible(False)
    figure.suptitle(title, fontsize=10.5, fontweight="bold", color=INK)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", metadata={"Software": None})


def _draw_history(axes: Axes, score: pd.Series[float], smaller_is_better: bool) -> None:
    so_far = score.cummin() if smaller_is_better else score.cummax()
    axes.plot(score.index, so_far.ffill(), color=COLOURS[1], linewidth=1.5, drawstyle="steps-post", label="best so far")
    axes.plot(score.index, score, "o", color=COLOURS[0], markersize=3.5, alpha=0.7, label="trial")
    axes.legend(frameon=False, fontsize=7.5, labelcolor=INK)


def _draw_setting(axes: Axes, score: pd.Series[float], values: pd.Series[Any], best: Any, *, log: bool) -> None:
    """Draws the score against a setting; the best trial is ringed."""
    if log:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if values.max() < 100 * values.min() else (1,)))
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
    shown = values if is_numeric_dtype(values) and not is_bool_dtype(values) else values.astype(str)
    axes.plot(shown, score, "o", color=COLOURS[0], markersize=3.5, alpha=0.7)
    axes.plot([shown[best]], [score[best]], "o", markersize=8, markerfacecolor="none", markeredgecolor=FAINT)
