"""Many arms at once: average ranks over folds, Friedman's test and Nemenyi's differences."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pandas as pd
from scipy import stats

from foveola.statistics.fit_scores import read_design
from foveola.statistics.hypothesis_tests.result import LEVEL
from foveola.statistics.metrics.metric_sets import lower_is_better

FRIEDMAN_COLUMNS = ("train_size", "metric", "arm", "rank", "folds", "statistic", "p_value", "critical_difference")
NEMENYI_COLUMNS = ("train_size", "metric", "arm_a", "arm_b", "rank_difference", "p_value")
EQUAL_DIGITS = 12


def friedman_table(results: pd.DataFrame, splits: pd.DataFrame, metric: str = "macro_auc") -> pd.DataFrame:
    """Returns the average rank of every arm over folds, with Friedman's test that all arms are alike.

    Rank 1 is the best, equal values share the mean of their ranks; the value of a fold is the mean over its seeds. Only
    folds in which every arm has a value are used. Arms whose ranks differ by more than ``critical_difference`` differ
    at the level 0.05 (Nemenyi).

    Statistic and p-value are those of `scipy.stats.friedmanchisquare` (chi-squared, with its correction for ties), and
    0 and 1 if all arms tie in every fold. They are NaN for fewer than three arms or two folds. Folds that share
    training images are not independent, as the test takes them to be: it is a look at many arms, not a verdict.

    Source: Demsar 2006, section 3.2.2: the critical difference is ``q sqrt(k (k + 1) / (6 N))`` for k arms and N folds,
    with q the studentised range statistic over sqrt(2).

    Args:
        results: Rows of ``results.csv``.
        splits: Rows of ``splits.csv``; each size of a learning curve has its own ranks.
        metric: By which metric arms are ranked.
    """
    rows = []
    for size, values in _blocks(results, splits, metric):
        count, arms = values.shape
        statistic = p_value = critical = math.nan
        if arms > 2 and count > 1:
            statistic, p_value = 0.0, 1.0
            if (values.nunique(axis=1) > 1).any():
                statistic, p_value = (float(x) for x in stats.friedmanchisquare(*values.to_numpy().T))
            critical = float(stats.studentized_range.isf(LEVEL, arms, np.inf)) / math.sqrt(2) * _spread(count, arms)
        for arm, rank in _ranks(values, metric).items():
            rows.append((size, metric, arm, rank, count, statistic, p_value, critical))
    return pd.DataFrame(rows, columns=list(FRIEDMAN_COLUMNS))


def nemenyi_table(results: pd.DataFrame, splits: pd.DataFrame, metric: str = "macro_auc") -> pd.DataFrame:
    """Returns every pair of arms with the difference of their average ranks (second less first) and Nemenyi's p-value.

    The p-value is that of the studentised range for all arms at once, so it needs no further correction. It is NaN for
    fewer than three arms or two folds. The arguments and limits are those of `friedman_table`.
    """
    rows = []
    for size, values in _blocks(results, splits, metric):
        count, arms = values.shape
        ranks = _ranks(values, metric)
        for a, b in combinations(ranks.index, 2):
            apart, p_value = ranks[b] - ranks[a], math.nan
            if arms > 2 and count > 1:
                scaled = abs(apart) / _spread(count, arms) * math.sqrt(2)
                p_value = min(1.0, float(stats.studentized_range.sf(scaled, arms, np.inf)))
            rows.append((size, metric, a, b, apart, p_value))
    return pd.DataFrame(rows, columns=list(NEMENYI_COLUMNS))


def _blocks(results: pd.DataFrame, splits: pd.DataFrame, metric: str) -> list[tuple[int, pd.DataFrame]]:
    """Returns, of each training size, the values of folds x arms, over the folds that are complete."""
    own = results[results["metric"] == metric]
    families = []
    for size, folds in read_design(splits).families({int(fold) for fold in own["fold"]}):
        rows = own[own["fold"].isin(folds)]
        values = rows.pivot_table(index="fold", columns="arm", values="value", aggfunc="mean", sort=False, dropna=False)
        families.append((size, values.dropna().round(EQUAL_DIGITS)))
    return families


def _ranks(values: pd.DataFrame, metric: str) -> pd.Series[float]:
    return values.rank(axis=1, ascending=lower_is_better(metric)).mean()


def _spread(folds: int, arms: int) -> float:
    return math.sqrt(arms * (arms + 1) / (6 * folds))
