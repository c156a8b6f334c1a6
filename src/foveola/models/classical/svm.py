"""The arm ``svm``: a support vector machine on pixels, with probabilities."""

from __future__ import annotations

import logging
from collections import OrderedDict
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from foveola.attention import ARMS, Arm
from foveola.models.classical.inner_search import Candidates, Folds, SearchedSettings, inner_folds, loss, standard
from foveola.models.classical.kernel_machine import KernelMachine
from foveola.models.classical.pixels import Pixels, PixelSettings, pixel_values
from foveola.models.classical.softmax_regression import fill, softmax_regressions
from foveola.models.classical.standardise import Standardisation, Standardise
from foveola.models.network_spec import BASELINE_NETWORKS, BackboneSettings, ImageShape, NetworkSpec, OwnNetwork
from foveola.pixels.representation import Batches

log = logging.getLogger(__name__)

CALIBRATION = 1.0
"""``C`` of the softmax regression on decisions: a little penalty, so that classes told apart do not become certain."""


class SvmSettings(PixelSettings, SearchedSettings):
    """Settings of the arm ``svm``.

    Attributes:
        c: As scikit-learn's ``C``: what an image on the wrong side costs.
        gamma: Of the kernel, in units of 1 / features; 1 is scikit-learn's ``scale`` for standardised features.
    """

    c: Candidates = (0.1, 1.0, 10.0, 100.0, 1000.0)
    gamma: Candidates = (0.01, 0.1, 1.0, 10.0)


class Machine(NamedTuple):
    """What scikit-learn finds.

    Attributes:
        support: Positions of the support vectors among the training images.
        coefficients: ``support vectors x pairs``.
        intercepts: ``pairs``.
    """

    support: np.ndarray
    coefficients: np.ndarray
    intercepts: np.ndarray


def _build(shape: ImageShape, settings: BackboneSettings) -> NetworkSpec:
    features, pairs = shape.channels * shape.size**2, shape.classes * (shape.classes - 1) // 2
    layers = OrderedDict(
        pixels=Pixels(shape.size),
        standardise=Standardise(features),
        machine=KernelMachine(features, shape.classes),
        classify=nn.Linear(pairs, shape.classes),
    )
    return NetworkSpec(nn.Sequential(layers), ("classify",), ())


def machine(kernel: np.ndarray, labels: np.ndarray, classes: int, c: float) -> Machine:
    """Returns scikit-learn's ``SVC`` as one sum over support vectors for each pair of classes.

    ``SVC`` keeps the coefficients of a support vector of class k against every other class; here they stand in the
    columns of the pairs that k is in, and 0 in the others. Pairs with a class without images decide nothing.

    Args:
        kernel: ``n x n``.
        labels: Of the images.
        classes: How many there are, whether or not all have images.
        c: What an image on the wrong side costs.
    """
    from sklearn.svm import SVC

    pairs = {pair: column for column, pair in enumerate(combinations(range(classes), 2))}
    seen = np.unique(labels)
    if len(seen) < 2:
        return Machine(np.arange(0), np.zeros((0, len(pairs))), np.zeros(len(pairs)))
    found = SVC(C=c, kernel="precomputed").fit(kernel, labels)
    sign = -1 if len(seen) == 2 else 1  # of two classes alone scikit-learn decides for the second
    coefficients, intercepts = np.zeros((len(found.support_), len(pairs))), np.zeros(len(pairs))
    own = labels[found.support_]
    for index, (first, second) in enumerate(combinations(range(len(seen)), 2)):
        column = pairs[int(seen[first]), int(seen[second])]
        for which, row in ((first, second - 1), (second, first)):
            mine = own == seen[which]
            coefficients[mine, column] = sign * found.dual_coef_[row, mine]
        intercepts[column] = sign * found.intercept_[index]
    return Machine(found.support_, coefficients, intercepts)


def squared_distances(products: np.ndarray) -> np.ndarray:
    """Returns the squared distance of all pairs of images from their inner products ``n x n``."""
    own = np.diag(products)
    squared: np.ndarray = np.maximum(own[:, None] + own - 2 * products, 0)
    return squared


