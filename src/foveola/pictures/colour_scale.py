"""The scale of a picture: which colour a value has, and the bar that says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from foveola.maps.average import check_map, is_flat

COLOURS = "magma"
RELATIVE = "times average"
INK, FAINT = "#222222", "#707070"


@dataclass(frozen=True)
class Scale:
    """The scale of a picture.

    Attributes:
        colours: From values to 0..1.
        extend: The end of it that some value lies beyond: ``neither``, ``min``, ``max`` or ``both``.
        label: What stands beside the colour bar.
    """

    colours: Normalize
    extend: str
    label: str = ""


def shared_scale(maps: Sequence[np.ndarray], *, bounded: bool = True, label: str = "") -> Scale:
    """Returns the scale from 0 to 1, or to the largest value of all maps where that is well below 1.

    Args:
        maps: ``height x width``, finite.
        bounded: Whether 1 is the most that a value should be; if not, the scale always goes to the largest.
        label: What stands beside the colour bar.

    Raises:
        FoveolaError: If a map is not a finite ``height x width`` array.
    """
    for attention_map in maps:
        check_map(attention_map)
    low = min(float(attention_map.min()) for attention_map in maps)
    high = max(float(attention_map.max()) for attention_map in maps)
    extend = {(False, False): "neither", (True, False): "min", (False, True): "max", (True, True): "both"}
    top = high if 0 < high < 0.95 or (not bounded and high > 0) else 1.0
    return Scale(Normalize(0, top, clip=True), extend[low < 0, high > top], label)


def range_note(attention_map: np.ndarray) -> str:
    """Says between which values a map lies, or that it is flat."""
    low, high = float(attention_map.min()), float(attention_map.max())
    digits = ".2f" if high - low >= 0.05 else ".3g"
    return f"flat at {low:.3g}" if is_flat(attention_map) else f"{low:{digits}} to {high:{digits}}"


def draw_bar(
    figure: Figure, axes: Axes | np.ndarray, scale: Scale, *, fraction: float, pad: float, aspect: float
) -> None:
    """Draws the colour bar of a scale beside some axes; its place is in Matplotlib's terms."""
    mappable = ScalarMappable(scale.colours, COLOURS)
    bar = figure.colorbar(mappable, ax=axes, extend=scale.extend, fraction=fraction, pad=pad, aspect=aspect)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=7.5, length=2, color=FAINT, labelcolor=INK)
    bar.set_label(scale.label, fontsize=7.5, color=FAINT)
