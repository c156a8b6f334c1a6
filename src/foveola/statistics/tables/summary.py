"""Tables of results: one row a fit and metric, and one row an arm."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from foveola.statistics.fit_scores import read_scores
from foveola.statistics.metrics.metric_sets import fit_metrics

FIT = ["arm", "fold", "seed"]


def results_table(
    predictions: pd.DataFrame, classes: Sequence[str], *, metrics: str = "default", ordered: bool = False
) -> pd.DataFrame:
    """Returns arm, fold, seed, metric, value and the reason of a NaN for every fit, in the order of the predictions.

    Args:
        predictions: Rows of ``predictions.csv``.
        classes: Names of the classes, in order.
        metrics: Name of the set of metrics, as in `metric_set`.
        ordered: Whether the classes are grades.

    Raises:
        FoveolaError: If the predictions lack a column that the metrics are computed from.
    """
    labels, scores = read_scores(predictions, classes, metrics)
    rows = []
    for (arm, fold, seed), fit in predictions.reset_index(drop=True).groupby(FIT, sort=False):
        own = fit.index.to_numpy()
        values = fit_metrics(labels[own], scores[own], classes, metrics=metrics, ordered=ordered)
        rows += [(arm, fold, seed, name, value, reason) for name, (value, reason) in values.items()]
    return pd.DataFrame(rows, columns=[*FIT, "metric", "value", "reason"])


def summary_table(results: pd.DataFrame) -> pd.DataFrame:
    """Returns one row an arm: the number of fits, and the mean and sd over fits of every metric in the results.

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
    fits = results.groupby("arm", sort=False)[["fold", "seed"]].apply(_count_fits)
    columns = {
        name: values for metric in mean for name, values in ((metric, mean[metric]), (f"{metric}_sd", sd[metric]))
    }
    return pd.DataFrame({"fits": fits, **columns})


def _count_fits(fits: pd.DataFrame) -> int:
    return len(fits.drop_duplicates())
