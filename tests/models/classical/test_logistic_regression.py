"""The arm against a pipeline of scikit-learn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from foveola.models.classical.inner_search import inner_folds

Solve = Callable[..., nn.Module]
GRID = [0.0001, 0.001, 0.01, 0.1]


def pipeline(strength: float) -> Pipeline:
    return make_pipeline(StandardScaler(), LogisticRegression(C=strength, tol=1e-10, max_iter=20_000))


def searched(case: Any, criterion: str, seed: int) -> float:
    """Slowly: a pipeline for each fold and C, judged on all images left out together."""
    losses = []
    for strength in GRID:
        out_of_fold = np.zeros((len(case.labels), 3))
        for training, out in inner_folds(case.labels, case.groups, 5, seed):
            model = pipeline(strength).fit(case.values[training], case.labels[training])
            out_of_fold[out] = model.predict_proba(case.values[out])
        losses.append(
            log_loss(case.labels, out_of_fold)
            if criterion == "log-loss"
            else 1 - roc_auc_score(case.labels, out_of_fold, multi_class="ovr")
        )
    return GRID[int(np.argmin(losses))]


@pytest.mark.parametrize(("criterion", "seed"), [("log-loss", 0), ("auc", 3)])
def test_it_says_what_the_pipeline_says_whose_c_is_best_on_inner_folds(
    case: Any, solve: Solve, probabilities: Callable[[nn.Module], np.ndarray], criterion: str, seed: int
) -> None:
    reference = pipeline(searched(case, criterion, seed)).fit(case.values, case.labels)
    expected = reference.predict_proba(case.unseen.flatten(1).double().numpy())
    network = solve("logistic-regression", c=GRID, criterion=criterion, seed=seed)
    assert np.abs(probabilities(network) - expected).max() < 1e-6


def test_one_c_is_not_searched(case: Any, solve: Solve, probabilities: Callable[[nn.Module], np.ndarray]) -> None:
    expected = pipeline(0.03).fit(case.values, case.labels).predict_proba(case.unseen.flatten(1).double().numpy())
    found = [probabilities(solve("logistic-regression", c=0.03, seed=seed)) for seed in (0, 1)]
    assert np.abs(found[0] - expected).max() < 1e-6
    assert np.array_equal(found[0], found[1])


def test_a_weight_is_that_of_its_pixel(case: Any, solve: Solve) -> None:
    """The constant pixel gets none; no two sizes of the flattened image may be swapped."""
    classify = solve("logistic-regression", c=0.01).get_submodule("classify")
    assert isinstance(classify, nn.Linear)
    weights = classify.weight.detach().view(3, 3, 10, 10)
    assert torch.equal(weights[:, 1, 4, 7], torch.zeros(3))
    rows = weights.sum((1, 3))
    for label in range(3):
        assert rows[label].argmax() // 3 == label, "its rows are brighter"
