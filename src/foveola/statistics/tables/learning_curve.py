"""What every arm scores against the number of training images."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from scipy import stats

from foveola.statistics.fit_scores import read_design
from foveola.statistics.hypothesis_tests.result import LEVEL

CURVE_COLUMNS = ("arm", "train_size", "mean", "ci_low", "ci_high", "fits")


def learning_curve(results: pd.DataFrame, splits: pd.DataFrame, metric: str = "macro_auc") -> pd.DataFrame:
    """Returns the mean of a metric for every arm and training size, with the 95 % t-interval over draws.

    A draw is a fold: the value of a fold is the mean over its seeds, and folds in which the metric is not defined are
    left out; ``fits`` counts the fits of the others. The interval speaks about other draws of the training set (and
    seeds), tested on the same images; draws that share many of their images make it too narrow. One draw has none: NaN.

    Args:
        results: Rows of ``results.csv``.
        splits: Rows of ``splits.csv``; the training size of a fold is its number of training and validation images, and
            `fits.Design.families` says which sizes are one.
        metric: Name of the metric.

    Example:
        >>> splits = pd.DataFrame({"sample": ["x", "y"] * 2, "group": "", "fold": [0, 0, 1, 1],
        ...     "role": ["train", "test"] * 2})
        >>> results = pd.DataFrame({"arm": "plain", "fold": [0, 1], "seed": 0, "metric": "accuracy",
        ...     "value": [0.7, 0.8]})
        >>> learning_curve(results, splits, "accuracy").round(3).values.tolist()
        [['plain', 1, 0.75, 0.115, 1.385, 2]]
    """
    own = results[(results["metric"] == metric) & results["value"].notna()]
    rows = []
    for size, folds in read_design(splits).families({int(fold) for fold in own["fold"]}):
        family = own[own["fold"].isin(folds)]
        for arm, fits in family.groupby("arm", sort=False):
            draws = fits.groupby("fold")["value"].mean().to_numpy()
            mean, margin = float(np.mean(draws)), math.nan
            if len(draws) > 1:
                error = float(np.std(draws, ddof=1)) / math.sqrt(len(draws))
                margin = float(stats.t.isf(LEVEL / 2, len(draws) - 1)) * error
            rows.append((str(arm), size, mean, mean - margin, mean + margin, len(fits)))
    table = pd.DataFrame(rows, columns=list(CURVE_COLUMNS))
    order = {arm: place for place, arm in enumerate(own["arm"].unique())}
    return table.sort_values(
        ["arm", "train_size"], key=lambda c: c.map(order) if c.name == "arm" else c, ignore_index=True
    )
