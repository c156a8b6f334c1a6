"""The metrics by name, and their values for one fit on its test images."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from jaxtyping import Float

from foveola.foundation.errors import unknown_name
from foveola.statistics.metrics import calibration, label_metrics
from foveola.statistics.metrics.label_metrics import Labels, Probabilities
from foveola.statistics.metrics.mask_metrics import MASK_METRICS, mask_details
from foveola.statistics.metrics.metric import Metric, Scores, area_metric, mean_metric

PRIMARY = {"default": "macro_auc", "medmnist": "medmnist_auc", "segmentation": "dice"}
"""The metric that arms are compared by where no other is asked for, of each set."""
SETS = tuple(PRIMARY)
LOWER_IS_BETTER = ("brier", "calibration_error", "hd95", "surface_distance", "false_islands", "missed_islands")


def _only(own: int, count: int) -> tuple[int]:
    """Returns the one class, of however many there are."""
    return (own,)


def _medmnist_hits(labels: Labels, probabilities: Probabilities) -> Float[np.ndarray, " images"]:
    if probabilities.shape[1] != 2:
        return label_metrics.hits(labels, probabilities)
    right: Float[np.ndarray, " images"] = ((probabilities[:, 1] > 0.5) == labels).astype(np.float64)
    return right


METRICS: dict[str, Metric] = {
    "accuracy": mean_metric(label_metrics.hits),
    "balanced_accuracy": Metric(label_metrics.balanced_accuracy, classes=range),
    "macro_auc": area_metric(range),
    "macro_f1": Metric(label_metrics.macro_f1, classes=range),
    "brier": mean_metric(calibration.squared_distances),
    "calibration_error": Metric(calibration.calibration_error, biased=True),
}
"""What every run is measured by."""
macro_auc = METRICS["macro_auc"]
ORDERED = {"quadratic_kappa": Metric(label_metrics.quadratic_kappa)}
"""What more can be said of grades."""
MEDMNIST = {
    "medmnist_auc": area_metric(lambda count: (1,) if count == 2 else range(count)),
    "medmnist_acc": mean_metric(_medmnist_hits),
}
"""The two of Yang et al. 2023, with the rules of that benchmark's evaluator."""


def class_metrics(classes: Sequence[str]) -> dict[str, Metric]:
    """Returns ``auc[CLASS]`` (it against the rest), ``sensitivity[CLASS]`` and ``specificity[CLASS]`` of each class."""
    metrics = {}
    for k, title in enumerate(classes):
        own = partial(_only, k)
        metrics[f"auc[{title}]"] = area_metric(own)
        metrics[f"sensitivity[{title}]"] = Metric(partial(label_metrics.sensitivity, of=k), classes=own)
        metrics[f"specificity[{title}]"] = Metric(partial(label_metrics.specificity, of=k))
    return metrics


def lower_is_better(metric: str) -> bool:
    """Says whether a smaller value of a metric, or of a metric of one class, is the better one.

    Example:
        >>> lower_is_better("hd95[vein]"), lower_is_better("dice")
        (True, False)
    """
    return metric.partition("[")[0] in LOWER_IS_BETTER


def detail_metrics(name: str, classes: Sequence[str]) -> dict[str, Metric]:
    """Returns what stands in tables of results beside the metrics of a set, which alone are compared."""
    if name == "segmentation":
        return mask_details(classes)
    return class_metrics(classes) if name == "default" else {}


def metric_set(name: str, *, ordered: bool = False) -> dict[str, Metric]:
    """Returns the metrics of a set by name; `detail_metrics` go beside them.

    ``default``: accuracy, balanced accuracy, macro AUC (mean of one class against the rest), macro F1, Brier score (0
    to 2, see `calibration.squared_distances`), calibration error; for grades also quadratic kappa.

    ``medmnist``: ``medmnist_auc`` is the macro AUC; with two classes that of the second. ``medmnist_acc`` is the share
    of images whose most probable class is right; of two classes the second is called where its probability is above
    0.5.

    ``segmentation``: means over images of `mask_scores.MASK_SCORES`. An image for which a score is not defined is left
    out of its mean.

    Args:
        name: One of ``SETS``.
        ordered: Whether the classes are grades, so that the distance of two class numbers means something.

    Raises:
        FoveolaError: If there is no set of this name.

    Example:
        >>> list(metric_set("medmnist"))
        ['medmnist_auc', 'medmnist_acc']
    """
    if name not in SETS:
        raise unknown_name("set of metrics", name, SETS, "--metrics")
    if name == "medmnist":
        return MEDMNIST
    if name == "segmentation":
        return MASK_METRICS
    return METRICS | ORDERED if ordered else METRICS


def fit_metrics(
    labels: Labels,
    scores: Scores,
    classes: Sequence[str] | None = None,
    *,
    metrics: str = "default",
    ordered: bool = False,
) -> dict[str, tuple[float, str]]:
    """Returns the value of every metric, and why it is NaN where it is not defined.

    Args:
        labels: True classes, counted from 0; 0 for all images of a segmentation.
        scores: One row an image: probabilities, one column a class, that sum to 1, or for a segmentation what
            `mask_metrics.mask_table` returns.
        classes: Names of the classes; if not given, the numbers of the columns (not for a segmentation).
        metrics: Name of the set, as in `metric_set`.
        ordered: Whether the classes are grades.

    Example:
        >>> values = fit_metrics(np.array([0, 1, 1]), np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]]))
        >>> round(values["accuracy"][0], 3), values["macro_auc"], values["sensitivity[1]"]
        (0.667, (1.0, ''), (0.5, ''))
    """
    names = [str(k) for k in range(scores.shape[1])] if classes is None else classes
    chosen = metric_set(metrics, ordered=ordered) | detail_metrics(metrics, names)
    values = {}
    for name, metric in chosen.items():
        value = metric(labels, scores)
        values[name] = (value, metric.reason(labels, len(names)) if np.isnan(value) else "")
    return values
