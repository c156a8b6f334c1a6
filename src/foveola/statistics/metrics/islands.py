"""Objects of a mask that the other one knows nothing of: errors that are no matter of outlines."""

from __future__ import annotations

import cv2
import numpy as np

from foveola.statistics.metrics.overlap import Mask


def false_islands(predicted: Mask, reference: Mask) -> int:
    """Counts the objects of the prediction that neither share a pixel with the reference nor lie against it.

    An object is a set of pixels that are connected over their eight neighbours.

    Example:
        >>> predicted = np.array([[1, 1, 0, 0, 1], [0, 0, 0, 0, 0], [0, 1, 0, 0, 0]], dtype=bool)
        >>> reference = np.array([[1, 0, 0, 0, 0], [0, 0, 0, 0, 0], [0, 0, 0, 0, 0]], dtype=bool)
        >>> false_islands(predicted, reference)
        2
    """
    beside = cv2.dilate(reference.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    return _untouched(predicted, beside)


def missed_islands(predicted: Mask, reference: Mask) -> int:
    """Counts the objects of the reference without a predicted pixel.

    Example:
        >>> predicted, reference = np.array([[1, 0, 0, 0, 0]], dtype=bool), np.array([[1, 1, 0, 1, 1]], dtype=bool)
        >>> missed_islands(predicted, reference)
        1
    """
    return _untouched(reference, predicted)


def _untouched(mask: Mask, other: Mask) -> int:
    """Counts the objects of a mask that share no pixel with the other."""
    count, numbers = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    return int(count - 1 - len(np.unique(numbers[mask & other])))
