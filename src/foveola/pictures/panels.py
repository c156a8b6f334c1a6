"""Pictures side by side, each with a caption and a note, in one file."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from foveola.foundation.atomic import replacing
from foveola.foundation.errors import FoveolaError
from foveola.pictures.colour_scale import FAINT, INK, Scale, draw_bar

DPI = 200
PANEL_INCHES = 2.2
PANELS_A_ROW = 4


@dataclass(frozen=True, eq=False)
class Panel:
    """One picture of a figure: RGB in 0..1, a caption above, a note below."""

    picture: np.ndarray
    caption: str
    note: str = ""


def as_rgb(image: np.ndarray) -> np.ndarray:
    """Returns an image as ``height x width x 3`` in 0..1."""
    if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] not in (1, 3)):
        raise ValueError(f"image must be height x width or height x width x 3, got {image.shape}")
    values = image / 255 if image.dtype == np.uint8 else np.asarray(image, dtype=np.float64)
    if not np.isfinite(values).all():
        raise FoveolaError("a finite image", "NaN or infinity", "image under the map", "check the images for NaN")
    values = values[..., None] if values.ndim == 2 else values
    return np.clip(np.broadcast_to(values, (*values.shape[:2], 3)), 0, 1)


def write_figure(
    path: Path | str,
    panels: Sequence[Panel],
    scale: Scale | None = None,
    truth: np.ndarray | None = None,
    title: str = "",
) -> None:
    """Lays the panels out in rows, with one colour bar where they share a scale, and writes the PNG."""
    columns = min(len(panels), PANELS_A_ROW)
    rows = math.ceil(len(panels) / columns)
    height, width = panels[0].picture.shape[:2]
    panel_height = PANEL_INCHES * height / width
    figure = Figure(
        figsize=(columns * PANEL_INCHES + 0.75, rows * (panel_height + 0.5) + (0.35 if title else 0.0)),
        dpi=DPI,
        layout="constrained",
        facecolor="white",
    )
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, squeeze=False)
    for place, panel in zip(axes.flat, panels, strict=False):
        _draw_panel(place, panel, truth)
    for place in axes.flat[len(panels) :]:
        place.set_visible(False)
    if scale is not None:
        draw_bar(figure, axes, scale, fraction=0.03, pad=0.015, aspect=18 * rows)
    if title:
        figure.suptitle(title, fontsize=11, fontweight="bold", color=INK)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", metadata={"Software": None})


def _draw_panel(axes: Axes, panel: Panel, truth: np.ndarray | None) -> None:
    """Draws one picture with its caption, its note and the outline of the truth region."""
    axes.imshow(panel.picture, interpolation="nearest")
    axes.set_title(panel.caption, fontsize=9.5, color=INK, pad=5)
    axes.set_xlabel(panel.note, fontsize=7.5, color=FAINT, labelpad=4)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    if truth is None:
        return
    if truth.shape != panel.picture.shape[:2]:
        raise ValueError(f"truth {truth.shape} and picture {panel.picture.shape[:2]} must have the same shape")
    if truth.any() and not truth.all():
        outline = axes.contour(truth.astype(float), levels=[0.5], colors="white", linewidths=1.0)
        outline.set_path_effects([withStroke(linewidth=2.2, foreground="black")])
