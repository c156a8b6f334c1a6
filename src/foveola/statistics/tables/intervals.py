"""How sure every metric of every arm is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from foveola.statistics.fit_scores import fold_weights, read_design, read_fits
from foveola.statistics.hypothesis_tests.bootstrap import (
    RESAMPLES,
    counted_groups,
    percentile_interval,
    resampled_metrics,
    weighted_mean,
)
from foveola.statistics.metrics.metric_sets import detail_metrics, metric_set

INTERVAL_COLUMNS = ("train_size", "arm", "metric", "value", "ci_low", "ci_high", "fits", "groups")


def interval_table(
    predictions: pd.DataFrame,
    splits: pd.DataFrame,
    classes: Sequence[str],
    *,
    metrics: str = "default",
    ordered: bool = False,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> pd.DataFrame:
    """Returns a row for every arm and metric: its mean over folds, and the 95 % bootstrap interval over groups.

    The value of a fold is the mean over its seeds. The interval speaks about other patients for the fits at hand, not
    about other training sets or seeds; two that overlap do not say that the arms are alike, for arms are tested on
    the same images: that is what `compare_arms` is for. Folds in which a metric is not defined are left out of it;
    ``fits`` counts the others, and ``groups`` those of the images that the metric is of. The interval of the
    calibration error is moved by its bias in resamples: repeated images look less calibrated than fresh ones. A
    learning curve has rows for each training size.

    Args:
        predictions: Rows of ``predictions.csv``.
        splits: Rows of ``splits.csv``.
        classes: Names of the classes, in order.
        metrics: Name of the set of metrics, as in `metric_set`.
        ordered: Whether the classes are grades.
        resamples: How often the groups are drawn.
        seed: Of the draws.
    """
    design = read_design(splits)
    fits = read_fits(predictions, design, classes, metrics)
    chosen = metric_set(metrics, ordered=ordered) | detail_metrics(metrics, classes)
    members = list(chosen.values())
    rows = []
    for size, folds in design.families({fit.fold for fit in fits}):
        family = [fit for fit in fits if fit.fold in folds]
        for arm in dict.fromkeys(fit.arm for fit in family):
            own = [fit for fit in family if fit.arm == arm]
            resampled = resampled_metrics(own, members, design, resamples=resamples, seed=seed)
            values = np.array([[metric(fit.labels, fit.scores) for metric in members] for fit in own])
            for place, name in enumerate(chosen):
                defined = ~np.isnan(values[:, place])
                used = [fit for fit, there in zip(own, defined, strict=True) if there]
                weights, groups = fold_weights(used), len(counted_groups(used, members[place], design))
                value = float(weighted_mean(values[defined, place], weights))
                drawn = weighted_mean(resampled[defined, place], weights)
                bias = np.nanmean(drawn) - value if members[place].biased else 0.0
                rows.append((size, arm, name, value, *percentile_interval(drawn - bias), int(defined.sum()), groups))
    return pd.DataFrame(rows, columns=list(INTERVAL_COLUMNS))