def solve(
    network: nn.Module, images: Batches, labels: np.ndarray, groups: np.ndarray, settings: Any, seed: int
) -> nn.Module:
    """Finds the support vectors on standardised pixels, and probabilities from decisions on images left out.

    ``C`` and ``gamma`` are chosen on inner folds. The decisions for the images left out at the chosen ones, one number
    for each pair of classes, are classified by a softmax regression, and what that learns turns the decisions of the
    machine that all training images made into logits. For two classes that is the sigmoid of Platt 1999,
    *Probabilistic outputs for support vector machines*, fitted to images that the machine has not seen; where Platt
    moves the targets away from 0 and 1 it has an L2 penalty. For more classes it takes the place of the sigmoids for
    pairs and their coupling in LIBSVM (Wu, Lin and Weng 2004). The class of the largest probability can differ from the
    one that most pairs vote for.

    With ``criterion`` ``log-loss`` or ``auc`` every pair of ``C`` and ``gamma`` is judged by the logits that such a
    regression gives the decisions that it was fitted to; it has few parameters, and the same for all.

    Source: the baseline SVM of Xu et al. 2020, arXiv:2007.15897, section 4.3: scikit-learn's support vector machine on
    pixels with a grid search, of which the paper says no more. Kernel, standardisation, grid and calibration are ours.
    """
    classify, kernel_machine = network.get_submodule("classify"), network.get_submodule("machine")
    assert isinstance(classify, nn.Linear)
    assert isinstance(kernel_machine, KernelMachine)
    classes = classify.out_features
    values = pixel_values(network.get_submodule("pixels"), images)
    folds = inner_folds(labels, groups, settings.inner_folds, seed)
    if folds:
        c, gamma, calibration = _searched(values, labels, folds, classes, settings)
    else:
        c, gamma = standard(settings.c), standard(settings.gamma)
        log.warning("too few groups for an inner search: C = %g and gamma = %g are not chosen", c, gamma)
    standardisation, gamma = Standardisation.of(values), gamma / values.shape[1]
    kernel = np.exp(-gamma * squared_distances(standardisation.gram(values)))
    found = machine(kernel, labels, classes, c)
    if not folds:
        log.warning("too few groups for images left out: probabilities come from decisions on the training images")
        calibration = _calibrated(kernel[:, found.support] @ found.coefficients + found.intercepts, labels, classes)
    standardisation.fill(network.get_submodule("standardise"))
    kernel_machine.take(
        torch.from_numpy(standardisation.apply(values[found.support])),
        torch.from_numpy(found.coefficients),
        torch.from_numpy(found.intercepts),
        gamma,
    )
    fill(classify, *calibration)
    return network


def _calibrated(decisions: np.ndarray, labels: np.ndarray, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns weights ``classes x pairs`` and biases that turn decisions into logits."""
    return next(softmax_regressions(decisions, labels, classes, [CALIBRATION]))


def _searched(
    values: np.ndarray, labels: np.ndarray, folds: Folds, classes: int, settings: SvmSettings
) -> tuple[float, float, tuple[np.ndarray, np.ndarray]]:
    """Returns the best ``C`` and ``gamma``, of equals the smallest, and their calibration."""
    grid = [(c, gamma) for gamma in sorted(set(settings.gamma)) for c in sorted(set(settings.c))]
    decisions = np.zeros((len(grid), len(values), classes * (classes - 1) // 2))
    for training, out in folds:
        squared = squared_distances(Standardisation.of(values[training]).gram(values)) / values.shape[1]
        previous, kernel = 0.0, squared
        for index, (c, gamma) in enumerate(grid):
            if gamma != previous:
                previous, kernel = gamma, np.exp(-gamma * squared[:, training])
            found = machine(kernel[training], labels[training], classes, c)
            decisions[index, out] = kernel[np.ix_(out, found.support)] @ found.coefficients + found.intercepts
    calibrations = [_calibrated(each, labels, classes) for each in decisions]
    losses = [
        loss(each @ weights.T + bias, labels, settings.criterion)
        for each, (weights, bias) in zip(decisions, calibrations, strict=True)
    ]
    best = int(np.argmin(losses))
    log.info("C = %g and gamma = %g: inner %s loss %.4f", *grid[best], settings.criterion, losses[best])
    return *grid[best], calibrations[best]


BASELINE_NETWORKS.add(OwnNetwork("kernel-machine", _build))
ARMS.add(
    Arm(
        "svm",
        "support vector machine on pixels, C and gamma searched inside",
        SvmSettings,
        "none",
        backbone="kernel-machine",
        solve=solve,
    )
)
