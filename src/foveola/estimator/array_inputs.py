"""Stacks: images as users of NumPy have them, whose axes say what they are, made into squares for a network."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np

from foveola.foundation.errors import InputError

SMALLEST = 8
"""Side in pixels below which a network gets enlarged images."""
LONGEST_ROW = 256
"""Values above which a row that is no square image must come with its shape."""


def channels_first(stack: np.ndarray, image_shape: Sequence[int] | None = None) -> np.ndarray:
    """Returns a stack of images as ``N x C x H x W``, without a copy where NumPy needs none.

    ``N x H x W`` is grey. Of ``N x a x b x c`` the second axis is the channels if it is 1 or 3, otherwise the last,
    which then must be 1 or 3. Rows ``N x F`` have the ``image_shape``; without one they are square and grey where F is
    a square, and otherwise one line of F pixels, as long as F is at most 256.

    Args:
        stack: The images, or rows.
        image_shape: ``(H, W)``, ``(C, H, W)`` or ``(H, W, C)`` of one image.

    Raises:
        InputError: If the axes are none of these, or do not agree with ``image_shape``.

    Example:
        >>> [channels_first(np.zeros(shape)).shape for shape in ((7, 12, 10), (7, 12, 10, 3), (7, 16), (7, 5))]
        [(7, 1, 12, 10), (7, 3, 12, 10), (7, 1, 4, 4), (7, 1, 1, 5)]
        >>> channels_first(np.zeros((7, 120)), (12, 10)).shape
        (7, 1, 12, 10)
    """
    given = stack.shape[1:]
    shape = given if image_shape is None else tuple(int(size) for size in image_shape)
    if len(given) == 1 and image_shape is None:
        shape = _shape_of_row(given[0])
    elif math.prod(shape) != math.prod(given) or min(shape, default=0) < 1 or len(given) not in (1, len(shape)):
        raise InputError(
            f"images that fit image_shape={shape}", f"an X of shape {stack.shape}", "X", "give the shape of one image"
        )
    images = stack.reshape(len(stack), *shape)
    if len(shape) == 2:
        return images[:, None]
    if len(shape) == 3 and shape[0] in (1, 3):
        return images
    if len(shape) == 3 and shape[2] in (1, 3):
        return np.moveaxis(images, 3, 1)
    raise InputError(
        "images N x H x W, or with 1 or 3 channels N x C x H x W or N x H x W x C",
        f"an X of shape {stack.shape}",
        "X",
        "change the order of the axes or the channels",
    )


def _shape_of_row(values: int) -> tuple[int, int]:
    side = math.isqrt(values)
    if side * side == values:
        return side, side
    if values > LONGEST_ROW:
        raise InputError(
            "rows that are square grey images, or an image_shape",
            f"rows of {values} values",
            "X",
            "give image_shape=(height, width), or (channels, height, width)",
        )
    return 1, values


def square_side(height: int, width: int) -> int:
    """Returns the side of the squares that images of this size become: the larger side, and at least 8 px.

    Example:
        >>> square_side(12, 10), square_side(1, 5)
        (12, 8)
    """
    return max(height, width, SMALLEST)


def squares(images: np.ndarray, size: int) -> np.ndarray:
    """Stretches images to squares, so that nothing of them is lost.

    As in `foveola.data.stored.preprocessing.prepare`, an axis that shrinks is averaged over areas and one that grows is
    interpolated linearly; but the pixels of images smaller than 8 px are repeated, which keeps what they say apart.

    Args:
        images: ``N x C x H x W``, ``uint8`` or ``float32``, of any range.
        size: Side in pixels.

    Returns:
        ``N x C x size x size`` of the same type; the array itself where it is of that size.

    Example:
        >>> squares(np.float32([[[[1, 2]]]]), 8)[0, 0, 5].tolist()
        [1.0, 1.0, 1.0, 1.0, 2.0, 2.0, 2.0, 2.0]
    """
    count, channels, height, width = images.shape
    if height == width == size:
        return images
    grow = cv2.INTER_NEAREST_EXACT if max(height, width) < SMALLEST else cv2.INTER_LINEAR
    result = np.empty((count, channels, size, size), images.dtype)
    for place in np.ndindex(count, channels):
        image = np.ascontiguousarray(images[place])
        image = cv2.resize(image, (min(width, size), min(height, size)), interpolation=cv2.INTER_AREA)
        result[place] = cv2.resize(image, (size, size), interpolation=grow)
    return result
