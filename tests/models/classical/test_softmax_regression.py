"""Softmax regression against scikit-learn, with more features than images and with fewer."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from foveola.models.classical import softmax_regression
from foveola.models.classical.softmax_regression import NEVER, Span, softmax_regressions


def drawn(features: int, count: int = 31) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(features)
    labels = np.arange(count) % 3
    values = rng.normal(size=(count, features)) + labels[:, None] * rng.normal(size=features)
    return values.astype(np.float32), labels


@pytest.mark.parametrize("features", [5, 200])
def test_the_span_keeps_inner_products_and_what_a_linear_model_says(features: int) -> None:
    values, _ = drawn(features)
    training = np.arange(4, 27)
    span = Span.of(values, training)
    assert span.coordinates.shape == (31, min(features, 22)), "centred images span one dimension less"
    scaler = StandardScaler().fit(values[training].astype(np.float64))
    scaled = scaler.transform(values.astype(np.float64))
    expected = scaled[training] @ scaled[training].T
    assert np.allclose(span.coordinates[training] @ span.coordinates[training].T, expected, atol=1e-9)
    weights = np.random.default_rng(0).normal(size=(3, span.coordinates.shape[1]))
    lifted = span.weights(weights, values[training])
    assert np.allclose(scaled @ lifted.T, span.coordinates @ weights.T, atol=1e-9)
    assert np.allclose(lifted @ lifted.T, weights @ weights.T, atol=1e-9), "the penalty is the same"


@pytest.mark.parametrize("strength", [0.001, 0.1])
@pytest.mark.parametrize("features", [5, 200])
@pytest.mark.parametrize("classes", [2, 3])
def test_in_the_span_the_solution_is_that_of_scikit_learn_on_all_features(
    features: int, strength: float, classes: int
) -> None:
    values, labels = drawn(features)
    labels = labels % classes
    span = Span.of(values, np.arange(31))
    weights, bias = next(softmax_regressions(span.coordinates, labels, classes, [strength]))
    scaled = StandardScaler().fit_transform(values.astype(np.float64))
    reference = LogisticRegression(C=strength, tol=1e-10, max_iter=10_000).fit(scaled, labels)
    logits = scaled @ span.weights(weights, values).T + bias
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    assert np.abs(probabilities - reference.predict_proba(scaled)).max() < 1e-6


def test_a_path_of_strengths_ends_where_each_alone_does() -> None:
    values, labels = drawn(5)
    features, strengths = values.astype(np.float64), [0.01, 0.1, 1.0]
    path = list(softmax_regressions(features, labels, 3, strengths))
    for strength, (weights, bias) in zip(strengths, path, strict=True):
        alone, own = next(softmax_regressions(features, labels, 3, [strength]))
        assert np.allclose(weights, alone, atol=1e-5)
        assert np.allclose(bias, own, atol=1e-5)


def test_classes_without_images_get_nothing() -> None:
    values, labels = drawn(5)
    weights, bias = next(softmax_regressions(values, np.where(labels == 1, 3, 0), 5, [0.1]))
    assert (weights[[1, 2, 4]] == 0).all()
    assert bias[[1, 2, 4]].tolist() == [NEVER] * 3
    assert np.abs(weights[3]).min() > 0
    assert weights[0].tolist() == [0] * 5


def test_a_solver_that_does_not_end_says_so(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(softmax_regression, "STEPS", 2)
    values, labels = drawn(5)
    with caplog.at_level(logging.WARNING):
        next(softmax_regressions(values, labels, 3, [1.0]))
    assert "softmax regression with C = 1 did not end within 2 steps" in caplog.text
