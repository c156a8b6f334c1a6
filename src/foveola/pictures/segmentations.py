"""Pictures of predicted masks beside those of the observers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from foveola.data.images.masks import IGNORED
from foveola.pictures.panels import Panel, as_rgb, write_figure

RIGHT, FALSE, MISSED, OTHER = (1.0, 1.0, 1.0), (0.90, 0.33, 0.05), (0.1, 0.4, 0.85), (0.95, 0.85, 0.25)
"""Colours that are told apart with any colour vision: right, found where there is nothing, missed, of another class."""
LEGEND = "white: as the reference, orange: only here, blue: only in the reference"
LEGEND_OF_CLASSES = "beside: white as here, orange only there, blue only here, yellow another class"
CLASS_COLOURS = np.concatenate(
    [
        np.array([(0, 0, 0), (1, 1, 1), (0.9, 0.33, 0.24), (0.24, 0.55, 0.9), (0.35, 0.75, 0.35), (0.94, 0.75, 0.24)]),
        np.random.default_rng(0).uniform(0.3, 1, (250, 3)),
    ]
)
"""The colour of each class, background first, where classes and not agreement are shown."""


def agreement(mask: UInt8[np.ndarray, "h w"], reference: UInt8[np.ndarray, "h w"]) -> np.ndarray:
    """Returns the picture of how a mask agrees with the reference, ``h x w x 3`` in 0..1.

    White is what both give the same foreground class, orange what the mask alone calls foreground, blue what the
    reference alone does, yellow what both give another class; black is background, and grey lies outside the image.

    Example:
        >>> agreement(np.uint8([[1, 1, 0]]), np.uint8([[1, 0, 1]])).tolist()
        [[[1.0, 1.0, 1.0], [0.9, 0.33, 0.05], [0.1, 0.4, 0.85]]]
    """
    picture = np.zeros((*mask.shape, 3))
    called, there = mask > 0, (reference > 0) & (reference != IGNORED)
    picture[called & there] = OTHER
    picture[called & there & (mask == reference)] = RIGHT
    picture[called & ~there] = FALSE
    picture[~called & there] = MISSED
    picture[reference == IGNORED] = 0.5
    return picture


def masks_picture(
    path: Path | str,
    image: np.ndarray,
    reference: UInt8[np.ndarray, "h w"],
    masks: Mapping[str, UInt8[np.ndarray, "h w"]],
    *,
    reference_name: str,
    title: str,
    notes: Mapping[str, str] | None = None,
) -> None:
    """Draws an image, the reference, and how each mask agrees with it.

    Args:
        path: Where the PNG goes; written whole or not at all.
        image: ``h x w`` or ``h x w x 3``, ``float`` in 0..1 or ``uint8``.
        reference: Class numbers of the reference.
        masks: Class numbers by the name of who gave them, in the order in which they are drawn.
        reference_name: Who gave the reference.
        title: What stands above.
        notes: What stands below a mask, such as ``Dice 0.81``.
    """
    drawn, legend = agreement(reference, reference), LEGEND
    if set(np.unique(reference)) - {0, 1, IGNORED}:
        drawn, legend = np.where((reference == IGNORED)[..., None], 0.5, CLASS_COLOURS[reference]), LEGEND_OF_CLASSES
    panels = [
        Panel(as_rgb(image), "image"),
        Panel(drawn, f"{reference_name} (reference)", legend),
        *(Panel(agreement(mask, reference), name, (notes or {}).get(name, "")) for name, mask in masks.items()),
    ]
    write_figure(path, panels, title=title)
