"""Inner folds, and what is best on the images left out."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from foveola.attention import ARMS
from foveola.models.classical.inner_search import inner_folds, loss, standard


def drawn(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels of 60 images, most of them in groups of one to five, which may have several classes."""
    rng = np.random.default_rng(seed)
    groups = np.repeat([f"p{index}" for index in range(60)], rng.integers(1, 6, 60))[:50]
    return rng.choice(4, 60, p=[0.5, 0.25, 0.15, 0.1]), np.append(groups, [""] * 10)


@pytest.mark.parametrize("seed", range(12))
def test_no_group_is_split_and_every_image_is_left_out_once(seed: int) -> None:
    labels, groups = drawn(seed)
    folds = inner_folds(labels, groups, 5, seed)
    assert 2 <= len(folds) <= 5
    assert sorted(np.concatenate([out for _, out in folds])) == list(range(60))
    for training, out in folds:
        assert sorted([*training, *out]) == list(range(60))
        assert set(groups[training]) & set(groups[out]) <= {""}


def test_images_without_a_group_are_stratified() -> None:
    labels = np.repeat([0, 1, 2], [20, 15, 10])
    folds = inner_folds(labels, np.full(45, ""), 5, seed=3)
    assert [np.bincount(labels[out]).tolist() for _, out in folds] == [[4, 3, 2]] * 5


def test_a_seed_gives_the_same_folds_and_another_gives_others() -> None:
    labels, groups = drawn(0)

    def left_out(seed: int) -> list[list[int]]:
        return [out.tolist() for _, out in inner_folds(labels, groups, 4, seed)]

    assert left_out(1) == left_out(1) != left_out(2)


@pytest.mark.parametrize(
    ("labels", "groups", "expected"),
    [
        ("000000111111", "............", 5),
        ("000000000111", "............", 3),  # three images of a class
        ("000000000111", ".........aab", 2),  # two groups of a class
        ("000001111112", "............", 2),  # one image of a third class
        ("000000000001", "............", 0),
        ("000000111111", "aaaaaa......", 0),
        ("000000000000", "............", 0),
    ],
)
def test_a_class_of_few_groups_makes_fewer_folds(
    labels: str, groups: str, expected: int, caplog: pytest.LogCaptureFixture
) -> None:
    names = np.array([name.strip(".") for name in groups])
    with caplog.at_level(logging.INFO):
        assert len(inner_folds(np.array([int(label) for label in labels]), names, 5, seed=0)) == expected
    assert (f"{expected} inner folds instead of 5" in caplog.text) == (expected in (2, 3))


def test_losses_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(23, 3)), rng.integers(0, 3, 23)
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    assert loss(logits, labels, "log-loss") == pytest.approx(log_loss(labels, probabilities), abs=1e-12)
    expected = 1 - roc_auc_score(labels, probabilities, multi_class="ovr")
    assert loss(logits, labels, "auc") == pytest.approx(expected, abs=1e-12)
    two = np.where(labels == 2, 0, labels)
    expected = 1 - np.mean([roc_auc_score(two == label, probabilities[:, label]) for label in (0, 1)])
    assert loss(logits, two, "auc") == pytest.approx(expected, abs=1e-12), "a class without images has no area"


@pytest.mark.parametrize(("grid", "expected"), [((0.1, 1.0, 10.0), 1.0), ((100.0, 5.0), 5.0), ((1e-4, 1e-3), 1e-3)])
def test_without_a_search_the_usual_is_taken(grid: tuple[float, ...], expected: float) -> None:
    assert standard(grid) == expected


@pytest.mark.parametrize(
    ("given", "taken"), [(3, (3.0,)), (0.5, (0.5,)), ("1,2.5", (1.0, 2.5)), ("7", (7.0,)), ([1, 2], (1.0, 2.0))]
)
def test_one_number_is_a_grid_too(given: object, taken: tuple[float, ...]) -> None:
    settings = ARMS["svm"].configure({"c": given, "gamma": given}).model_dump()
    assert settings["c"] == settings["gamma"] == taken
