"""Pictures of attention maps over the mean image of their cohort.

Bright means large, on a colour map that is uniform to the eye, and the picture below it is grey, so that colour always
tells the map. Published pictures of global maps are often drawn darker where larger and scaled from the map's own
minimum to its maximum, which makes a map that hardly varies look decided. Here the colours go from 0 to 1, or to the
largest value in the picture where that is smaller, and a colour bar gives the true values, with a pointed end where
weights that are not bounded lie beyond it; maps in one picture share one scale. Relative maps, of which 1 is average
use, have no natural upper end: their colours go from 0 to the largest value. Only ``overlay``, made for single images,
scales from minimum to maximum.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.colors import Normalize

from foveola.foundation.errors import FoveolaError
from foveola.maps.average import check_map, is_flat
from foveola.pictures.colour_scale import COLOURS, RELATIVE, Scale, range_note, shared_scale
from foveola.pictures.panels import Panel, as_rgb, write_figure

_OPACITY = 0.75
_LUMINANCE = np.array([0.299, 0.587, 0.114])


def overlay(image: np.ndarray, attention_map: np.ndarray, alpha: float = 0.6) -> np.ndarray:
    """Colours one image with a map that is scaled from its own minimum to its maximum.

    Args:
        image: ``height x width`` or ``height x width x 3``, ``float`` in 0..1 or ``uint8``.
        attention_map: ``height x width``, finite; a flat one gives one even tint, the middle of the scale.
        alpha: Share of the colour where the map is largest, 0 (the grey image alone) .. 1 (the map alone).

    Returns:
        ``height x width x 3`` RGB, ``uint8``.

    Raises:
        FoveolaError: If the map or the image has NaN or infinity.
        ValueError: If the shapes do not fit.

    Example:
        >>> overlay(np.zeros((2, 3)), np.eye(2, 3), alpha=1.0)[0].tolist()
        [[252, 253, 191], [0, 0, 4], [0, 0, 4]]
    """
    check_map(attention_map)
    low, high = float(attention_map.min()), float(attention_map.max())
    scale = Normalize(low - 0.5, low + 0.5) if is_flat(attention_map) else Normalize(low, high)
    return np.asarray(np.round(255 * _coloured(image, attention_map, scale, alpha)), dtype=np.uint8)


def map_picture(
    path: Path | str,
    attention_map: np.ndarray,
    mean_image: np.ndarray,
    *,
    title: str,
    truth: np.ndarray | None = None,
    relative: bool = False,
) -> None:
    """Draws one map as it is, and beside it the map over the mean image.

    Args:
        path: Where the PNG goes; written whole or not at all.
        attention_map: ``height x width``, finite.
        mean_image: ``height x width`` or ``height x width x 3``, ``float`` in 0..1 or ``uint8``.
        title: What stands above.
        truth: The region that is known to matter, ``height x width``, boolean; outlined where given.
        relative: Whether 1 is average use, and not the most that a weight can be.

    Raises:
        FoveolaError: If the map or the image has NaN or infinity.
        ValueError: If the shapes do not fit.
    """
    scale = _scale_of([attention_map], relative)
    panels = [
        Panel(_coloured(mean_image, attention_map, scale.colours, 1.0), "attention map", range_note(attention_map)),
        Panel(_coloured(mean_image, attention_map, scale.colours, _OPACITY), "over the mean image"),
    ]
    write_figure(path, panels, scale, truth, title)


def before_after_picture(
    path: Path | str,
    before: np.ndarray,
    after: np.ndarray,
    mean_image: np.ndarray,
    *,
    title: str,
    truth: np.ndarray | None = None,
    relative: bool = False,
) -> None:
    """Draws the map before and after training over the mean image, on one scale.

    Args:
        path: Where the PNG goes; written whole or not at all.
        before: The map before the first step, ``height x width``, finite.
        after: The map after the last step, in the same form.
        mean_image: ``height x width`` or ``height x width x 3``, ``float`` in 0..1 or ``uint8``.
        title: What stands above.
        truth: The region that is known to matter, ``height x width``, boolean; outlined where given.
        relative: Whether 1 is average use, and not the most that a weight can be.

    Raises:
        FoveolaError: If a map or the image has NaN or infinity.
        ValueError: If the shapes do not fit.
    """
    scale = _scale_of([before, after], relative)
    panels = [
        Panel(_coloured(mean_image, attention_map, scale.colours, _OPACITY), caption, range_note(attention_map))
        for caption, attention_map in (("before training", before), ("after training", after))
    ]
    write_figure(path, panels, scale, truth, title)


def arms_picture(
    path: Path | str,
    maps: Mapping[str, np.ndarray],
    mean_image: np.ndarray,
    *,
    truth: np.ndarray | None = None,
    captions: Mapping[str, str] | None = None,
    relative: Collection[str] = (),
) -> None:
    """Draws the mean image and, side by side, the maps of several arms over it.

    Weights share one scale, that of the colour bar. A relative map has a scale of its own, from 0 to its largest value,
    as the note below it says.

    Args:
        path: Where the PNG goes; written whole or not at all.
        maps: The map of each arm, ``height x width``, finite, in the order in which they are drawn.
        mean_image: ``height x width`` or ``height x width x 3``, ``float`` in 0..1 or ``uint8``.
        truth: The region that is known to matter, ``height x width``, boolean; outlined where given.
        captions: What stands above an arm, such as ``global  AUC 0.99``; the name where none is given.
        relative: The arms whose maps are relative: 1 is average use.

    Raises:
        FoveolaError: If there is no map, or a map or the image has NaN or infinity.
        ValueError: If the shapes do not fit.
    """
    if not maps:
        raise FoveolaError("the map of at least one arm", "none", str(path), "compare an arm that has a map")
    weights = [attention_map for arm, attention_map in maps.items() if arm not in relative]
    scale = shared_scale(weights) if weights else None
    panels = [Panel(as_rgb(mean_image), "mean image", "region known to matter" if truth is not None else "")]
    for arm, attention_map in maps.items():
        own = _scale_of([attention_map], relative=True) if scale is None or arm in relative else scale
        picture = _coloured(mean_image, attention_map, own.colours, _OPACITY)
        note = range_note(attention_map) + (f" {RELATIVE}, own scale" if arm in relative else "")
        panels.append(Panel(picture, (captions or {}).get(arm, arm), note))
    write_figure(path, panels, scale, truth)


def _coloured(image: np.ndarray, attention_map: np.ndarray, scale: Normalize, alpha: float) -> np.ndarray:
    """Returns the grey image with the colours of the map over it, ``height x width x 3`` in 0..1.

    The share of the colour falls from ``alpha`` where the map is high to ``alpha`` squared where it is low, so that the
    dark end of the colours does not hide the image.
    """
    rgb = as_rgb(image)
    if rgb.shape[:2] != attention_map.shape:
        raise ValueError(f"map {attention_map.shape} and image {rgb.shape[:2]} must have the same height and width")
    height = np.asarray(scale(attention_map))[..., None]  # 0 at the low end of the scale, 1 at the high end
    opacity = alpha * (alpha + (1 - alpha) * height)
    colours = matplotlib.colormaps[COLOURS](height[..., 0])[..., :3]
    return np.asarray(opacity * colours + (1 - opacity) * (rgb @ _LUMINANCE)[..., None])


def _scale_of(maps: Sequence[np.ndarray], relative: bool) -> Scale:
    return shared_scale(maps, bounded=not relative, label=RELATIVE if relative else "")
