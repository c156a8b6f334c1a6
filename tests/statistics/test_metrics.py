"""Every metric against its definition, written slowly."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchmetrics.functional.classification import multiclass_calibration_error

from foveola.statistics import METRICS, fit_metrics
from foveola.statistics.metrics import calibration_error

Case = tuple[np.ndarray, np.ndarray]
patient = settings(max_examples=40, deadline=None)


def most_probable(row: np.ndarray) -> int:
    return max(range(len(row)), key=lambda k: (row[k], -k))


def slow_accuracy(labels: np.ndarray, p: np.ndarray) -> float:
    return float(np.mean([most_probable(row) == label for row, label in zip(p, labels, strict=True)]))


def slow_balanced_accuracy(labels: np.ndarray, p: np.ndarray) -> float:
    shares = []
    for k in sorted(set(labels.tolist())):
        rows = [row for row, label in zip(p, labels, strict=True) if label == k]
        shares.append(sum(most_probable(row) == k for row in rows) / len(rows))
    return float(np.mean(shares))


def slow_macro_auc(labels: np.ndarray, p: np.ndarray) -> float:
    """The probability that an image of the class has the higher score, over all pairs, ties counted half."""
    areas = []
    for k in range(p.shape[1]):
        inside = [row[k] for row, label in zip(p, labels, strict=True) if label == k]
        outside = [row[k] for row, label in zip(p, labels, strict=True) if label != k]
        wins = sum(Fraction(1) if a > b else Fraction(1, 2) if a == b else Fraction(0) for a in inside for b in outside)
        areas.append(float(wins / (len(inside) * len(outside))))
    return sum(areas) / len(areas)


def slow_macro_f1(labels: np.ndarray, p: np.ndarray) -> float:
    scores = []
    for k in range(p.shape[1]):
        predicted = [most_probable(row) == k for row in p]
        right = sum(hit and label == k for hit, label in zip(predicted, labels, strict=True))
        all_of_both = sum(predicted) + sum(label == k for label in labels)
        scores.append(2 * right / all_of_both if all_of_both else 0.0)
    return sum(scores) / len(scores)


def slow_calibration_error(labels: np.ndarray, p: np.ndarray) -> float:
    """|mean confidence - accuracy| in each of 15 bins, weighted by the share of images in it; the last is closed."""
    error = 0.0
    for part in range(15):
        inside = [
            (max(row), most_probable(row) == label)
            for row, label in zip(p, labels, strict=True)
            if part / 15 <= max(row) and (max(row) < (part + 1) / 15 or part == 14)
        ]
        if inside:
            confidence = sum(score for score, _ in inside) / len(inside)
            accuracy = sum(hit for _, hit in inside) / len(inside)
            error += len(inside) / len(labels) * abs(confidence - accuracy)
    return error


ORACLES: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "accuracy": slow_accuracy,
    "balanced_accuracy": slow_balanced_accuracy,
    "macro_auc": slow_macro_auc,
    "macro_f1": slow_macro_f1,
    "calibration_error": slow_calibration_error,
}


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Labels of 2..4 classes, each there at least once, and probabilities from sharp to flat."""
    classes, count = draw(st.integers(2, 4)), draw(st.integers(5, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    labels = rng.permutation(np.concatenate([np.arange(classes), rng.integers(0, classes, count - classes)]))
    scores = rng.normal(0, draw(st.sampled_from([0.1, 2.0, 40.0])), (count, classes))
    exponents = np.exp(scores - scores.max(1, keepdims=True))
    return labels, (exponents / exponents.sum(1, keepdims=True)).astype(np.float32).astype(np.float64)


def test_every_metric_has_an_oracle() -> None:
    assert ORACLES.keys() == METRICS.keys()


@given(cases())
@patient
def test_metrics_are_what_they_say(case: Case) -> None:
    for name, (value, reason) in fit_metrics(*case).items():
        assert value == pytest.approx(ORACLES[name](*case), abs=1e-9), name
        assert reason == ""


@given(cases())
@patient
def test_metrics_lie_between_0_and_1(case: Case) -> None:
    assert all(-1e-9 <= value <= 1 + 1e-9 for value, _ in fit_metrics(*case).values())


@given(cases(), st.integers(0, 99))
@patient
def test_the_order_of_the_images_does_not_matter(case: Case, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(len(case[0]))
    shuffled = fit_metrics(case[0][order], case[1][order])
    for name, (value, _) in fit_metrics(*case).items():
        assert shuffled[name][0] == pytest.approx(value), name


def test_perfect_predictions_are_perfect() -> None:
    labels = np.array([0, 2, 1, 1, 2, 0, 0])
    values = {name: value for name, (value, _) in fit_metrics(labels, np.eye(3)[labels]).items()}
    assert values == {**dict.fromkeys(METRICS, 1.0), "calibration_error": 0.0}


def test_a_certain_image_is_in_the_last_bin() -> None:
    p = np.array([[1.0, 0.0], [0.94, 0.06], [0.3, 0.7]])
    assert calibration_error(np.array([1, 0, 1]), p) == pytest.approx((abs(1.94 - 1) + abs(0.7 - 1)) / 3)


def test_calibration_error_is_that_of_torchmetrics_below_certainty() -> None:
    rng = np.random.default_rng(3)
    labels, p = rng.integers(0, 3, 90), rng.dirichlet([0.4, 0.5, 0.6], 90)
    expected = multiclass_calibration_error(torch.from_numpy(p), torch.from_numpy(labels), 3, n_bins=15)
    assert calibration_error(labels, p) == pytest.approx(float(expected), abs=1e-6)


def test_a_class_that_is_missing_makes_nan_with_a_reason() -> None:
    p = np.array([[0.7, 0.1, 0.1, 0.1], [0.2, 0.1, 0.6, 0.1], [0.6, 0.1, 0.2, 0.1]])
    values = fit_metrics(np.array([0, 2, 2]), p)
    for name in ("balanced_accuracy", "macro_auc", "macro_f1"):
        value, reason = values[name]
        assert math.isnan(value)
        assert reason == "no test image of class number 1, 3"
    assert values["accuracy"][0] == pytest.approx(2 / 3)
    assert values["accuracy"][1] == values["calibration_error"][1] == ""
