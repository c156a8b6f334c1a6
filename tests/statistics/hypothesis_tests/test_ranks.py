"""Ranks of many arms against scipy and the numbers of Demsar's paper."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from foveola.statistics import friedman_table, nemenyi_table


def results_of(values: dict[str, list[float]], metric: str = "macro_auc", seeds: int = 1) -> pd.DataFrame:
    """Results of arms over folds; with two seeds their mean is the value."""
    rows = [
        (arm, fold, seed, metric, value + (seed - (seeds - 1) / 2) * 0.01, "")
        for arm, folds in values.items()
        for fold, value in enumerate(folds)
        for seed in range(seeds)
    ]
    return pd.DataFrame(rows, columns=["arm", "fold", "seed", "metric", "value", "reason"])


def splits_of(folds: int) -> pd.DataFrame:
    rows = [
        (f"s{k}", "", fold, "test" if k == fold else "train") for fold in range(folds) for k in range(max(folds, 3))
    ]
    return pd.DataFrame(rows, columns=["sample", "group", "fold", "role"])


VALUES = {
    "plain": [0.71, 0.75, 0.70, 0.74, 0.69],
    "global": [0.73, 0.75, 0.74, 0.76, 0.72],
    "ppcr": [0.72, 0.70, 0.73, 0.77, 0.70],
    "cbam": [0.70, 0.69, 0.74, 0.71, 0.68],
}


def test_friedman_is_that_of_scipy_with_ties() -> None:
    table = friedman_table(results_of(VALUES, seeds=2), splits_of(5))
    expected = stats.friedmanchisquare(*VALUES.values())
    assert table["statistic"].tolist() == pytest.approx([expected.statistic] * 4, abs=1e-10)
    assert table["p_value"].tolist() == pytest.approx([expected.pvalue] * 4, abs=1e-10)
    places = []
    for fold in range(5):
        values, own = [value[fold] for value in VALUES.values()], VALUES["plain"][fold]
        places.append(1 + sum(value > own for value in values) + (values.count(own) - 1) / 2)
    assert table.set_index("arm").loc["plain", "rank"] == pytest.approx(sum(places) / 5)
    assert table["rank"].mean() == pytest.approx(2.5)
    assert set(table["folds"]) == {5}
    assert table["arm"].tolist() == list(VALUES)


def test_the_critical_difference_is_that_of_demsar() -> None:
    """Demsar 2006, table 5a: q at 0.05 is 2.343 for 3, 2.569 for 4 and 2.728 for 5 arms."""
    for count, q in ((3, 2.343), (4, 2.569), (5, 2.728)):
        values = {f"a{k}": [0.5 + 0.01 * k, 0.6, 0.55 - 0.01 * k, 0.5, 0.4, 0.3, 0.2] for k in range(count)}
        table = friedman_table(results_of(values), splits_of(7))
        expected = q * math.sqrt(count * (count + 1) / (6 * 7))
        assert table["critical_difference"].iloc[0] == pytest.approx(expected, abs=1e-3)


def test_pairs_at_the_critical_difference_have_p_of_a_twentieth() -> None:
    table, pairs = (make(results_of(VALUES), splits_of(5)) for make in (friedman_table, nemenyi_table))
    assert len(pairs) == 6
    ranks = table.set_index("arm")["rank"]
    critical = table["critical_difference"].iloc[0]
    for row in pairs.to_dict("records"):
        assert row["rank_difference"] == pytest.approx(ranks[row["arm_b"]] - ranks[row["arm_a"]])
        assert (row["p_value"] <= 0.05) == (abs(row["rank_difference"]) >= critical)
        scaled = abs(row["rank_difference"]) * math.sqrt(6 * 5 / (4 * 5)) * math.sqrt(2)
        assert row["p_value"] == pytest.approx(1 - stats.studentized_range.cdf(scaled, 4, np.inf), abs=1e-9)


def test_of_an_error_the_lowest_is_first() -> None:
    high = friedman_table(results_of(VALUES), splits_of(5)).set_index("arm")["rank"]
    low = friedman_table(results_of(VALUES, "brier"), splits_of(5), "brier").set_index("arm")["rank"]
    assert (high + low).tolist() == pytest.approx([5.0] * 4)


def test_folds_that_an_arm_lacks_are_left_out() -> None:
    rows = results_of(VALUES)
    rows.loc[(rows["arm"] == "ppcr") & (rows["fold"] == 3), "value"] = math.nan
    rows = rows[(rows["arm"] != "cbam") | (rows["fold"] != 1)]
    table = friedman_table(rows, splits_of(5))
    expected = stats.friedmanchisquare(*([v[0], v[2], v[4]] for v in VALUES.values()))
    assert table["p_value"].iloc[0] == pytest.approx(expected.pvalue, abs=1e-10)
    assert set(table["folds"]) == {3}


def test_arms_that_tie_everywhere_are_alike_and_two_arms_or_one_fold_are_no_test() -> None:
    ties = {name: [0.5, 0.6, 0.7] for name in "abc"}
    assert friedman_table(results_of(ties), splits_of(3))[["statistic", "p_value"]].values.tolist() == [[0, 1]] * 3
    assert nemenyi_table(results_of(ties), splits_of(3))["p_value"].tolist() == [1] * 3
    two = {name: VALUES[name] for name in ("plain", "ppcr")}
    one = {name: values[:1] for name, values in VALUES.items()}
    for values, folds in ((two, 5), (one, 1)):
        assert friedman_table(results_of(values), splits_of(folds))["p_value"].isna().all()
        assert nemenyi_table(results_of(values), splits_of(folds))["p_value"].isna().all()
