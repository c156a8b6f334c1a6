"""The area under the ROC curve, and what every image adds to it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int

from foveola.statistics.metrics.label_metrics import Labels, Probabilities, Values, Weights, ratio

Scores = Float[np.ndarray, " images"]


def auc(labels: Labels, probabilities: Probabilities, weights: Weights, classes: Sequence[int]) -> Values:
    """Returns the mean over ``classes`` of the area of one class against the rest; NaN where a side is empty."""
    areas = [_area(labels == k, probabilities[:, k], weights) for k in classes]
    value: Values = np.mean(areas, axis=0)
    return value


def _area(positive: Bool[np.ndarray, " images"], scores: Scores, weights: Weights) -> Values:
    """Returns the weighted share of pairs in which the positive image scores higher, equal scores counted half."""
    order = np.argsort(scores, kind="stable")
    weights = weights[order]
    inside = np.where(positive[order, None], weights, 0)
    outside = weights - inside
    starts = np.flatnonzero(np.diff(scores[order], prepend=-np.inf) > 0)
    if len(starts) < len(order):  # images of equal score count as one step
        inside, outside = (np.add.reduceat(part, starts, axis=0) for part in (inside, outside))
    below = outside.cumsum(0) - outside / 2
    return ratio((inside * below).sum(0), inside.sum(0) * outside.sum(0))


def structural_components(
    positive: Bool[np.ndarray, " images"], scores: Scores
) -> tuple[Float[np.ndarray, " positives"], Float[np.ndarray, " negatives"]]:
    """Returns the share of the other side that each positive, and each negative, image is ranked rightly against.

    Source: DeLong et al. 1988, V10 and V01 (their section 3). The mean of either is the area under the curve.

    Example:
        >>> structural_components(np.array([True, False, True]), np.array([0.9, 0.4, 0.4]))
        (array([1. , 0.5]), array([0.75]))
    """
    inside, outside = np.sort(scores[positive]), np.sort(scores[~positive])
    below = np.searchsorted(outside, scores[positive], "left") + np.searchsorted(outside, scores[positive], "right")
    above = np.searchsorted(inside, scores[~positive], "left") + np.searchsorted(inside, scores[~positive], "right")
    return below / (2 * len(outside)), 1 - above / (2 * len(inside))


def auc_influences(
    labels: Labels, probabilities: Probabilities, classes: Sequence[int], groups: Int[np.ndarray, " images"]
) -> Float[np.ndarray, " images"]:
    """Returns what every image moves the mean area by; the squares of the groups' sums add up to its variance.

    A positive image of one class counts ``sqrt(I / (I - 1)) (V10 - area) / m`` with m positive images in I groups, a
    negative one likewise, averaged over classes. With two classes and a group an image the sum of squares is the
    variance of DeLong et al. 1988; with groups that of Obuchowski 1997, but for the covariance of the two
    sides within a group, which takes the geometric mean of their factors in place of a factor of its own. With more
    classes the covariance of two areas is that of their sums of influences.

    NaN if a side is empty or in a single group, where nothing tells how much it varies.
    """
    total = np.zeros(len(labels))
    for k in classes:
        positive = labels == k
        if not 0 < positive.sum() < len(labels):
            return np.full(len(labels), np.nan)
        for side, components in zip(
            (positive, ~positive), structural_components(positive, probabilities[:, k]), strict=True
        ):
            count = len(np.unique(groups[side]))
            factor = np.sqrt(count / (count - 1)) if count > 1 else np.nan
            total[side] += factor * (components - components.mean()) / side.sum()
    return total / len(classes)
