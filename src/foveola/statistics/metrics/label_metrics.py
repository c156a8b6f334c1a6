"""Metrics that count: shares of images, and what follows from them."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

Labels = Int[np.ndarray, " images"]
Probabilities = Float[np.ndarray, "images classes"]
Weights = Float[np.ndarray, "images resamples"]
Values = Float[np.ndarray, " resamples"]


def ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Returns ``part / whole``, NaN where ``whole`` is 0."""
    value: np.ndarray = np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=whole > 0)
    return value


def mean(values: Float[np.ndarray, " images"], weights: Weights) -> Values:
    """Returns the weighted mean over images for every column of weights; a value that is NaN is left out."""
    defined = ~np.isnan(values)
    return ratio(np.where(defined, values, 0) @ weights, defined.astype(np.float64) @ weights)


def hits(labels: Labels, probabilities: Probabilities) -> Float[np.ndarray, " images"]:
    """Returns 1 for every image whose most probable class is the right one (the first of equal ones), else 0."""
    right: Float[np.ndarray, " images"] = (probabilities.argmax(1) == labels).astype(np.float64)
    return right


def recalls(labels: Labels, probabilities: Probabilities, weights: Weights) -> Float[np.ndarray, "classes resamples"]:
    """Returns, for every class, the share of its images found; NaN where it has none."""
    own = np.arange(probabilities.shape[1])[:, None] == labels
    return ratio((own * hits(labels, probabilities)) @ weights, own.astype(np.float64) @ weights)


def balanced_accuracy(labels: Labels, probabilities: Probabilities, weights: Weights) -> Values:
    """Returns the mean of the recalls of all classes; NaN where a class has no image."""
    value: Values = recalls(labels, probabilities, weights).mean(0)
    return value


def macro_f1(labels: Labels, probabilities: Probabilities, weights: Weights) -> Values:
    """Returns the mean over all classes of F1 = 2 TP / (2 TP + FP + FN); NaN where a class has no image."""
    classes = np.arange(probabilities.shape[1])[:, None]
    own = (classes == labels).astype(np.float64)
    called = (classes == probabilities.argmax(1)).astype(np.float64)
    there = own @ weights
    scores: np.ndarray = ratio(2 * (own * called) @ weights, there + called @ weights)
    value: Values = np.where(there > 0, scores, np.nan).mean(0)
    return value


def sensitivity(labels: Labels, probabilities: Probabilities, weights: Weights, of: int) -> Values:
    """Returns the share of the images of class ``of`` that are given this class; NaN where it has none."""
    own, called = labels == of, probabilities.argmax(1) == of
    return mean(called[own].astype(np.float64), weights[own])


def specificity(labels: Labels, probabilities: Probabilities, weights: Weights, of: int) -> Values:
    """Returns the share of the images of other classes that are not given class ``of``; NaN where there are none."""
    others, spared = labels != of, probabilities.argmax(1) != of
    return mean(spared[others].astype(np.float64), weights[others])


def quadratic_kappa(labels: Labels, probabilities: Probabilities, weights: Weights) -> Values:
    """Returns Cohen's kappa with squared distances of class numbers as weights; only for ordered classes.

    ``1 - E[(y - c)^2] / E'[(y - c)^2]`` for label y and predicted class c, where E' draws the two independently: the
    table of Cohen 1968 multiplied out. NaN where all labels and predictions are of one class.
    """
    label, called = labels.astype(np.float64), probabilities.argmax(1).astype(np.float64)
    by_chance = mean(label**2 + called**2, weights) - 2 * mean(label, weights) * mean(called, weights)
    apart = mean((label - called) ** 2, weights)
    return 1 - ratio(apart, np.where(by_chance > 1e-12, by_chance, 0))
