"""The arm against a pipeline of scikit-learn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from torch import nn

from foveola.attention import ARMS
from foveola.foundation.errors import FoveolaError
from foveola.models.classical.inner_search import inner_folds
from foveola.models.classical.svm import machine

Solve = Callable[..., nn.Module]


def pipeline(c: float, gamma: float) -> Pipeline:
    """Gamma in units of 1 / features."""
    return make_pipeline(StandardScaler(), SVC(C=c, gamma=gamma / 300, decision_function_shape="ovo"))


def decisions(model: Pipeline, values: np.ndarray) -> np.ndarray:
    found = model.decision_function(values)
    return found if found.ndim == 2 else -found[:, None]  # of two classes scikit-learn decides for the second


def left_out(case: Any, labels: np.ndarray, c: float, gamma: float, seed: int = 0) -> np.ndarray:
    found = np.zeros((len(labels), 3 if labels.max() == 2 else 1))
    for training, out in inner_folds(labels, case.groups, 5, seed):
        found[out] = decisions(pipeline(c, gamma).fit(case.values[training], labels[training]), case.values[out])
    return found


@pytest.mark.parametrize(("c", "gamma"), [(0.5, 0.3), (20.0, 2.0)])
def test_its_decisions_are_those_of_the_pipeline(case: Any, solve: Solve, c: float, gamma: float) -> None:
    network = solve("svm", c=c, gamma=gamma)
    reference = pipeline(c, gamma).fit(case.values, case.labels)
    expected = decisions(reference, case.unseen.flatten(1).double().numpy())
    with torch.no_grad():
        found = nn.Sequential(*list(network)[:-1])(case.unseen)  # type: ignore[call-overload]
    assert np.abs(found.numpy() - expected).max() < 1e-6
    assert len(network.get_buffer("machine.support")) == len(reference[-1].support_)


@pytest.mark.parametrize("classes", [2, 3])
def test_its_probabilities_come_from_decisions_on_images_left_out(case: Any, solve: Solve, classes: int) -> None:
    labels = case.labels % classes
    network = solve("svm", labels=labels, c=3.0, gamma=1.0)
    calibration = LogisticRegression(tol=1e-10).fit(left_out(case, labels, 3.0, 1.0), labels)
    reference = pipeline(3.0, 1.0).fit(case.values, labels)
    expected = calibration.predict_proba(decisions(reference, case.unseen.flatten(1).double().numpy()))
    with torch.no_grad():
        found = network(case.unseen).softmax(1).numpy()
    assert np.abs(found[:, :classes] - expected).max() < 1e-6


def test_c_and_gamma_are_best_on_inner_folds(case: Any, solve: Solve, caplog: pytest.LogCaptureFixture) -> None:
    losses = {}
    for c in (0.2, 4.0):
        for gamma in (0.02, 0.5, 30.0):
            found = left_out(case, case.labels, c, gamma, seed=2)
            calibration = LogisticRegression(tol=1e-10).fit(found, case.labels)
            losses[c, gamma] = log_loss(case.labels, calibration.predict_proba(found))
    c, gamma = min(losses, key=losses.__getitem__)
    with caplog.at_level("INFO"):
        network = solve("svm", c=[4.0, 0.2], gamma=[30.0, 0.02, 0.5], seed=2)
    assert f"C = {c:g} and gamma = {gamma:g}: inner log-loss loss {losses[c, gamma]:.4f}" in caplog.text
    assert network.get_buffer("machine.gamma").item() == pytest.approx(gamma / 300)


def test_a_class_without_images_decides_nothing() -> None:
    """Its pairs stand between those of the others."""
    rng = np.random.default_rng(0)
    values, labels = rng.normal(size=(20, 4)), np.repeat([0, 2, 3], [8, 7, 5])
    kernel = values @ values.T
    found = machine(kernel, labels, 5, 1.0)
    expected = SVC(kernel="precomputed", decision_function_shape="ovo").fit(kernel, labels).decision_function(kernel)
    decided = kernel[:, found.support] @ found.coefficients + found.intercepts
    seen = [1, 2, 7]  # (0, 2), (0, 3) and (2, 3) of the ten pairs of five classes
    assert np.allclose(decided[:, seen], expected, atol=1e-9)
    assert (np.delete(decided, seen, axis=1) == 0).all()


@pytest.mark.parametrize("value", [0, -1, [1, 0], "wide"])
def test_a_gamma_that_cannot_be_is_refused(value: Any) -> None:
    with pytest.raises(FoveolaError, match=r"in the settings of arm 'svm'\.gamma"):
        ARMS["svm"].configure({"gamma": value})
