"""Dice beside the outline of the reference: how exactly a mask is drawn, apart from what it finds."""

from __future__ import annotations

import cv2
import numpy as np

from foveola.statistics.metrics.overlap import Mask, overlap

BAND = 3


def boundary_dice(predicted: Mask, reference: Mask, scored: Mask, band: int = BAND) -> float:
    """Returns the Dice score of the pixels that are at most ``band`` pixels from the boundary of the reference.

    The trimap of Kohli et al. 2009 (section 5.3), with Dice in place of their share of wrong pixels: the band are the
    pixels of the reference with a pixel of the background within a radius of ``band`` pixels, and those of the
    background with one of the reference. The edge of the image and that of the scored part are no boundary.

    A reference without a boundary (nothing, or all that is scored) gives 1 if the prediction is the same, else 0.

    Args:
        predicted: The predicted mask.
        reference: The true one.
        scored: Where pixels count.
        band: Radius in pixels, whatever their spacing.

    Example:
        >>> reference = np.arange(20)[None].repeat(4, 0) < 10
        >>> wide = reference | (np.arange(20) < 12)
        >>> round(boundary_dice(wide, reference, np.ones_like(reference)), 4)
        0.75
    """
    there, rest = reference & scored, ~reference & scored
    y, x = np.mgrid[-band : band + 1, -band : band + 1]
    disk = (y**2 + x**2 <= band**2).astype(np.uint8)
    near_rest, near_there = (cv2.dilate(side.astype(np.uint8), disk) > 0 for side in (rest, there))
    beside = (there & near_rest) | (rest & near_there)
    if not beside.any():
        return float(np.array_equal(predicted & scored, there))
    return overlap(predicted, reference, beside).dice
