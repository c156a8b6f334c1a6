"""Curves of a mean with its interval, such as a score against the number of training images or against a setting."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from foveola.foundation.atomic import replacing
from foveola.foundation.errors import FoveolaError

DPI = 200
INCHES = (5.6, 3.6)
INK, FAINT = "#222222", "#707070"
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7a5c2e", "#555555")
"""Told apart by colour-blind readers too (Okabe and Ito 2008, without yellow and black, which vanish on white paper and
in text); beyond eight curves they begin anew with another marker."""
MARKERS = "os^Dv<>P"
CURVE_POINT_COLUMNS = ("x", "mean", "low", "high")


def curve_picture(
    path: Path | str,
    curves: Mapping[str, pd.DataFrame],
    *,
    x_label: str,
    y_label: str,
    title: str,
    log_x: bool = False,
) -> None:
    """Draws one line a curve, a point a row, and around it the band of its intervals.

    Where an end of an interval is not finite, as for a single fit, the point stands without one; where the mean is not,
    the line has a gap.

    Args:
        path: Where the PNG goes; written whole or not at all.
        curves: The rows of each curve by its name, in the order in which they are drawn: the columns ``x``, ``mean``,
            ``low`` and ``high``. ``x`` holds numbers, which are drawn in ascending order, or text, which is drawn in
            the order given, evenly spaced.
        x_label: What stands below.
        y_label: What stands to the left.
        title: What stands above.
        log_x: Whether equal ratios of ``x`` are equally far apart; then every ``x`` is positive.

    Raises:
        FoveolaError: If there is no curve with a point.
        ValueError: If a column is missing, or ``x`` cannot be drawn so.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "curve.png"
        >>> sizes = pd.DataFrame({"x": [50, 100], "mean": [0.7, 0.8], "low": [0.6, 0.75], "high": [0.8, 0.85]})
        >>> curve_picture(path, {"plain": sizes}, x_label="training images", y_label="macro AUC", title="digits")
        >>> path.read_bytes()[1:4]
        b'PNG'
    """
    if not any(len(rows) for rows in curves.values()):
        raise FoveolaError("at least one curve with a point", "none", str(path), "wait until a fit is finished")
    places = _places(curves, log_x)
    figure = Figure(figsize=INCHES, dpi=DPI, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    if log_x:
        axes.set_xscale("log")
    for index, (name, rows) in enumerate(curves.items()):
        _draw(axes, name, rows.assign(x=rows["x"].map(places)), index)
    axes.xaxis.set_major_locator(FixedLocator(sorted(places.values())))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks(list(places.values()), [f"{x:g}" if isinstance(x, float) else str(x) for x in places])
    finish_axes(axes, x_label, y_label)
    axes.set_title(title, fontsize=10.5, fontweight="bold", color=INK, loc="left")
    if len(curves) > 1:
        axes.legend(frameon=False, fontsize=8, labelcolor=INK)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", metadata={"Software": None})


def is_wide(values: Iterable[object]) -> bool:
    """Whether values are drawn on a log scale: numbers above 0, the largest at least eight times the smallest.

    Example:
        >>> is_wide([0.001, 0.1]), is_wide([1, 2, 3]), is_wide(["a", "b"])
        (True, False, False)
    """
    listed = list(values)
    numbers = [value for value in listed if isinstance(value, int | float) and not isinstance(value, bool)]
    return bool(numbers) and len(numbers) == len(listed) and 0 < 8 * min(numbers) <= max(numbers)


def _places(curves: Mapping[str, pd.DataFrame], log_x: bool) -> dict[float | str, float]:
    """Returns where each value of x stands on the axis."""
    for name, rows in curves.items():
        if missing := [column for column in CURVE_POINT_COLUMNS if column not in rows]:
            raise ValueError(f"curve '{name}' has no column {missing[0]}")
    values = list(dict.fromkeys(x for rows in curves.values() for x in rows["x"]))
    if any(isinstance(x, str) for x in values):
        if log_x or not all(isinstance(x, str) for x in values):
            raise ValueError(f"x must be all numbers, or all text and not on a log scale, got {values}")
        return {x: float(place) for place, x in enumerate(values)}
    numbers = sorted(float(x) for x in values)
    if not np.isfinite(numbers).all() or (log_x and numbers[0] <= 0):
        raise ValueError(f"x must be finite, and positive on a log scale, got {numbers}")
    return {x: x for x in numbers}


def _draw(axes: Axes, name: str, rows: pd.DataFrame, index: int) -> None:
    rows = rows.sort_values("x", kind="stable")
    colour, marker = COLOURS[index % len(COLOURS)], MARKERS[index // len(COLOURS) % len(MARKERS)]
    x, mean, low, high = (rows[column].to_numpy(np.float64) for column in CURVE_POINT_COLUMNS)
    known = np.isfinite(mean) & np.isfinite(low) & np.isfinite(high)
    axes.fill_between(x, low, high, where=known, color=colour, alpha=0.15, linewidth=0)
    axes.vlines(x[known], low[known], high[known], color=colour, alpha=0.5, linewidth=1.0)
    axes.plot(x, mean, color=colour, marker=marker, markersize=4, linewidth=1.5, label=name)


def finish_axes(axes: Axes, x_label: str, y_label: str) -> None:
    """Names the axes, and gives them the manner of all charts."""
    axes.set_xlabel(x_label, fontsize=9, color=INK)
    axes.set_ylabel(y_label, fontsize=9, color=INK)
    axes.tick_params(labelsize=8, length=3, color=FAINT, labelcolor=INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["bottom", "left"]].set_color(FAINT)
    axes.grid(axis="y", color="#e6e6e6", linewidth=0.7)
    axes.set_axisbelow(True)
