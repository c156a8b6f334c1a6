"""The metrics by name, and their values for one fit on its test images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Float

from foveola.errors import unknown_name
from foveola.statistics import calibration, counts, roc
from foveola.statistics.counts import Labels, Probabilities, Values, Weights

SETS = ("default", "medmnist")
LOWER_IS_BETTER = ("brier", "calibration_error")
AREA = "area"
MEAN = "mean"
OTHER = "other"


@dataclass(frozen=True)
class Metric:
    """One number that says how good the predictions of a fit are.

    Attributes:
        weighted: The metric of weighted images, one value for every column of weights: an image of weight 2 counts as
            two. NaN where it is not defined.
        kind: ``MEAN`` of a value of each image, mean ``AREA`` under ROC curves, or ``OTHER``.
        images: For a ``MEAN`` the value of each image.
        classes: For an ``AREA`` the classes that it is the mean over, for the others those that they need images of,
            given the number of classes.
        biased: Whether the metric of a resample tends to be worse than that of the images, as repeated images do to it.
    """

    weighted: Callable[[Labels, Probabilities, Weights], Values]
    kind: str = OTHER
    images: Callable[[Labels, Probabilities], Float[np.ndarray, " images"]] | None = None
    classes: Callable[[int], Sequence[int]] = lambda count: ()
    biased: bool = False

    def __call__(self, labels: Labels, probabilities: Probabilities) -> float:
        """Returns the metric of the images as they are; NaN where it is not defined."""
        return float(self.weighted(labels, probabilities, np.ones((len(labels), 1)))[0])

    def reason(self, labels: Labels, count: int) -> str:
        """Says why the metric is NaN for these labels of ``count`` classes."""
        there = set(labels.tolist())
        if missing := sorted(set(self.classes(count)) - there):
            return f"no test image of class number {', '.join(map(str, missing))}"
        return f"only test images of class number {', '.join(map(str, sorted(there)))}"


def _mean_metric(images: Callable[[Labels, Probabilities], Float[np.ndarray, " images"]]) -> Metric:
    def weighted(labels: Labels, probabilities: Probabilities, weights: Weights) -> Values:
        return counts.mean(images(labels, probabilities), weights)

    return Metric(weighted, MEAN, images)


def _area_metric(classes: Callable[[int], Sequence[int]]) -> Metric:
    def weighted(labels: Labels, probabilities: Probabilities, weights: Weights) -> Values:
        return roc.auc(labels, probabilities, weights, classes(probabilities.shape[1]))

    return Metric(weighted, AREA, classes=classes)


def _only(own: int, count: int) -> tuple[int]:
    """Returns the one class, of however many there are."""
    return (own,)


def _medmnist_hits(labels: Labels, probabilities: Probabilities) -> Float[np.ndarray, " images"]:
    if probabilities.shape[1] != 2:
        return counts.hits(labels, probabilities)
    right: Float[np.ndarray, " images"] = ((probabilities[:, 1] > 0.5) == labels).astype(np.float64)
    return right


METRICS: dict[str, Metric] = {
    "accuracy": _mean_metric(counts.hits),
    "balanced_accuracy": Metric(counts.balanced_accuracy, classes=range),
    "macro_auc": _area_metric(range),
    "macro_f1": Metric(counts.macro_f1, classes=range),
    "brier": _mean_metric(calibration.squared_distances),
    "calibration_error": Metric(calibration.calibration_error, biased=True),
}
"""What every run is measured by."""
macro_auc = METRICS["macro_auc"]
ORDERED = {"quadratic_kappa": Metric(counts.quadratic_kappa)}
"""What more can be said of grades."""
MEDMNIST = {
    "medmnist_auc": _area_metric(lambda count: (1,) if count == 2 else range(count)),
    "medmnist_acc": _mean_metric(_medmnist_hits),
}
"""The two of Yang et al. 2023, with the rules of that benchmark's evaluator."""


def class_metrics(classes: Sequence[str]) -> dict[str, Metric]:
    """Returns ``auc[CLASS]`` (it against the rest), ``sensitivity[CLASS]`` and ``specificity[CLASS]`` of each class."""
    metrics = {}
    for k, title in enumerate(classes):
        own = partial(_only, k)
        metrics[f"auc[{title}]"] = _area_metric(own)
        metrics[f"sensitivity[{title}]"] = Metric(partial(counts.sensitivity, of=k), classes=own)
        metrics[f"specificity[{title}]"] = Metric(partial(counts.specificity, of=k))
    return metrics


def metric_set(name: str, *, ordered: bool = False) -> dict[str, Metric]:
    """Returns the metrics of a set by name; `class_metrics` go beside those of ``default``.

    ``default``: accuracy, balanced accuracy, macro AUC (mean of one class against the rest), macro F1, Brier score (0
    to 2, see `calibration.squared_distances`), calibration error; for grades also quadratic kappa.

    ``medmnist``: ``medmnist_auc`` is the macro AUC; with two classes that of the second. ``medmnist_acc`` is the share
    of images whose most probable class is right; of two classes the second is called where its probability is above
    0.5.

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
    return METRICS | ORDERED if ordered else METRICS


def fit_metrics(
    labels: Labels,
    probabilities: Probabilities,
    classes: Sequence[str] | None = None,
    *,
    metrics: str = "default",
    ordered: bool = False,
) -> dict[str, tuple[float, str]]:
    """Returns the value of every metric, and why it is NaN where it is not defined.

    Args:
        labels: True classes, counted from 0.
        probabilities: One row an image, one column a class, rows sum to 1.
        classes: Names of the classes; their numbers if not given.
        metrics: Name of the set, as in `metric_set`.
        ordered: Whether the classes are grades.

    Example:
        >>> values = fit_metrics(np.array([0, 1, 1]), np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]]))
        >>> round(values["accuracy"][0], 3), values["macro_auc"], values["sensitivity[1]"]
        (0.667, (1.0, ''), (0.5, ''))
    """
    names = [str(k) for k in range(probabilities.shape[1])] if classes is None else classes
    chosen = metric_set(metrics, ordered=ordered)
    if metrics == "default":
        chosen = chosen | class_metrics(names)
    values = {}
    for name, metric in chosen.items():
        value = metric(labels, probabilities)
        values[name] = (value, metric.reason(labels, len(names)) if np.isnan(value) else "")
    return values
