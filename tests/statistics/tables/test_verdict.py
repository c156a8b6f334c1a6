"""A sentence claims no more than its row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from foveola.statistics import compare_arms, sentences
from foveola.statistics.hypothesis_tests.pair_tests import SPEAKS_ABOUT
from foveola.statistics.tables.verdict import EVIDENCE

ROW = {
    "train_size": 90,
    "arm_a": "plain",
    "arm_b": "global",
    "metric": "macro_auc",
    "test": "Nadeau-Bengio t",
    "primary": True,
    "difference": 0.004,
    "ci_low": -0.01,
    "ci_high": 0.018,
    "p_value": 0.4,
    "p_corrected": 0.53,
    "detectable": 0.019,
    "fits": 20,
    "folds": 10,
    "groups": 77,
}


def said(**changes: Any) -> str:
    (sentence,) = sentences(pd.DataFrame([{**ROW, **changes}]))
    return sentence


def test_what_was_not_shown_and_what_could_have_been() -> None:
    assert said() == (
        "global against plain: macro AUC +0.004 (95 % interval -0.010 to +0.018, Nadeau-Bengio t over 10 folds, "
        "Holm-corrected p = 0.53): no difference shown. A true difference of 0.019 would have been found here with "
        "80 % power; smaller ones may be missed."
    )


@pytest.mark.parametrize(
    ("difference", "p_corrected", "metric", "verdict"),
    [
        (0.1, 0.0449, "macro_auc", ": better, "),
        (-0.1, 0.05, "accuracy", ": worse, "),
        (0.1, 0.0501, "macro_auc", ": no difference shown. "),
        (-0.1, 0.001, "brier", ": better, "),
        (0.1, 0.001, "calibration_error", ": worse, "),
    ],
)
def test_better_or_worse_only_after_correction(
    difference: float, p_corrected: float, metric: str, verdict: str
) -> None:
    assert verdict in said(difference=difference, p_value=0.001, p_corrected=p_corrected, metric=metric)


def test_a_verdict_says_what_it_speaks_about() -> None:
    assert EVIDENCE.keys() == SPEAKS_ABOUT.keys()
    for test, about in SPEAKS_ABOUT.items():
        sentence = said(test=test, p_corrected=0.01)
        assert sentence.endswith(f"better, as far as this speaks about {about}.")
        assert "10 folds" in sentence or "20 fits" in sentence or "77" in sentence


def test_a_tiny_p_value_is_not_0() -> None:
    assert "Holm-corrected p < 0.0001" in said(p_corrected=1e-9)


def test_no_claim_without_spread() -> None:
    sentence = said(ci_low=0.004, ci_high=0.004, p_corrected=0.0, detectable=np.nan)
    assert "nothing can be said of chance" in sentence
    assert "better" not in sentence
    same = said(difference=0.0, ci_low=0.0, ci_high=0.0, p_corrected=1.0, detectable=np.nan)
    assert same.endswith("no difference shown.")


def test_no_claim_without_data() -> None:
    nothing = dict.fromkeys(("difference", "ci_low", "ci_high", "p_value", "p_corrected", "detectable"), np.nan)
    assert said(**nothing) == (
        "global against plain: macro AUC is not defined in any fit that both arms have: nothing can be said."
    )
    untested = said(**(nothing | {"difference": 0.02}))
    assert (
        untested
        == "global against plain: macro AUC +0.020, which the data do not suffice to test: nothing can be said."
    )


def test_only_primary_rows_are_said_and_sizes_where_there_are_several() -> None:
    rows = pd.DataFrame([ROW, {**ROW, "primary": False}, {**ROW, "train_size": 200}])
    first, second = sentences(rows)
    assert first.startswith("with 90 training images, global against plain: ")
    assert second.startswith("with 200 training images, ")


def test_the_rows_of_a_comparison_can_be_said(run: Callable[..., Any]) -> None:
    made = run(images=40, folds=2, arms=(("plain", 0.5), ("global", 0.6), ("ppcr", 0.7)))
    table = compare_arms(made.predictions, made.splits, ("late", "early", "none"), resamples=40)
    lines = sentences(table)
    assert len(lines) == 3
    assert all("Nadeau-Bengio t over 2 folds" in line for line in lines)
