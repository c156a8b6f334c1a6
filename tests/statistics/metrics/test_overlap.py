"""Scores of overlap against counting with sets and against scikit-learn and torchmetrics."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn import metrics as sklearn
from torchmetrics.functional.classification import binary_f1_score, binary_jaccard_index

from foveola.statistics.metrics.overlap import Overlap, overlap

masks = arrays(bool, (5, 8))
patient = settings(max_examples=60, deadline=None)
SCORES = ("dice", "jaccard", "sensitivity", "specificity", "precision")


def pixels(mask: np.ndarray) -> set[tuple[int, int]]:
    return {(y, x) for y in range(mask.shape[0]) for x in range(mask.shape[1]) if mask[y, x]}


@given(masks, masks, masks)
@patient
def test_scores_are_those_of_sets_of_pixels(predicted: np.ndarray, reference: np.ndarray, scored: np.ndarray) -> None:
    inside = pixels(scored)
    called, there = pixels(predicted) & inside, pixels(reference) & inside
    rest = inside - there
    found = overlap(predicted, reference, scored)
    assert (found.tp, found.fp, found.fn) == (len(called & there), len(called - there), len(there - called))
    assert found.tn == len(rest - called)
    if not called or not there:
        assert found.dice == found.jaccard == found.precision == float(called == there)
    else:
        assert found.dice == 2 * len(called & there) / (len(called) + len(there))
        assert found.jaccard == len(called & there) / len(called | there)
        assert found.precision == len(called & there) / len(called)
    assert math.isnan(found.sensitivity) if not there else found.sensitivity == len(called & there) / len(there)
    assert math.isnan(found.specificity) if not rest else found.specificity == len(rest - called) / len(rest)


@given(masks, masks)
@patient
def test_scores_are_those_of_other_libraries(predicted: np.ndarray, reference: np.ndarray) -> None:
    found = overlap(predicted, reference, np.ones_like(reference))
    if not (predicted.any() and reference.any() and not reference.all()):
        return
    there, called = reference.ravel(), predicted.ravel()
    assert found.dice == pytest.approx(sklearn.f1_score(there, called))
    assert found.jaccard == pytest.approx(sklearn.jaccard_score(there, called))
    assert found.sensitivity == pytest.approx(sklearn.recall_score(there, called))
    assert found.specificity == pytest.approx(sklearn.recall_score(there, called, pos_label=False))
    assert found.precision == pytest.approx(sklearn.precision_score(there, called))
    pair = torch.from_numpy(called), torch.from_numpy(there)
    assert found.dice == pytest.approx(float(binary_f1_score(*pair)), abs=1e-6)
    assert found.jaccard == pytest.approx(float(binary_jaccard_index(*pair)), abs=1e-6)


@given(masks, masks, masks, st.sampled_from([np.flipud, np.fliplr, np.transpose, np.rot90]))
@patient
def test_what_holds_for_all_masks(predicted: np.ndarray, reference: np.ndarray, scored: np.ndarray, moved) -> None:
    found = overlap(predicted, reference, scored)
    assert found == overlap(moved(predicted), moved(reference), moved(scored))
    back = overlap(reference, predicted, scored)
    assert (found.dice, found.jaccard) == (back.dice, back.jaccard)
    assert found.jaccard == pytest.approx(found.dice / (2 - found.dice))
    for score in SCORES:
        value = getattr(found, score)
        assert math.isnan(value) or 0 <= value <= 1


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ((0, 0, 0, 9), (1, 1, math.nan, 1, 1)),
        ((0, 4, 0, 5), (0, 0, math.nan, 5 / 9, 0)),
        ((0, 0, 4, 5), (0, 0, 0, 1, 0)),
        ((9, 0, 0, 0), (1, 1, 1, math.nan, 1)),
        ((6, 0, 3, 0), (0.8, 2 / 3, 2 / 3, math.nan, 1)),
        ((0, 0, 9, 0), (0, 0, 0, math.nan, 0)),
    ],
)
def test_corners(counts: tuple[int, int, int, int], expected: tuple[float, ...]) -> None:
    found = Overlap(*counts)
    assert [getattr(found, score) for score in SCORES] == pytest.approx(expected, nan_ok=True)
