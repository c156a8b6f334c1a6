"""The bootstrap over groups: one set of resamples for every fit, so that differences of arms are paired."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from foveola.statistics.fit_scores import Design, Fit
from foveola.statistics.metrics.label_metrics import ratio
from foveola.statistics.metrics.metric import Metric

RESAMPLES = 2_000
CHUNK = 2**21
"""How many weights are held at a time."""


def resampled_metrics(
    fits: Sequence[Fit], metrics: Sequence[Metric], design: Design, *, resamples: int = RESAMPLES, seed: int = 0
) -> Float[np.ndarray, "fits metrics resamples"]:
    """Returns every metric of every fit, with the groups of images drawn anew with replacement.

    A group brings all its images, in whatever fold they are tested; the same resample is the same for all fits. A
    metric that a resample leaves undefined (no image of a class) is NaN there.

    Source: Efron and Tibshirani 1993, chapter 6, with groups as the units that are drawn (Field and Welsh 2007).
    """
    values = np.empty((len(fits), len(metrics), resamples))
    tested = np.unique(np.concatenate([design.groups[design.folds[fit.fold].test] for fit in fits]))
    rng, chunk = np.random.default_rng(seed), max(1, CHUNK // len(design.groups))
    share = np.full(len(tested), 1 / len(tested))
    counts = np.zeros((design.group_count, chunk))
    for start in range(0, resamples, chunk):  # in parts: memory does not grow with images x resamples
        part = slice(start, min(start + chunk, resamples))
        drawn = counts[:, : part.stop - start]
        drawn[tested] = rng.multinomial(len(tested), share, part.stop - start).T
        for number, fit in enumerate(fits):
            weights = drawn[design.groups[design.folds[fit.fold].test]]
            for place, metric in enumerate(metrics):
                values[number, place, part] = metric.weighted(fit.labels, fit.scores, weights)
    return values


def counted_groups(fits: Sequence[Fit], metric: Metric, design: Design) -> Int[np.ndarray, " groups"]:
    """Returns the groups that have an image, in any of the fits, which the metric does not leave out."""
    images = [design.groups[design.folds[fit.fold].test][metric.counted(fit.labels, fit.scores)] for fit in fits]
    return np.unique(np.concatenate([np.empty(0, dtype=np.int64), *images]))


def weighted_mean(
    values: Float[np.ndarray, " fits *rest"], weights: Float[np.ndarray, " fits"]
) -> Float[np.ndarray, " *rest"]:
    """Returns the weighted mean over fits, over those that are defined; NaN where none is."""
    defined = ~np.isnan(values)
    whole = np.tensordot(weights, defined.astype(np.float64), 1)
    part = np.tensordot(weights, np.where(defined, values, 0), 1)
    return ratio(part, whole)


def percentile_interval(values: Float[np.ndarray, " resamples"]) -> tuple[float, float]:
    """Returns the 95 % percentile interval of resampled values, NaN where none is defined."""
    defined = values[~np.isnan(values)]
    if not len(defined):
        return float("nan"), float("nan")
    low, high = np.quantile(defined, [0.025, 0.975])
    return float(low), float(high)
