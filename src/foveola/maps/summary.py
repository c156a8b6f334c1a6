"""One map for an image that has several."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from foveola.maps.average import check_map
from foveola.maps.resize import resized

SUMMARY_RULE = (
    "The map at each place is divided by the mean of its absolute values, so that 1 is average use, and enlarged to "
    "the image that the network saw; the summary is the mean over places. A map of zeros counts as 1 everywhere. A "
    "mask at the input is its own summary: its weights stay what they are."
)


def relative(attention_map: np.ndarray) -> np.ndarray:
    """Returns how much each position is used, relative to the average position: 1 is average.

    A map is divided by the mean of its absolute values, which for one without negative values is its mean. A map of
    zeros prefers nothing, and is 1 everywhere.

    Args:
        attention_map: ``h x w``, finite.

    Returns:
        The same shape, in ``float64``.

    Raises:
        FoveolaError: If the map is not a finite ``h x w`` array.

    Example:
        >>> relative(np.array([[0.1, 0.3]])).round(3).tolist(), relative(np.zeros((1, 2))).tolist()
        ([[0.5, 1.5]], [[1.0, 1.0]])
    """
    check_map(attention_map)
    values = attention_map.astype(np.float64)
    average = np.abs(values).mean()
    return values / average if average > 0 else np.ones_like(values)


def is_relative(places: Iterable[str]) -> bool:
    """Says whether the summary of maps at these places is relative; that of a mask alone is the mask itself.

    Example:
        >>> is_relative(["input"]), is_relative(["input", "layer4"]), is_relative(["layer4"])
        (False, True, True)
    """
    return list(places) != ["input"]


def summary(maps: Mapping[str, np.ndarray], height: int, width: int) -> np.ndarray:
    """Returns one map of an image for all its places: the mean of their relative maps, enlarged to the image.

    Whatever the mechanism, 1 then means average use, and every place counts the same. A mask at the input alone keeps
    its weights, which multiply the image as they are.

    Args:
        maps: The map of every place, ``h x w``, finite; ``input`` is the place of a mask.
        height: Of the image as the network sees it.
        width: Of the image as the network sees it.

    Returns:
        ``height x width``.

    Raises:
        FoveolaError: If a map is not a finite ``h x w`` array.

    Example:
        >>> maps = {"layer1": np.array([[0.1, 0.3]]), "layer2": np.array([[7.0]])}
        >>> summary(maps, 1, 2).round(3).tolist()
        [[0.75, 1.25]]
    """
    if not is_relative(maps):
        check_map(maps["input"])
        return maps["input"]
    enlarged = [resized(relative(values), height, width) for values in maps.values()]
    return np.asarray(np.mean(enlarged, axis=0))
