"""Tests on the images of one or more test sets: whether other patients would show the difference of these fits."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
from jaxtyping import Float
from scipy import stats

from foveola.statistics.hypothesis_tests.bootstrap import percentile_interval
from foveola.statistics.hypothesis_tests.result import NOTHING, TestResult, standardised, t_result

FLIPS = 10_000
EXACT = 12
"""Up to so many groups every pattern of signs is tried."""
CHUNK = 2**22
"""How many signs are held at a time."""

GroupSums = Float[np.ndarray, " groups"]


def sign_flips(sums: GroupSums, *, seed: int = 0) -> TestResult:
    """Tests the exact hypothesis that the two arms may be swapped within each group (a patient).

    The sum of what groups add to the difference is compared with that under random signs, or under all 2^G signs of up
    to 12 groups. With random signs p = (1 + number as extreme) / (1 + flips) (Phipson and Smyth 2010). It speaks about
    other patients for the fits at hand. The effect size is the mean of a group over its sd.

    Args:
        sums: What every group adds to the difference of the arms, which is their sum.
        seed: Of the random signs.

    Returns:
        A finding with the standard error of the sum over groups, ``sqrt(G) sd``; its interval is the t-interval.

    Example:
        >>> sign_flips(np.array([0.1, 0.2, 0.1])).p_value
        0.25
    """
    count, difference = len(sums), float(np.sum(sums))
    if count <= EXACT:
        flipped = np.array(list(product((-1.0, 1.0), repeat=count))) @ sums
        p_value = float(np.mean(np.abs(flipped) >= abs(difference) - NOTHING))
    else:
        rng, chunk, extreme = np.random.default_rng(seed), max(1, CHUNK // count), 0
        for start in range(0, FLIPS, chunk):  # in parts: memory does not grow with groups x flips
            signs = rng.integers(0, 2, (min(chunk, FLIPS - start), count), dtype=np.int8)
            flipped = signs @ (2 * sums) - difference
            extreme += int(np.count_nonzero(np.abs(flipped) >= abs(difference) - NOTHING))
        p_value = (extreme + 1) / (FLIPS + 1)
    if count < 2:
        return TestResult(difference, math.nan, math.nan, p_value, math.nan)
    sd = float(np.std(sums, ddof=1))
    by_t = t_result(difference, math.sqrt(count) * sd, count - 1)
    effect = standardised(difference / count, sd)
    return TestResult(
        by_t.difference, by_t.ci_low, by_t.ci_high, p_value, effect, by_t.standard_error, by_t.degrees_of_freedom
    )


def paired_bootstrap(difference: float, resampled: Float[np.ndarray, " resamples"], groups: int) -> TestResult:
    """Tests a difference by resampled ones: the interval is their percentiles, and p is where it would touch 0.

    ``p = 2 (1 + min(number <= 0, number >= 0)) / (1 + number)``, at most 1 (Davison and Hinkley 1997, section 4.4). It
    speaks about other patients for the fits at hand. Resamples in which the metric is not defined are left out. The
    effect size is the difference over ``sqrt(groups)`` standard errors: that of one group.
    """
    defined = resampled[~np.isnan(resampled)]
    if not len(defined) or math.isnan(difference):
        return TestResult(difference, *[math.nan] * 4)
    smaller = min(np.count_nonzero(defined <= NOTHING), np.count_nonzero(defined >= -NOTHING))
    p_value = min(1.0, 2 * (1 + smaller) / (1 + len(defined)))
    error = float(np.std(defined, ddof=1)) if len(defined) > 1 else math.nan
    effect = standardised(difference, error * math.sqrt(groups))
    return TestResult(difference, *percentile_interval(defined), p_value, effect, error, groups - 1)


def mcnemar(right_a: Float[np.ndarray, " images"], right_b: Float[np.ndarray, " images"]) -> TestResult:
    """Tests two arms on the same independent images with McNemar's exact test.

    Of the images that one arm alone gets right, each arm has half if they are alike: a binomial test. It speaks about
    other images for the two fits at hand. The effect size is Cohen's g, the share of the second arm less 1/2. The
    interval is that of a paired difference of shares by Wald. No image that differs gives p = 1.

    Source: McNemar 1947; agrees with `statsmodels.stats.contingency_tables.mcnemar` with ``exact=True``.

    Args:
        right_a: 1 where the first arm is right, else 0.
        right_b: The same of the second.
    """
    only_a = int(np.sum((right_a == 1) & (right_b == 0)))
    only_b = int(np.sum((right_b == 1) & (right_a == 0)))
    count = len(right_a)
    difference = (only_b - only_a) / count
    differing = only_a + only_b
    p_value = float(stats.binomtest(only_b, differing).pvalue) if differing else 1.0
    margin = float(stats.norm.isf(0.025)) * math.sqrt(max(differing - count * difference**2, 0)) / count
    effect = only_b / differing - 0.5 if differing else 0.0
    return TestResult(difference, difference - margin, difference + margin, p_value, effect)
