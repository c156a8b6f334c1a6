"""Softmax regression with an L2 penalty, also where there are more features than images."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from foveola.models.classical.inner_search import Folds, SearchedSettings, inner_folds, loss, standard
from foveola.models.classical.standardise import Standardisation

log = logging.getLogger(__name__)

NEVER = -1e4
"""The logit of a class that no training image has: a probability of 0 without an infinity."""
EXACT, SEARCHING, STEPS = 1e-8, 1e-5, 5000
"""When scikit-learn's solver stops: the largest slope that is left, at the end and in a search, or so many steps."""

Solution = tuple[np.ndarray, np.ndarray]
"""Weights ``classes x features`` and biases ``classes``."""


@dataclass(frozen=True)
class Span:
    """Standardised images in coordinates of no more dimensions than there are training images.

    The solution of an L2-regularised linear model is a sum of the training images (the representer theorem), so
    nothing is lost: with Z the standardised training images and Z Z' = V L V', the coordinates of an image z are
    L^-1/2 V' Z z, and those of the training images V L^1/2. Weights w of coordinates are the weights w L^-1/2 V' Z of
    features, of the same length. Directions whose eigenvalue is rounding are left out.

    Attributes:
        standardisation: By the training images.
        coordinates: ``n x p`` of all images.
        lift: ``p x training images``, which makes sums of training images of weights; ``None`` where the coordinates
            are the features, because these are no more than the training images.
    """

    standardisation: Standardisation
    coordinates: np.ndarray
    lift: np.ndarray | None

    @classmethod
    def of(cls, values: np.ndarray, training: np.ndarray) -> Span:
        """Takes features ``n x d`` of all images, and which of them are trained on."""
        standardisation = Standardisation.of(values[training])
        if values.shape[1] <= len(training):
            return cls(standardisation, standardisation.apply(values), None)
        products = standardisation.gram(values)[:, training]
        eigenvalues, vectors = np.linalg.eigh(products[training])
        kept = eigenvalues > eigenvalues[-1] * len(training) * np.finfo(np.float64).eps
        lift = (vectors[:, kept] / np.sqrt(eigenvalues[kept])).T
        return cls(standardisation, products @ lift.T, lift)

    def weights(self, weights: np.ndarray, training: np.ndarray) -> np.ndarray:
        """Returns the weights of standardised features, ``classes x d``, of the training images' features."""
        return weights if self.lift is None else self.standardisation.combined(weights @ self.lift, training)


def softmax_regressions(
    features: np.ndarray, labels: np.ndarray, classes: int, strengths: Sequence[float], *, tolerance: float = EXACT
) -> Iterator[Solution]:
    """Yields the softmax regression for each inverse strength ``C`` of the penalty, beginning where the last one ended.

    It is what scikit-learn's ``LogisticRegression`` minimises: C times the sum of the log losses, and half the squared
    length of the weights. Of two classes the first has weights of 0. A class without images gets the logit `NEVER`; one
    class alone is certain.

    Args:
        features: ``n x p``.
        labels: Of the images.
        classes: How many there are, whether or not all have images.
        strengths: Of the penalty; ascending ones are quickest.
        tolerance: The largest slope of the mean loss that is left.

    Example:
        >>> features, labels = np.array([[-1.0], [-2.0], [1.5]]), np.array([0, 0, 2])
        >>> [(weights, bias)] = softmax_regressions(features, labels, 3, [1.0])
        >>> weights.shape, bias[1].item()
        ((3, 1), -10000.0)
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    seen = np.unique(labels)
    model = LogisticRegression(tol=tolerance, max_iter=STEPS, warm_start=True)
    for strength in strengths:
        weights, bias = np.zeros((classes, features.shape[1])), np.full(classes, NEVER)
        bias[seen] = 0
        if len(seen) > 1:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)  # logged below
                model.set_params(C=strength).fit(features, labels)
            if model.n_iter_.max() >= STEPS:
                log.warning("softmax regression with C = %g did not end within %d steps", strength, STEPS)
            fitted = seen[1:] if len(seen) == 2 else seen
            weights[fitted], bias[fitted] = model.coef_, model.intercept_
        yield weights, bias


def solve(
    network: nn.Module,
    values: np.ndarray,
    labels: np.ndarray,
    groups: np.ndarray,
    settings: SearchedSettings,
    seed: int,
) -> nn.Module:
    """Gives a network that standardises features and classifies them linearly its parameters.

    ``C`` is chosen on inner folds, then all training images are used. Everything that is learned on an inner fold, the
    standardisation too, is learned on its training part.

    Args:
        network: With the modules ``standardise`` and ``classify``.
        values: Features ``n x d`` of the training images.
        labels: Of the images.
        groups: Of the images.
        settings: What is searched, and how.
        seed: Of the inner folds.
    """
    classify = network.get_submodule("classify")
    assert isinstance(classify, nn.Linear)
    everything = np.arange(len(values))
    strength = _chosen(values, labels, inner_folds(labels, groups, settings.inner_folds, seed), classify, settings)
    span = Span.of(values, everything)
    weights, bias = next(softmax_regressions(span.coordinates, labels, classify.out_features, [strength]))
    span.standardisation.fill(network.get_submodule("standardise"))
    fill(classify, span.weights(weights, values), bias)
    return network


def _chosen(
    values: np.ndarray, labels: np.ndarray, folds: Folds, classify: nn.Linear, settings: SearchedSettings
) -> float:
    """Returns the ``C`` whose logits of the images left out are best; of equals the one of the strongest penalty."""
    strengths = sorted(set(settings.c))
    if len(strengths) == 1:
        return strengths[0]
    if not folds:
        log.warning("too few groups for an inner search: C = %g is not chosen", standard(strengths))
        return standard(strengths)
    logits = np.zeros((len(strengths), len(values), classify.out_features))
    for training, out in folds:
        coordinates = Span.of(values, training).coordinates
        found = softmax_regressions(
            coordinates[training], labels[training], classify.out_features, strengths, tolerance=SEARCHING
        )
        for index, (weights, bias) in enumerate(found):
            logits[index, out] = coordinates[out] @ weights.T + bias
    judged = logits[0, np.arange(len(labels)), labels] > NEVER  # a fold did not know the classes of the others
    losses = [loss(each[judged], labels[judged], settings.criterion) for each in logits]
    best = int(np.argmin(losses))
    log.info("C = %g of %s: inner %s loss %.4f", strengths[best], strengths, settings.criterion, losses[best])
    return strengths[best]


@torch.no_grad()
def fill(classify: nn.Module, weights: np.ndarray, bias: np.ndarray) -> None:
    """Gives a linear layer its parameters."""
    assert isinstance(classify, nn.Linear)
    classify.weight.copy_(torch.from_numpy(weights))
    classify.bias.copy_(torch.from_numpy(bias))
