from __future__ import annotations

import math
import statistics

import pandas as pd
import pytest
from scipy import stats

from foveola.statistics import learning_curve

SIZES = [20, 20, 20, 7, 7, 33]


def splits() -> pd.DataFrame:
    """Draws of three sizes on one test set; the last image of each training set is validated on."""
    rows = [("x", "", fold, "test") for fold in range(len(SIZES))]
    for fold, size in enumerate(SIZES):
        rows += [(f"t{k}", "", fold, "val" if k == size - 1 else "train" if k < size else "unused") for k in range(40)]
    return pd.DataFrame(rows, columns=["sample", "group", "fold", "role"])


def results() -> pd.DataFrame:
    rows = [
        (arm, fold, seed, "accuracy", base + 0.01 * fold * (1 + fold) + 0.03 * seed, "")
        for arm, base in (("plain", 0.5), ("global", 0.6))
        for fold in range(len(SIZES))
        for seed in range(2)
    ]
    return pd.DataFrame(rows, columns=["arm", "fold", "seed", "metric", "value", "reason"])


def test_one_row_an_arm_and_size_with_the_t_interval_over_draws() -> None:
    rows = results()
    table = learning_curve(rows, splits(), "accuracy")
    assert table[["arm", "train_size"]].values.tolist() == [[a, n] for a in ("plain", "global") for n in (7, 20, 33)]
    for row in table.to_dict("records"):
        folds = [fold for fold, size in enumerate(SIZES) if size == row["train_size"]]
        own = rows[(rows["arm"] == row["arm"]) & rows["fold"].isin(folds)]
        draws = [statistics.mean(own[own["fold"] == fold]["value"]) for fold in folds]
        assert row["mean"] == pytest.approx(statistics.mean(draws), abs=1e-12)
        assert row["fits"] == 2 * len(folds)
        if len(draws) == 1:
            assert math.isnan(row["ci_low"])
            continue
        low, high = stats.t.interval(0.95, len(draws) - 1, statistics.mean(draws), stats.sem(draws))
        assert (row["ci_low"], row["ci_high"]) == pytest.approx((low, high), abs=1e-10)


def test_fits_in_which_the_metric_is_not_defined_are_left_out() -> None:
    rows = results()
    rows.loc[(rows["fold"] == 0) & (rows["arm"] == "plain"), "value"] = math.nan
    table = learning_curve(rows, splits(), "accuracy").set_index(["arm", "train_size"])
    assert table.loc[("plain", 20), "fits"] == 4
    assert table.loc[("global", 20), "fits"] == 6


def test_a_metric_that_is_not_there_has_no_curve() -> None:
    assert learning_curve(results(), splits(), "macro_auc").empty
