"""The score of a map against a slow count of pairs."""

from __future__ import annotations

import logging
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from foveola.foundation.errors import FoveolaError
from foveola.maps.score import truth_auc


def count_pairs(attention_map: np.ndarray, truth: np.ndarray) -> float:
    """The share of pairs, one pixel inside and one outside, in which the inside is larger; ties count half."""
    won, pairs = 0.0, 0
    for inside in attention_map[truth]:
        for outside in attention_map[~truth]:
            pairs += 1
            won += 1.0 if inside > outside else 0.5 if inside == outside else 0.0
    return won / pairs


@given(
    arrays(np.int64, (5, 7), elements=st.integers(0, 4)),
    arrays(np.bool_, (5, 7)).filter(lambda truth: 0 < truth.sum() < truth.size),
)
def test_score_is_the_share_of_pairs_won(levels: np.ndarray, truth: np.ndarray) -> None:
    assert truth_auc(levels / 4, truth) == pytest.approx(count_pairs(levels / 4, truth), abs=1e-12)


def test_flat_inverted_and_perfect_maps() -> None:
    truth = np.zeros((6, 9), bool)
    truth[2:4, 5:8] = True
    assert truth_auc(np.full((6, 9), 0.3), truth) == 0.5
    assert truth_auc(truth.astype(np.float32), truth) == 1.0
    assert truth_auc(1 - truth.astype(np.float32), truth) == 0.0


@pytest.mark.parametrize(("inside", "reason"), [(False, "is empty"), (True, "covers every pixel")])
def test_region_without_contrast_has_no_score_and_says_why(
    inside: bool, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert math.isnan(truth_auc(np.eye(3, 5), np.full((3, 5), inside)))
    assert reason in caplog.text


def test_bad_maps_and_truths_are_refused() -> None:
    truth = np.eye(3, 5, dtype=bool)
    with pytest.raises(FoveolaError, match="NaN or infinity at 1 of 15 pixels"):
        truth_auc(np.where(truth & (np.arange(5) == 1), np.nan, 0.5), truth)
    with pytest.raises(FoveolaError, match=r"shape \(3, 5, 1\)"):
        truth_auc(np.zeros((3, 5, 1)), truth)
    with pytest.raises(ValueError, match="boolean"):
        truth_auc(np.eye(3, 5), truth.astype(float))
    with pytest.raises(ValueError, match="like the map"):
        truth_auc(np.eye(5, 3), truth)
