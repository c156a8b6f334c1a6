"""Metrics of one fit on its test images."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Int
from sklearn.metrics import accuracy_score, f1_score, recall_score, roc_auc_score

CALIBRATION_BINS = 15

Labels = Int[np.ndarray, "n"]
Probabilities = Float[np.ndarray, "n classes"]


def accuracy(labels: Labels, probabilities: Probabilities) -> float:
    """Returns the share of images whose most probable class is the right one."""
    return float(accuracy_score(labels, probabilities.argmax(1)))


def balanced_accuracy(labels: Labels, probabilities: Probabilities) -> float:
    """Returns the mean over the classes that occur of the share of their images found."""
    present = np.unique(labels)
    return float(recall_score(labels, probabilities.argmax(1), labels=present, average="macro"))


def macro_auc(labels: Labels, probabilities: Probabilities) -> float:
    """Returns the mean over classes of the area under the ROC curve of one class against the rest."""
    areas = [roc_auc_score(labels == k, probabilities[:, k]) for k in range(probabilities.shape[1])]
    return float(np.mean(areas))


def macro_f1(labels: Labels, probabilities: Probabilities) -> float:
    """Returns the mean F1 over all classes; a class that is neither there nor predicted counts 0."""
    classes = np.arange(probabilities.shape[1])
    return float(f1_score(labels, probabilities.argmax(1), labels=classes, average="macro", zero_division=0))


def calibration_error(labels: Labels, probabilities: Probabilities) -> float:
    """Returns the expected calibration error of the top class: |confidence - accuracy| over 15 bins of equal width.

    Source: Naeini et al. 2015. A confidence of 1 belongs to the last bin; torchmetrics gives it one of its own.
    """
    confidence, right = probabilities.max(1), probabilities.argmax(1) == labels
    bins = np.minimum((confidence * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    return float(np.abs(np.bincount(bins, confidence - right)).sum() / len(labels))


METRICS: dict[str, Callable[[Labels, Probabilities], float]] = {
    "accuracy": accuracy,
    "balanced_accuracy": balanced_accuracy,
    "macro_auc": macro_auc,
    "macro_f1": macro_f1,
    "calibration_error": calibration_error,
}
NEED_EVERY_CLASS = ("balanced_accuracy", "macro_auc", "macro_f1")


def fit_metrics(labels: Labels, probabilities: Probabilities) -> dict[str, tuple[float, str]]:
    """Returns the value of every metric, and why it is NaN where it is not defined.

    Args:
        labels: True classes, counted from 0.
        probabilities: One row an image, one column a class, rows sum to 1.

    Example:
        >>> values = fit_metrics(np.array([0, 1, 1]), np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]]))
        >>> round(values["accuracy"][0], 3), values["macro_auc"]
        (0.667, (1.0, ''))
    """
    missing = sorted(set(range(probabilities.shape[1])) - set(labels.tolist()))
    reason = f"no test image of class number {', '.join(map(str, missing))}" if missing else ""
    return {
        name: (float("nan"), reason) if missing and name in NEED_EVERY_CLASS else (metric(labels, probabilities), "")
        for name, metric in METRICS.items()
    }
