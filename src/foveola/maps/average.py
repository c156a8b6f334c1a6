"""The mean of several attention maps and how much they differ."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from foveola.foundation.errors import FoveolaError

FLAT = 1e-5


def check_map(attention_map: np.ndarray) -> None:
    """Raises a ``FoveolaError`` unless the map is ``height x width`` and finite."""
    if attention_map.ndim != 2 or not attention_map.size:
        got = f"an array of shape {attention_map.shape}"
    elif not np.isfinite(attention_map).all():
        got = f"NaN or infinity at {np.count_nonzero(~np.isfinite(attention_map))} of {attention_map.size} pixels"
    else:
        return
    raise FoveolaError("a finite map of height x width", got, "attention map", "look for a training run that diverged")


def is_flat(attention_map: np.ndarray) -> bool:
    """Says whether a map varies by no more than rounding does: less than 1e-5 of its largest absolute value.

    Example:
        >>> is_flat(np.full((2, 3), 0.1)), is_flat(np.array([[0.1, 0.2]]))
        (True, False)
    """
    return bool(np.ptp(attention_map) <= FLAT * np.abs(attention_map).max())


def mean_and_sd(maps: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Returns the mean map over fits and the standard deviation at each pixel.

    The deviation is the sample's (divided by the number of maps less one). One map alone says nothing about how much
    fits differ; its deviation is given as 0, never as NaN.

    Args:
        maps: One or more maps of one shape, ``height x width``, finite.

    Returns:
        Mean and standard deviation, both ``height x width`` in ``float64``.

    Raises:
        FoveolaError: If there is no map, or one is not a finite ``height x width`` array.
        ValueError: If the shapes differ.

    Example:
        >>> mean, sd = mean_and_sd([np.array([[0.2, 0.5]]), np.array([[0.4, 0.5]])])
        >>> mean.round(3).tolist(), sd.round(3).tolist()
        ([[0.3, 0.5]], [[0.141, 0.0]])
    """
    if not len(maps):
        raise FoveolaError("at least one map", "none", "maps to average", "finish at least one fit")
    for attention_map in maps:
        check_map(attention_map)
    stack = np.stack([np.asarray(attention_map, dtype=np.float64) for attention_map in maps])
    sd = stack.std(axis=0, ddof=1) if len(stack) > 1 else np.zeros(stack.shape[1:])
    return stack.mean(axis=0), sd


def mean_image(pixels: np.ndarray, rows: np.ndarray, chunk: int = 256) -> np.ndarray:
    """Returns the mean of some stored images, the background for a map that they share.

    Args:
        pixels: ``N x C x H x W``, ``uint8`` or floats in 0..1.
        rows: Which images.
        chunk: How many are held at a time.

    Returns:
        ``H x W`` for one channel, ``H x W x 3`` for three, in 0..1.

    Example:
        >>> mean_image(np.array([0, 255], np.uint8).reshape(2, 1, 1, 1), np.array([0, 1])).tolist()
        [[0.5]]
    """
    total = np.zeros(pixels.shape[1:])
    for start in range(0, len(rows), chunk):
        total += pixels[rows[start : start + chunk]].sum(axis=0, dtype=np.float64)
    mean = total / len(rows) / (255 if pixels.dtype == np.uint8 else 1)
    return mean[0] if len(mean) == 1 else mean.transpose(1, 2, 0)
