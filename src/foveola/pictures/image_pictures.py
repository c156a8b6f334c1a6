"""Pictures of the maps of one image: the map alone as it is, and its overlay on the image as it was taken."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from foveola.data.stored.preprocessing import Preprocessing
from foveola.foundation.atomic import replacing
from foveola.maps.resize import on_original
from foveola.pictures.colour_scale import COLOURS, INK, draw_bar, range_note, shared_scale
from foveola.pictures.map_pictures import overlay

INCHES = 3.0
DPI = 100


def place_picture(
    path: Path | str, attention_map: np.ndarray, *, title: str, bounded: bool = False, label: str = ""
) -> None:
    """Draws one map at its own resolution with a colour bar that gives the true values.

    The colours go from 0 to the largest value, so that a flat map looks flat.

    Args:
        path: Where the PNG goes; written whole or not at all.
        attention_map: ``h x w``, finite.
        title: What stands above.
        bounded: Whether 1 is the most that a value should be, as for a mask.
        label: What stands beside the colour bar.

    Raises:
        FoveolaError: If the map is not a finite ``h x w`` array.
    """
    scale = shared_scale([attention_map], bounded=bounded, label=label)
    height, width = attention_map.shape
    tall = min(max(INCHES * height / width, 0.3 * INCHES), 3 * INCHES)
    figure = Figure((INCHES + 1.1, tall + 0.8), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    figure.subplots_adjust(left=0.04, right=0.9, bottom=0.4 / (tall + 0.8), top=1 - 0.4 / (tall + 0.8))
    axes.imshow(attention_map, cmap=COLOURS, norm=scale.colours, interpolation="nearest")
    axes.set_title(title, fontsize=9.5, color=INK)
    axes.set_xlabel(f"{height} x {width}, {range_note(attention_map)}", fontsize=7.5, color=INK)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    draw_bar(figure, axes, scale, fraction=0.05, pad=0.04, aspect=18)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", metadata={"Software": None})


def overlay_on_original(
    image: np.ndarray, attention_map: np.ndarray, settings: Preprocessing, laterality: str
) -> np.ndarray:
    """Lays a map on an image as it was taken; what was cropped away is shown plain.

    Args:
        image: ``height x width`` or ``height x width x 3``, ``uint8`` or ``float`` in 0..1.
        attention_map: ``h x w``, finite; see `foveola.pictures.map_pictures.overlay` for its colours.
        settings: What was done to the image before the network saw it.
        laterality: Its side, ``L``, ``R`` or unknown.

    Returns:
        ``height x width x 3`` RGB, ``uint8``.

    Raises:
        FoveolaError: If the map is not a finite ``h x w`` array.

    Example:
        >>> settings = Preprocessing(image_size=8, crop=(0, 0, 2, 1))
        >>> overlay_on_original(np.full((2, 3), 7, np.uint8), np.ones((4, 4)), settings, "")[1, 2].tolist()
        [7, 7, 7]
    """
    values, seen = on_original(attention_map, image.shape[0], image.shape[1], settings, laterality)
    stored = image if image.dtype == np.uint8 else np.round(255 * image).astype(np.uint8)
    picture = np.repeat(stored[..., None], 3, axis=2) if image.ndim == 2 else stored.copy()
    picture[seen] = overlay(image[seen], values)
    return picture
