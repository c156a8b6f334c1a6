"""How well an attention map finds a region that is known to matter."""

from __future__ import annotations

import logging

import numpy as np
from sklearn.metrics import roc_auc_score

from foveola.maps.average import check_map

log = logging.getLogger(__name__)


def truth_auc(attention_map: np.ndarray, truth: np.ndarray) -> float:
    """Returns the area under the ROC curve of the map's values as a score for lying inside the truth region.

    It is the probability that a pixel drawn from inside has a larger value than one drawn from outside, ties counted
    half: 1 where every pixel inside exceeds every one outside, 0.5 for a flat map, 0 for a map turned inside out. It
    does not depend on the map's scale.

    Args:
        attention_map: ``height x width``, finite.
        truth: ``height x width``, boolean.

    Returns:
        The area, 0..1; NaN where the region is empty or covers the whole image, with the reason in the log.

    Raises:
        FoveolaError: If the map is not a finite ``height x width`` array.
        ValueError: If the two differ in shape or ``truth`` is not boolean.

    Example:
        >>> truth_auc(np.array([[0.1, 0.9], [0.9, 0.2]]), np.array([[False, True], [False, False]]))
        0.8333333333333334
    """
    check_map(attention_map)
    if truth.shape != attention_map.shape or truth.dtype != np.bool_:
        raise ValueError(
            f"truth must be boolean and {attention_map.shape} like the map, got {truth.dtype} and {truth.shape}"
        )
    if truth.all() or not truth.any():
        log.warning("the truth region %s, so the map has no score", "covers every pixel" if truth.all() else "is empty")
        return float("nan")
    return float(roc_auc_score(truth.ravel(), attention_map.ravel()))
