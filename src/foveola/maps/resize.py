"""The one rule by which a map is brought to another size, and back onto the image as it was taken."""

from __future__ import annotations

import numpy as np

from foveola.data.stored.geometry import frame_of, resampled
from foveola.data.stored.preprocessing import Preprocessing
from foveola.maps.average import check_map

RULE = (
    "A map and the image that the network saw cover the same rectangle, corner to corner, whatever their sizes. Along "
    "an axis that grows, a map is interpolated linearly between the centres of its cells and repeats its outermost "
    "values beyond them (bilinear, corners not aligned); along an axis that shrinks, it is averaged over areas. From "
    "its own resolution it goes in one step to the part of the original image that the network saw, mirrored back "
    "where that was mirrored; where the image was padded to a square, there is a step between, to the pixels that the "
    "network saw. What was cropped away has no map: an overlay shows the plain image there."
)


def resized(attention_map: np.ndarray, height: int, width: int) -> np.ndarray:
    """Returns a map at another size that covers the same rectangle.

    Between the centres of cells it is linear (``align_corners=False``); beyond the outermost centres the outermost
    values go on. Along an axis that shrinks, it is averaged over areas, as images are.

    Args:
        attention_map: ``h x w``, finite.
        height: Of the result.
        width: Of the result.

    Returns:
        ``height x width`` in ``float64``; no value is beyond those of the map.

    Raises:
        FoveolaError: If the map is not a finite ``h x w`` array.

    Example:
        >>> resized(np.array([[0.0, 1.0]]), 1, 4).tolist()
        [[0.0, 0.25, 0.75, 1.0]]
    """
    check_map(attention_map)
    values = resampled(attention_map.astype(np.float64), height, width)
    return values.clip(attention_map.min(), attention_map.max())


def on_original(
    attention_map: np.ndarray, height: int, width: int, settings: Preprocessing, laterality: str
) -> tuple[np.ndarray, tuple[slice, slice]]:
    """Sends a map back through the preprocessing, onto the image as it was taken.

    Args:
        attention_map: ``h x w``, of what the network saw.
        height: Of the image as it was taken.
        width: Of the image as it was taken.
        settings: What was done to the image.
        laterality: Its side, ``L``, ``R`` or unknown.

    Returns:
        The map at the size of what was left of the image by the crop, and the rows and columns that this is.

    Example:
        >>> settings = Preprocessing(image_size=8, crop=(1, 0, 3, 1))
        >>> values, (rows, columns) = on_original(np.array([[0.0, 1.0]]), 1, 5, settings, "R")
        >>> values.tolist(), columns
        ([[1.0, 0.0]], slice(1, 3, None))
    """
    check_map(attention_map)
    frame = frame_of(height, width, settings, laterality)
    return frame.to_seen(attention_map.astype(np.float64)), frame.seen
