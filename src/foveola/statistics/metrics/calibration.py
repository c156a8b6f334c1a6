"""How far probabilities can be trusted."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from foveola.statistics.metrics.label_metrics import Labels, Probabilities, Values, Weights, ratio

CALIBRATION_BINS = 15


def squared_distances(labels: Labels, probabilities: Probabilities) -> Float[np.ndarray, " images"]:
    """Returns the squared distance of every image's probabilities from its one-hot label, from 0 to 2.

    Its mean is the Brier score in the convention of Brier 1950: summed over all classes, so that two classes give twice
    the ``(p - y)^2`` that is also called by this name.
    """
    distances: Float[np.ndarray, " images"] = ((probabilities - np.eye(probabilities.shape[1])[labels]) ** 2).sum(1)
    return distances


def calibration_error(labels: Labels, probabilities: Probabilities, weights: Weights) -> Values:
    """Returns the expected calibration error of the top class: |confidence - accuracy| over 15 bins of equal width.

    Source: Naeini et al. 2015. A confidence of 1 belongs to the last bin; torchmetrics gives it one of its own.
    """
    confidence, right = probabilities.max(1), probabilities.argmax(1) == labels
    bins = np.minimum((confidence * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    gaps = (np.arange(CALIBRATION_BINS)[:, None] == bins) * (confidence - right)
    return ratio(np.abs(gaps @ weights).sum(0), weights.sum(0))
