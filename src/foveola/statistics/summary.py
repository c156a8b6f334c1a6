"""Tables of results: one row a fit and metric, and one row an arm."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from foveola.statistics.metrics import METRICS, fit_metrics

FIT = ["arm", "fold", "seed"]


def results_table(predictions: pd.DataFrame, classes: Sequence[str]) -> pd.DataFrame:
    """Returns arm, fold, seed, metric, value and the reason of a NaN for every fit, in the order of the predictions.

    Args:
        predictions: Rows of ``predictions.csv``.
        classes: Names of the classes, in order.
    """
    columns = [f"p_{name}" for name in classes]
    rows = []
    for (arm, fold, seed), fit in predictions.groupby(FIT, sort=False):
        labels = pd.Index(classes).get_indexer(pd.Index(fit["label"]))
        values = fit_metrics(labels.astype(np.int64), fit[columns].to_numpy(np.float64))
        rows += [(arm, fold, seed, name, value, reason) for name, (value, reason) in values.items()]
    return pd.DataFrame(rows, columns=[*FIT, "metric", "value", "reason"])


def summary_table(results: pd.DataFrame) -> pd.DataFrame:
    """Returns one row an arm: the number of fits, and the mean and sd over fits of every metric.

    The sd is that of a sample (divided by the number of fits less one), NaN for one fit. It says how much fits differ,
    and is no interval for the difference of two arms. Fits in which a metric is not defined are left out of it.

    Example:
        >>> predictions = pd.DataFrame({"arm": "plain", "fold": 0, "seed": [0, 0, 1, 1], "label": ["a", "b"] * 2,
        ...     "p_a": [0.9, 0.2, 0.8, 0.7], "p_b": [0.1, 0.8, 0.2, 0.3]})
        >>> summary_table(results_table(predictions, ["a", "b"])).loc["plain", ["fits", "accuracy", "accuracy_sd"]]
        fits           2.000000
        accuracy       0.750000
        accuracy_sd    0.353553
        Name: plain, dtype: float64
    """
    grouped = results.groupby(["arm", "metric"], sort=False)["value"]
    mean, sd = grouped.mean().unstack(sort=False), grouped.std(ddof=1).unstack(sort=False)
    table = pd.DataFrame({"fits": results.groupby("arm", sort=False)[["fold", "seed"]].apply(_count_fits)})
    for name in METRICS:
        table[name], table[f"{name}_sd"] = mean[name], sd[name]
    return table


def _count_fits(fits: pd.DataFrame) -> int:
    return len(fits.drop_duplicates())
