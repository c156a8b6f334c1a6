"""Tests on the differences of folds: whether other training sets would show the difference too."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy import stats

from foveola.statistics.hypothesis_tests.result import NO_RESULT, NOTHING, TestResult, standardised, t_result

Differences = Float[np.ndarray, " folds"]


def nadeau_bengio(differences: Differences, train_size: float, test_size: float) -> TestResult:
    """Tests differences of folds with the corrected resampled t-test.

    Folds share training images, so their differences vary less than those of fresh training sets would, and the t-test
    that takes them for independent gives false alarms. Here the variance of the mean of J differences is
    ``(1 / J + test_size / train_size) s^2``, with J - 1 degrees of freedom; for k folds the second term is
    ``1 / (k - 1)``, however often they are repeated. The effect size is the mean difference over its sd.

    It speaks about other training sets and other test images of the same kind. The correction is an approximation (that
    the correlation of two folds is the share of test images); no exact one exists (Bengio and Grandvalet 2004).

    Source: Nadeau and Bengio 2003, the corrected resampled t-test; for repeated folds Bouckaert and Frank 2004. The
    sizes are means where folds differ in size.

    Args:
        differences: Second arm less first, one a fold, each the mean over seeds.
        train_size: Mean number of training images of a fold.
        test_size: Mean number of test images of a fold.

    Returns:
        NaN throughout, but for the difference, if there is one fold: it has no spread. For a spread of 0 see
        `t_result`.

    Example:
        >>> found = nadeau_bengio(np.array([0.01, 0.03, 0.02, -0.01, 0.05]), 80, 20)
        >>> round(found.difference, 3), round(found.p_value, 3)
        (0.02, 0.253)
    """
    return _t_test(differences, test_size / train_size)


def paired_t(differences: Differences) -> TestResult:
    """Tests differences of folds with the paired t-test, as if folds were independent: they are not.

    It is here to be measured against; its false alarms are far above its level. It agrees with
    `scipy.stats.ttest_rel` of the folds' values.
    """
    return _t_test(differences, 0.0)


def obuchowski_rockette(differences: Differences, covariance: float) -> TestResult:
    """Tests differences of draws (training sets or seeds) that share one test set, for other draws and other patients.

    The draws are the readers, and the test images the cases, of a multi-reader study: the variance of the mean of J
    differences is ``s^2 / J + max(covariance, 0)``, with ``(s^2 / J + covariance)^2 / ((s^2 / J)^2 / (J - 1))`` degrees
    of freedom, where s^2 is their variance over draws and the covariance that of two draws over test sets. Draws count
    as independent; the more training images they share, the less it speaks about other training sets.

    Source: Obuchowski and Rockette 1995, with the degrees of freedom of Hillis 2007, for two arms.

    Args:
        differences: Second arm less first, one a draw.
        covariance: Mean covariance of the differences of two draws over test sets, for instance over a bootstrap.
    """
    if len(differences) < 2:
        return _alone(differences)
    mean, variance = float(np.mean(differences)), float(np.var(differences, ddof=1))
    variance = 0.0 if variance <= NOTHING**2 else variance
    within, shared = variance / len(differences), max(covariance, 0.0)
    freedom = (within + shared) ** 2 / (within**2 / (len(differences) - 1)) if within else math.inf
    return t_result(mean, math.sqrt(within + shared), freedom, standardised(mean, math.sqrt(variance)))


def wilcoxon(differences: Differences) -> TestResult:
    """Tests differences of folds with Wilcoxon's signed ranks; equal to the 12th digit counts as equal.

    Zeros are left out, and the p-value is exact, also with ties, where `scipy.stats.wilcoxon` approximates it for more
    than 13 folds and takes its time for fewer; otherwise they agree. It is 1 if all are 0. The effect size is the
    rank-biserial correlation, ``(W+ - W-) / (W+ + W-)`` (Kerby 2014). It takes folds for independent, as `paired_t`
    does, and has no interval.
    """
    rounded = np.round(differences, 12)
    moved = rounded[rounded != 0]
    if not len(moved):
        return TestResult(float(np.mean(differences)), math.nan, math.nan, 1.0, 0.0) if len(differences) else NO_RESULT
    ranks = stats.rankdata(np.abs(moved))
    effect = float((np.sign(moved) * ranks).sum() / ranks.sum())
    p_value = _signed_rank_p(np.rint(2 * ranks).astype(int), moved > 0)
    return TestResult(float(np.mean(differences)), math.nan, math.nan, p_value, effect)


def _signed_rank_p(doubled: Int[np.ndarray, " folds"], positive: Bool[np.ndarray, " folds"]) -> float:
    """Returns the exact p-value of doubled ranks, which are whole numbers, where every sign is as likely."""
    chances = np.ones(1)
    for rank in doubled:  # the distribution of the sum of the positive ranks, one rank after the other
        chances = (np.pad(chances, (0, rank)) + np.pad(chances, (rank, 0))) / 2
    above = int(doubled[positive].sum())
    return min(1.0, 2 * float(min(chances[: above + 1].sum(), chances[above:].sum())))


def _t_test(differences: Differences, correction: float) -> TestResult:
    if len(differences) < 2:
        return _alone(differences)
    mean, sd = float(np.mean(differences)), float(np.std(differences, ddof=1))
    error = math.sqrt(1 / len(differences) + correction) * sd
    return t_result(mean, error, len(differences) - 1, standardised(mean, sd))


def _alone(differences: Differences) -> TestResult:
    mean = float(differences[0]) if len(differences) else math.nan
    return TestResult(mean, *[math.nan] * 4)
