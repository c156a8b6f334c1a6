"""Two arms and one metric: every test that the design allows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from foveola.statistics.fit_scores import Design, Fit, fold_weights
from foveola.statistics.hypothesis_tests.bootstrap import counted_groups, percentile_interval, weighted_mean
from foveola.statistics.hypothesis_tests.delong import influence_test
from foveola.statistics.hypothesis_tests.fold_tests import nadeau_bengio, obuchowski_rockette, wilcoxon
from foveola.statistics.hypothesis_tests.group_tests import mcnemar, paired_bootstrap, sign_flips
from foveola.statistics.hypothesis_tests.result import NO_RESULT, TestResult
from foveola.statistics.metrics.metric import AREA, MEAN, Metric
from foveola.statistics.metrics.roc import auc_influences

NADEAU_BENGIO = "Nadeau-Bengio t"
OBUCHOWSKI_ROCKETTE = "Obuchowski-Rockette t"
WILCOXON = "Wilcoxon signed ranks"
DELONG = "DeLong"
SIGN_FLIPS = "sign flips over groups"
MCNEMAR = "McNemar exact"
BOOTSTRAP = "bootstrap over groups"
SPEAKS_ABOUT = {
    NADEAU_BENGIO: "other training sets and other patients",
    OBUCHOWSKI_ROCKETTE: "other patients and other draws (of training sets that share few images, or of seeds)",
    WILCOXON: "other training sets and other patients, if folds were independent",
    DELONG: "other patients, for the fits at hand",
    SIGN_FLIPS: "other patients, for the fits at hand",
    MCNEMAR: "other patients, for the fits at hand",
    BOOTSTRAP: "other patients, for the fits at hand",
}
"""What each p-value speaks about. No test speaks about what none of the fits varied."""


@dataclass(frozen=True)
class MetricData:
    """One metric of the fits of a family.

    Attributes:
        metric: The metric.
        values: Of every fit.
        resampled: Of every fit and resample of groups.
        parts: What every group adds to the value of every fit: for a ``MEAN`` its share of the sum (0 for a group whose
            images are all left out), for an ``AREA`` its influence; None for others.
    """

    metric: Metric
    values: Float[np.ndarray, " fits"]
    resampled: Float[np.ndarray, "fits resamples"]
    parts: Float[np.ndarray, "fits groups"] | None


@dataclass(frozen=True)
class PairResult:
    """What the tests of two arms found with one metric, the primary one first, and on what."""

    findings: dict[str, TestResult]
    fits: int
    folds: int
    groups: int


def group_parts(fits: Sequence[Fit], metric: Metric, design: Design) -> Float[np.ndarray, "fits groups"] | None:
    """Returns what every group adds to a metric of every fit, as in `MetricData`."""
    if metric.kind not in (MEAN, AREA):
        return None
    parts = np.zeros((len(fits), design.group_count))
    for number, fit in enumerate(fits):
        groups = design.groups[design.folds[fit.fold].test]
        if metric.images is not None:
            images = metric.images(fit.labels, fit.scores)
            images = np.nan_to_num(images) / max(1, np.count_nonzero(~np.isnan(images)))
        else:
            images = auc_influences(fit.labels, fit.scores, metric.classes(fit.scores.shape[1]), groups)
        parts[number] = np.bincount(groups, images, minlength=design.group_count)
    return parts


def primary_test(design: Design, folds: Sequence[int], metric: Metric) -> str:
    """Names the test that a verdict rests on.

    Folds with test sets of their own: Nadeau and Bengio's. Several draws of the training set on one test set:
    Obuchowski and Rockette's. One fold: DeLong's for areas, sign flips for means over images, else the bootstrap.
    """
    if len(folds) > 1:
        return OBUCHOWSKI_ROCKETTE if _one_test_set(design, folds) else NADEAU_BENGIO
    return {AREA: DELONG, MEAN: SIGN_FLIPS}.get(metric.kind, BOOTSTRAP)


def compare_pair(
    fits: Sequence[Fit],
    first: Int[np.ndarray, " pairs"],
    second: Int[np.ndarray, " pairs"],
    data: MetricData,
    design: Design,
    *,
    primary: str,
    seed: int,
) -> PairResult:
    """Applies every test that fits the design to two arms.

    Args:
        fits: The fits of the family.
        first: Places of the fits of the first arm.
        second: Places of those of the second, of the same folds and seeds in the same order.
        data: The metric of these fits.
        design: The design of the run.
        primary: The test to put first; one that the data do not allow says nothing.
        seed: Of random signs.
    """
    both = ~np.isnan(data.values[first]) & ~np.isnan(data.values[second])
    first, second = first[both], second[both]
    if not len(first):
        return PairResult({primary: NO_RESULT}, 0, 0, 0)
    used = [fits[place] for place in first]
    numbers = np.array([fit.fold for fit in used])
    folds = sorted(set(numbers.tolist()))
    weights = fold_weights(used)
    groups = counted_groups(used, data.metric, design)
    gains = data.values[second] - data.values[first]
    difference = float(gains @ weights)
    resampled = data.resampled[second] - data.resampled[first]
    moved = weighted_mean(resampled, weights)
    findings = {
        **_over_draws(design, folds, numbers, gains, resampled),
        **_over_images(data, first, second, difference, weights, groups, moved, seed),
        BOOTSTRAP: paired_bootstrap(difference, moved, len(groups)),
    }
    if (right := _single_hits(fits, first, second, data, design, folds)) is not None:
        findings[MCNEMAR] = mcnemar(*right)
    ordered = {primary: findings.get(primary, TestResult(difference, *[float("nan")] * 4)), **findings}
    return PairResult(ordered, len(first), len(folds), len(groups))


def _one_test_set(design: Design, folds: Sequence[int]) -> bool:
    return len({design.folds[fold].test.tobytes() for fold in folds}) == 1


def _over_draws(
    design: Design,
    folds: list[int],
    numbers: Int[np.ndarray, " fits"],
    gains: Float[np.ndarray, " fits"],
    resampled: Float[np.ndarray, "fits resamples"],
) -> dict[str, TestResult]:
    """Returns what tests over folds find, and over seeds where there is one fold."""
    findings = {}
    draws, moved = gains, resampled
    if len(folds) > 1:
        draws = np.array([gains[numbers == fold].mean() for fold in folds])
        moved = np.stack([resampled[numbers == fold].mean(0) for fold in folds])
        findings[NADEAU_BENGIO] = nadeau_bengio(draws, design.mean_train_size(folds), design.mean_test_size(folds))
        findings[WILCOXON] = wilcoxon(draws)
    if len(draws) > 1 and _one_test_set(design, folds):
        defined = moved[:, ~np.isnan(moved).any(0)]
        if defined.shape[1] > 1:
            covariances = np.cov(defined)
            shared = (covariances.sum() - np.trace(covariances)) / (len(draws) * (len(draws) - 1))
            findings[OBUCHOWSKI_ROCKETTE] = obuchowski_rockette(draws, float(shared))
    return findings


def _over_images(
    data: MetricData,
    first: Int[np.ndarray, " fits"],
    second: Int[np.ndarray, " fits"],
    difference: float,
    weights: Float[np.ndarray, " fits"],
    groups: Int[np.ndarray, " groups"],
    moved: Float[np.ndarray, " resamples"],
    seed: int,
) -> dict[str, TestResult]:
    """Returns what tests find that know what each group adds; sign flips have the interval of the bootstrap."""
    if data.parts is None:
        return {}
    sums = weights @ (data.parts[second][:, groups] - data.parts[first][:, groups])
    if data.metric.kind == AREA:
        return {DELONG: influence_test(difference, sums)}
    low, high = percentile_interval(moved)
    flipped = sign_flips(sums, seed=seed)
    return {
        SIGN_FLIPS: TestResult(
            flipped.difference,
            low,
            high,
            flipped.p_value,
            flipped.effect_size,
            flipped.standard_error,
            flipped.degrees_of_freedom,
        )
    }


def _single_hits(
    fits: Sequence[Fit],
    first: Int[np.ndarray, " fits"],
    second: Int[np.ndarray, " fits"],
    data: MetricData,
    design: Design,
    folds: list[int],
) -> tuple[np.ndarray, np.ndarray] | None:
    """Returns the hits of both arms if each image is of its own group and predicted once by each, else None."""
    if data.metric.images is None:
        return None
    tested = np.concatenate([design.groups[design.folds[fits[place].fold].test] for place in first])
    sides = [
        np.concatenate([data.metric.images(fits[place].labels, fits[place].scores) for place in side])
        for side in (first, second)
    ]
    if len(np.unique(tested)) < len(tested) or not np.isin(sides, (0.0, 1.0)).all():
        return None
    return sides[0], sides[1]
