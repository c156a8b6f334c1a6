"""Every metric against its definition, written slowly, and against scikit-learn and MedMNIST's evaluator."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from medmnist.evaluator import getACC, getAUC
from sklearn import metrics as sklearn
from torchmetrics.functional.classification import multiclass_calibration_error

from foveola.foundation.errors import FoveolaError
from foveola.statistics import METRICS, fit_metrics, metric_set
from foveola.statistics.metrics.metric import MEAN
from foveola.statistics.metrics.metric_sets import class_metrics

Case = tuple[np.ndarray, np.ndarray]
patient = settings(max_examples=40, deadline=None)
EVERY = metric_set("default", ordered=True) | metric_set("medmnist") | class_metrics(["0", "1"])


def most_probable(row: np.ndarray) -> int:
    return max(range(len(row)), key=lambda k: (row[k], -k))


def slow_accuracy(labels: np.ndarray, p: np.ndarray) -> float:
    return float(np.mean([most_probable(row) == label for row, label in zip(p, labels, strict=True)]))


def slow_recall(labels: np.ndarray, p: np.ndarray, k: int) -> float:
    rows = [row for row, label in zip(p, labels, strict=True) if label == k]
    return sum(most_probable(row) == k for row in rows) / len(rows)


def slow_specificity(labels: np.ndarray, p: np.ndarray, k: int) -> float:
    rows = [row for row, label in zip(p, labels, strict=True) if label != k]
    return sum(most_probable(row) != k for row in rows) / len(rows)


def slow_balanced_accuracy(labels: np.ndarray, p: np.ndarray) -> float:
    return float(np.mean([slow_recall(labels, p, k) for k in sorted(set(labels.tolist()))]))


def slow_auc(labels: np.ndarray, p: np.ndarray, k: int) -> float:
    """The probability that an image of the class has the higher score, over all pairs, ties counted half."""
    inside = [row[k] for row, label in zip(p, labels, strict=True) if label == k]
    outside = [row[k] for row, label in zip(p, labels, strict=True) if label != k]
    wins = sum(Fraction(1) if a > b else Fraction(1, 2) if a == b else Fraction(0) for a in inside for b in outside)
    return float(wins / (len(inside) * len(outside)))


def slow_macro_auc(labels: np.ndarray, p: np.ndarray) -> float:
    return sum(slow_auc(labels, p, k) for k in range(p.shape[1])) / p.shape[1]


def slow_macro_f1(labels: np.ndarray, p: np.ndarray) -> float:
    scores = []
    for k in range(p.shape[1]):
        predicted = [most_probable(row) == k for row in p]
        right = sum(hit and label == k for hit, label in zip(predicted, labels, strict=True))
        all_of_both = sum(predicted) + sum(label == k for label in labels)
        scores.append(2 * right / all_of_both if all_of_both else 0.0)
    return sum(scores) / len(scores)


def slow_brier(labels: np.ndarray, p: np.ndarray) -> float:
    distances = [
        sum((row[k] - (label == k)) ** 2 for k in range(len(row))) for row, label in zip(p, labels, strict=True)
    ]
    return float(np.mean(distances))


def slow_kappa(labels: np.ndarray, p: np.ndarray) -> float:
    called = [most_probable(row) for row in p]
    seen = sum((a - b) ** 2 for a, b in zip(labels, called, strict=True)) / len(labels)
    chance = sum((a - b) ** 2 for a, b in product(labels, called)) / len(labels) ** 2
    return float(1 - seen / chance) if chance else math.nan


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
    "quadratic_kappa": slow_kappa,
    "brier": slow_brier,
    "calibration_error": slow_calibration_error,
    **{f"auc[{k}]": lambda labels, p, k=k: slow_auc(labels, p, k) for k in range(4)},
    **{f"sensitivity[{k}]": lambda labels, p, k=k: slow_recall(labels, p, k) for k in range(4)},
    **{f"specificity[{k}]": lambda labels, p, k=k: slow_specificity(labels, p, k) for k in range(4)},
}


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Labels of 2..4 classes, each there at least once, and probabilities from sharp to flat, with some ties."""
    classes, count = draw(st.integers(2, 4)), draw(st.integers(5, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    labels = rng.permutation(np.concatenate([np.arange(classes), rng.integers(0, classes, count - classes)]))
    scores = rng.normal(0, draw(st.sampled_from([0.1, 2.0, 40.0])), (count, classes))
    scores[count // 2 :] = np.round(scores[count // 2 :])
    exponents = np.exp(scores - scores.max(1, keepdims=True))
    return labels, (exponents / exponents.sum(1, keepdims=True)).astype(np.float32).astype(np.float64)


def test_every_metric_has_an_oracle() -> None:
    labels, p = np.array([0, 1, 2, 3, 3]), np.full((5, 4), 0.25)
    assert ORACLES.keys() == fit_metrics(labels, p, ordered=True).keys()


@given(cases())
@patient
def test_metrics_are_what_they_say(case: Case) -> None:
    for name, (value, reason) in fit_metrics(*case, ordered=True).items():
        expected = ORACLES[name](*case)
        assert value == pytest.approx(expected, abs=1e-10, nan_ok=True), name
        assert (reason != "") == math.isnan(expected), name


@given(cases())
@patient
def test_metrics_are_those_of_scikit_learn(case: Case) -> None:
    labels, p = case
    called, values = p.argmax(1), {name: value for name, (value, _) in fit_metrics(*case, ordered=True).items()}
    one_hot = np.eye(p.shape[1])[labels]
    expected = {
        "accuracy": sklearn.accuracy_score(labels, called),
        "balanced_accuracy": sklearn.recall_score(labels, called, average="macro"),
        "macro_auc": sklearn.roc_auc_score(one_hot, p, average="macro"),
        "macro_f1": sklearn.f1_score(labels, called, average="macro", zero_division=0),
        "brier": ((p - one_hot) ** 2).sum(1).mean(),
        "auc[1]": sklearn.roc_auc_score(labels == 1, p[:, 1]),
    }
    if p.shape[1] == 2:
        expected["brier"] = 2 * sklearn.brier_score_loss(labels, np.clip(p[:, 1], 0, 1))
    if len(set(called.tolist()) | set(labels.tolist())) > 1:
        expected["quadratic_kappa"] = sklearn.cohen_kappa_score(labels, called, weights="quadratic")
    for name, value in expected.items():
        assert values[name] == pytest.approx(value, abs=1e-6 if name == "brier" else 1e-10), name


@given(cases())
@patient
def test_the_medmnist_set_is_its_evaluator(case: Case) -> None:
    labels, p = case
    task = "binary-class" if p.shape[1] == 2 else "multi-class"
    values = fit_metrics(labels, p, metrics="medmnist")
    assert values.keys() == {"medmnist_auc", "medmnist_acc"}
    assert values["medmnist_auc"][0] == pytest.approx(getAUC(labels[:, None], p, task), abs=1e-10)
    assert values["medmnist_acc"][0] == pytest.approx(getACC(labels[:, None], p, task), abs=1e-10)


def test_medmnist_calls_the_second_of_two_classes_above_a_half_whatever_the_first_has() -> None:
    labels, p = np.array([0, 1, 1]), np.array([[0.4, 0.5], [0.45, 0.4], [0.7, 0.6]])
    assert fit_metrics(labels, p, metrics="medmnist")["medmnist_acc"][0] == getACC(labels, p, "binary-class")
    assert fit_metrics(labels, p, metrics="medmnist")["medmnist_acc"][0] == pytest.approx(2 / 3)
    assert fit_metrics(labels, p)["accuracy"][0] == 0


@given(cases(), st.integers(0, 2**32 - 1))
@patient
def test_an_image_of_weight_2_counts_as_two_and_one_of_weight_0_as_none(case: Case, seed: int) -> None:
    labels, p = case
    weights = np.random.default_rng(seed).integers(0, 4, (len(labels), 3))
    for name, metric in EVERY.items():
        together = metric.weighted(labels, p, weights.astype(float))
        assert together.shape == (3,)
        for column, value in enumerate(together):
            chosen = np.repeat(np.arange(len(labels)), weights[:, column])
            alone = metric(labels[chosen], p[chosen]) if len(chosen) else math.nan
            assert value == pytest.approx(alone, abs=1e-10, nan_ok=True), name


@given(cases())
@patient
def test_metrics_lie_in_their_range_and_do_not_depend_on_the_order_of_images(case: Case) -> None:
    labels, p = case
    order = np.random.default_rng(len(labels)).permutation(len(labels))
    for name, metric in EVERY.items():
        value = metric(labels, p)
        low, high = {"brier": (0, 2), "quadratic_kappa": (-1, 1)}.get(name, (0, 1))
        assert math.isnan(value) or low - 1e-9 <= value <= high + 1e-9, name
        assert metric(labels[order], p[order]) == pytest.approx(value, abs=1e-12, nan_ok=True), name
        if metric.kind == MEAN:
            assert metric.images is not None
            assert metric.images(labels, p).mean() == pytest.approx(value, abs=1e-12)


def test_perfect_predictions_are_perfect() -> None:
    labels = np.array([0, 2, 1, 1, 2, 0, 0])
    values = fit_metrics(labels, np.eye(3)[labels], ordered=True)
    assert {value for name, (value, _) in values.items() if name not in ("brier", "calibration_error")} == {1.0}
    assert values["brier"][0] == values["calibration_error"][0] == 0


def test_a_certain_image_is_in_the_last_bin() -> None:
    p = np.array([[1.0, 0.0], [0.94, 0.06], [0.3, 0.7]])
    assert METRICS["calibration_error"](np.array([1, 0, 1]), p) == pytest.approx((abs(1.94 - 1) + abs(0.7 - 1)) / 3)


def test_calibration_error_is_that_of_torchmetrics_below_certainty() -> None:
    rng = np.random.default_rng(3)
    labels, p = rng.integers(0, 3, 90), rng.dirichlet([0.4, 0.5, 0.6], 90)
    expected = multiclass_calibration_error(torch.from_numpy(p), torch.from_numpy(labels), 3, n_bins=15)
    assert METRICS["calibration_error"](labels, p) == pytest.approx(float(expected), abs=1e-6)


def test_a_class_that_is_missing_makes_nan_with_a_reason() -> None:
    p = np.array([[0.7, 0.1, 0.1, 0.1], [0.2, 0.1, 0.6, 0.1], [0.6, 0.1, 0.2, 0.1]])
    values = fit_metrics(np.array([0, 2, 2]), p, list("wxyz"))
    missing = {name: reason for name, (value, reason) in values.items() if math.isnan(value)}
    every, own = "no test image of class number 1, 3", "no test image of class number {}"
    assert missing == {
        **dict.fromkeys(("balanced_accuracy", "macro_auc", "macro_f1"), every),
        **dict.fromkeys(("auc[x]", "sensitivity[x]"), own.format(1)),
        **dict.fromkeys(("auc[z]", "sensitivity[z]"), own.format(3)),
    }
    assert values["accuracy"] == (pytest.approx(2 / 3), "")


def test_images_of_one_class_only_leave_no_rest() -> None:
    values = fit_metrics(np.array([1, 1]), np.array([[0.1, 0.9], [0.2, 0.8]]), ordered=True)
    for name in ("specificity[1]", "auc[1]", "quadratic_kappa"):
        assert math.isnan(values[name][0])
        assert values[name][1] == "only test images of class number 1"
    assert values["sensitivity[1]"] == (1.0, "")


def test_kappa_is_for_grades_only() -> None:
    assert "quadratic_kappa" not in metric_set("default")
    assert "quadratic_kappa" in metric_set("default", ordered=True)


def test_an_unknown_set_is_answered_with_the_nearest() -> None:
    with pytest.raises(FoveolaError, match="did you mean 'medmnist'"):
        metric_set("medmist")
