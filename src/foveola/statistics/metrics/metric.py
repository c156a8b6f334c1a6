"""What a metric is: one number for the predictions of a fit, also of weighted images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from foveola.statistics.metrics import label_metrics, roc
from foveola.statistics.metrics.label_metrics import Labels, Values, Weights

Scores = Float[np.ndarray, "images columns"]
"""What the set of metrics is computed from: probabilities of classes, or scores of masks (`mask_metrics`)."""

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
        images: For a ``MEAN`` the value of each image; NaN leaves it out of the mean. Two fits on the same images are
            paired only if they leave out the same ones, so this may depend on nothing but the truth.
        classes: For an ``AREA`` the classes that it is the mean over, for the others those that they need images of,
            given the number of classes.
        biased: Whether the metric of a resample tends to be worse than that of the images, as repeated images do to it.
        undefined: Why it is NaN, if that is not for lack of a class.
    """

    weighted: Callable[[Labels, Scores, Weights], Values]
    kind: str = OTHER
    images: Callable[[Labels, Scores], Float[np.ndarray, " images"]] | None = None
    classes: Callable[[int], Sequence[int]] = lambda count: ()
    biased: bool = False
    undefined: str = ""

    def __call__(self, labels: Labels, scores: Scores) -> float:
        """Returns the metric of the images as they are; NaN where it is not defined."""
        return float(self.weighted(labels, scores, np.ones((len(labels), 1)))[0])

    def counted(self, labels: Labels, scores: Scores) -> Bool[np.ndarray, " images"]:
        """Returns which images the metric is of: all, or those that a mean does not leave out."""
        if self.images is None:
            return np.ones(len(labels), dtype=bool)
        there: Bool[np.ndarray, " images"] = ~np.isnan(self.images(labels, scores))
        return there

    def reason(self, labels: Labels, count: int) -> str:
        """Says why the metric is NaN for these labels of ``count`` classes."""
        if self.undefined:
            return self.undefined
        there = set(labels.tolist())
        if missing := sorted(set(self.classes(count)) - there):
            return f"no test image of class number {', '.join(map(str, missing))}"
        return f"only test images of class number {', '.join(map(str, sorted(there)))}"


def mean_metric(images: Callable[[Labels, Scores], Float[np.ndarray, " images"]], undefined: str = "") -> Metric:
    """Returns the mean of a value of each image, over those that have one."""

    def weighted(labels: Labels, scores: Scores, weights: Weights) -> Values:
        return label_metrics.mean(images(labels, scores), weights)

    return Metric(weighted, MEAN, images, undefined=undefined)


def area_metric(classes: Callable[[int], Sequence[int]]) -> Metric:
    """Returns the mean area under the ROC curves of classes, given their number, each against the rest."""

    def weighted(labels: Labels, scores: Scores, weights: Weights) -> Values:
        return roc.auc(labels, scores, weights, classes(scores.shape[1]))

    return Metric(weighted, AREA, classes=classes)
