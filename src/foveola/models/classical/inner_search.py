"""The search for settings inside the training images: its folds, and what it looks at."""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
from pydantic import BeforeValidator, Field
from scipy.special import log_softmax

from foveola.attention import SolvedSettings

log = logging.getLogger(__name__)

InnerCriterion = Literal["log-loss", "auc"]
Folds = list[tuple[np.ndarray, np.ndarray]]


def _listed(value: Any) -> Any:
    """Takes one number, or numbers in a text, for a list of them."""
    if isinstance(value, str):
        return value.split(",")
    return (value,) if isinstance(value, int | float) else value


Candidates = Annotated[
    tuple[Annotated[float, Field(gt=0, allow_inf_nan=False)], ...], Field(min_length=1), BeforeValidator(_listed)
]
"""Positive numbers to choose from; one alone is taken as it is."""


class SearchedSettings(SolvedSettings):
    """What every baseline with an inner search can be told.

    Attributes:
        c: Inverse strengths of the L2 penalty to choose from; scikit-learn's ``C``.
        inner_folds: How many folds of the training images the search has; fewer where a class has fewer groups.
        criterion: What is best on the images left out: ``log-loss``, the mean negative log probability of the true
            class, or ``auc``, the mean area over classes under the curve of one class against the others.
    """

    c: Candidates = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
    inner_folds: int = Field(5, ge=2)
    criterion: InnerCriterion = "log-loss"


def inner_folds(labels: np.ndarray, groups: np.ndarray, count: int, seed: int) -> Folds:
    """Splits training images into stratified folds that never split a group.

    A class that has fewer groups than folds makes them fewer, but two at least; one with a single group is missing
    from the training part of a fold then.

    Args:
        labels: Of the training images.
        groups: Of the training images, ``""`` for one of its own.
        count: How many folds.
        seed: Of the order in which images are dealt.

    Returns:
        The positions of each fold's training and left-out images; none where no two classes have two groups each.

    Example:
        >>> labels, groups = np.array([0, 0, 0, 1, 1, 1]), np.array(["a", "a", "", "b", "", ""])
        >>> [len(out) for _, out in inner_folds(labels, groups, 5, seed=0)]
        [3, 3]
    """
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    names = [f"group {name}" if name else f"image {index}" for index, name in enumerate(groups)]
    units = pd.factorize(np.array(names))[0]
    held = sorted(len(np.unique(units[labels == label])) for label in np.unique(labels))
    if len(held) < 2 or held[-2] < 2:
        return []
    folds = max(2, min(count, held[0]))
    if folds < count:
        log.info("%d inner folds instead of %d: a class has %d groups", folds, count, held[0])
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The least populated class")  # allowed here, and logged above
        if len(np.unique(units)) < len(units):
            grouped = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
            return list(grouped.split(labels, labels, units))
        return list(StratifiedKFold(folds, shuffle=True, random_state=seed).split(labels, labels))


def loss(logits: np.ndarray, labels: np.ndarray, criterion: InnerCriterion) -> float:
    """Returns how bad logits are: the smaller, the better.

    Args:
        logits: ``n x classes``.
        labels: Of the images.
        criterion: ``log-loss``; or ``auc``, for which it is 1 minus the mean over the classes that there are.

    Example:
        >>> round(loss(np.zeros((2, 2)), np.array([0, 1]), "log-loss"), 4)
        0.6931
        >>> loss(np.eye(2), np.array([0, 1]), "auc")
        0.0
    """
    log_probabilities = log_softmax(logits, axis=1)
    if criterion == "log-loss":
        return float(-log_probabilities[np.arange(len(labels)), labels].mean())
    from sklearn.metrics import roc_auc_score

    seen = np.unique(labels)
    return 1 - float(np.mean([roc_auc_score(labels == label, np.exp(log_probabilities[:, label])) for label in seen]))


def standard(grid: Sequence[float]) -> float:
    """Returns the number of a grid nearest to 1 in ratio, which is scikit-learn's default, for where none is chosen.

    Example:
        >>> standard((0.01, 0.5, 10.0))
        0.5
    """
    return min(sorted(grid), key=lambda value: abs(math.log(value)))
