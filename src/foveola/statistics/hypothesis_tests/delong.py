"""DeLong's test of areas under ROC curves, for two or more classes and images that come in groups."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from foveola.statistics.hypothesis_tests.result import TestResult, standardised, t_result
from foveola.statistics.metrics.label_metrics import Labels, Probabilities
from foveola.statistics.metrics.roc import auc, auc_influences


def delong(
    labels: Labels,
    first: Probabilities,
    second: Probabilities,
    *,
    classes: Sequence[int] | None = None,
    groups: Int[np.ndarray, " images"] | None = None,
) -> TestResult:
    """Tests the mean one-against-rest area of two arms on the same images.

    For two classes and images without groups this is the test of DeLong et al. 1988; `roc.auc_influences` says what it
    is for more classes and for groups. The p-value is that of the normal approximation; it speaks about other patients
    for the two fits at hand. The effect size is the difference over ``sqrt(groups)`` standard errors.

    Args:
        labels: True classes, counted from 0.
        first: Probabilities of the first arm.
        second: Those of the second.
        classes: The classes whose areas are averaged; all if not given.
        groups: Number of the group of each image; every image for itself if not given.

    Example:
        >>> labels = np.array([0, 0, 0, 1, 1, 1])
        >>> first, second = np.array([3, 1, 5, 2, 4, 6]) / 10, np.array([1, 2, 5, 3, 4, 6]) / 10
        >>> found = delong(labels, *(np.stack([1 - p, p], 1) for p in (first, second)))
        >>> round(found.difference, 4), round(found.p_value, 4)
        (0.1111, 0.4795)
    """
    chosen = range(first.shape[1]) if classes is None else classes
    units = np.arange(len(labels)) if groups is None else groups
    ones = np.ones((len(labels), 1))
    areas = [float(auc(labels, p, ones, chosen)[0]) for p in (first, second)]
    moved = auc_influences(labels, second, chosen, units) - auc_influences(labels, first, chosen, units)
    sums = np.bincount(np.unique(units, return_inverse=True)[1], moved)
    return influence_test(areas[1] - areas[0], sums)


def influence_test(difference: float, sums: Float[np.ndarray, " groups"]) -> TestResult:
    """Tests a difference whose variance is the sum of the squares of what groups move it by.

    Args:
        difference: The observed difference.
        sums: Sums over each group of `roc.auc_influences` of the second arm less the first.
    """
    error = math.sqrt(float(np.sum(sums**2)))
    return t_result(difference, error, math.inf, standardised(difference, error * math.sqrt(len(sums))))
