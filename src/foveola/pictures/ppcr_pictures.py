"""Pictures of what a network with pyramid pixel context does: the levels that it listens to, and its gates by class."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from foveola.foundation.atomic import replacing
from foveola.pictures.colour_scale import COLOURS, FAINT, INK

QUANTILES = {"q05": 0.05, "q25": 0.25, "q50": 0.5, "q75": 0.75, "q95": 0.95}
"""The columns of quantiles, and which they are."""
DPI = 200
WIDTH_INCHES = 6.4


def levels_picture(path: Path | str, levels: pd.DataFrame, *, title: str) -> None:
    """Draws, for every place from the first to the last, which share of the weights each level has.

    Dashed lines stand where the shares would end if all contexts weighed the same.

    Args:
        path: Where the PNG goes; written whole or not at all.
        levels: Columns place, level, share and ``even_share``; shares of a place sum to 1, or are all 0.
        title: What stands above.
    """
    places, names = list(dict.fromkeys(levels["place"])), list(dict.fromkeys(levels["level"]))
    figure, axes = _figure(places, [0.3] * len(places), title)
    colours = _colours(len(names))
    for row, place in enumerate(places):
        own = levels[levels["place"] == place]
        ends, even = own["share"].cumsum().to_numpy(), own["even_share"].cumsum().to_numpy()
        axes.barh([row] * len(own), own["share"], left=ends - own["share"], height=0.72, color=colours)
        lines = axes.vlines(even[:-1], row - 0.46, row + 0.46, colors=INK, linewidths=1.0, linestyles=(0, (2, 1.5)))
        lines.set_path_effects([withStroke(linewidth=2.2, foreground="white")])
        if not ends[-1]:
            axes.text(0.98, row, "all weights are 0", ha="right", va="center", fontsize=7.5, color=FAINT)
    axes.set_xlim(0, 1)
    axes.set_xlabel(
        "share of the weights on one level's contexts (dashed: if all contexts weighed the same)",
        fontsize=8,
        color=FAINT,
    )
    for name, colour in zip(names, colours, strict=True):
        axes.barh([0], [0], color=[colour], label=f"{name} group{'s' if name > 1 else ''}")
    _finish(path, figure, axes)


def gates_picture(path: Path | str, gates: pd.DataFrame, *, title: str) -> None:
    """Draws, for every place and class, how the mean gate is distributed over images.

    A dot is the median, the thick line the middle half, the thin line from the 5 % to the 95 % quantile. The axis fits
    the values, and is never shorter than 0.05.

    Args:
        path: Where the PNG goes; written whole or not at all.
        gates: Columns place, class, and those of ``QUANTILES``.
        title: What stands above.
    """
    places, names = list(dict.fromkeys(gates["place"])), list(dict.fromkeys(gates["class"]))
    figure, axes = _figure(places, [0.15 + 0.13 * len(names)] * len(places), title)
    for index, (name, colour) in enumerate(zip(names, _colours(len(names)), strict=True)):
        own = gates[gates["class"] == name]
        rows = np.array([places.index(place) for place in own["place"]])
        rows = rows + 0.72 * ((index + 0.5) / len(names) - 0.5)
        axes.hlines(rows, own["q05"], own["q95"], colors=[colour], linewidths=1.0)
        axes.hlines(rows, own["q25"], own["q75"], colors=[colour], linewidths=3.5)
        axes.plot(own["q50"], rows, "o", markersize=4.5, color=colour, markeredgecolor="white", label=name)
    low, high = float(gates["q05"].min()), float(gates["q95"].max())
    margin = max(0.03 * (high - low), (0.05 - high + low) / 2)
    axes.set_xlim(low - margin, high + margin)
    axes.set_xlabel("mean gate of an image (dot: median; lines: middle half, and 5 % to 95 %)", fontsize=8, color=FAINT)
    _finish(path, figure, axes)


def _colours(count: int) -> list[tuple[float, float, float, float]]:
    return [matplotlib.colormaps[COLOURS](value) for value in np.linspace(0.25, 0.8, count)]


def _figure(places: list[str], row_inches: list[float], title: str) -> tuple[Figure, Axes]:
    """Returns axes with a row for every place, the first on top."""
    height = max(sum(row_inches), 0.9) + 1.2
    figure = Figure(figsize=(WIDTH_INCHES, height), dpi=DPI, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.set_yticks(range(len(places)), places)
    axes.set_ylim(len(places) - 0.4, -0.6)
    axes.tick_params(labelsize=8, length=2, color=FAINT, labelcolor=INK)
    axes.spines[["top", "right", "left"]].set_visible(False)
    figure.suptitle(title, fontsize=11, fontweight="bold", color=INK)
    return figure, axes


def _finish(path: Path | str, figure: Figure, axes: Axes) -> None:
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=8, frameon=False)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", metadata={"Software": None})
