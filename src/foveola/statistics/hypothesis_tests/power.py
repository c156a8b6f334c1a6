"""What a data set could have shown."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from scipy import optimize, stats

from foveola.statistics.hypothesis_tests.result import LEVEL, NOTHING

POWER = 0.8


def power(difference: float, standard_error: float, degrees_of_freedom: float, *, level: float = LEVEL) -> float:
    """Returns the probability that a two-sided t-test finds a true difference of this size.

    The statistic follows the noncentral t distribution with noncentrality ``difference / standard_error``: the power of
    the one-sample t-test (Cohen 1988, section 2.3), taken at the standard error that was observed.

    Args:
        difference: The true difference; its sign does not matter.
        standard_error: Of the observed difference, above 0.
        degrees_of_freedom: Of the standard error; infinity for a normal approximation.
        level: Two-sided level of the test.

    Example:
        >>> round(power(0.03, 0.01, 9), 3), round(power(0.0, 0.01, 9), 3)
        (0.761, 0.05)
    """
    shift = abs(difference) / standard_error
    bound = float(stats.t.isf(level / 2, degrees_of_freedom))
    if math.isinf(degrees_of_freedom):
        return float(stats.norm.sf(bound - shift) + stats.norm.cdf(-bound - shift))
    above = float(stats.nct.sf(bound, degrees_of_freedom, shift))
    below = float(stats.nct.cdf(-bound, degrees_of_freedom, shift))
    return above + (0.0 if np.isnan(below) else below)  # scipy's NaN stands for what is too small to be written


def detectable_difference(
    standard_error: float, degrees_of_freedom: float, *, level: float = LEVEL, wanted: float = POWER
) -> float:
    """Returns the smallest true difference that a two-sided t-test finds with the wanted power.

    NaN for a standard error of 0 or NaN: nothing tells the spread then.

    Args:
        standard_error: Of the observed difference.
        degrees_of_freedom: Of the standard error; infinity for a normal approximation.
        level: Two-sided level of the test.
        wanted: The power, between ``level`` and 1.

    Example:
        >>> round(detectable_difference(0.01, float("inf")), 4), round(detectable_difference(0.01, 9), 4)
        (0.028, 0.0315)
    """
    if not (standard_error > NOTHING and degrees_of_freedom > 0):
        return math.nan
    return _needed_shift(degrees_of_freedom, level, wanted) * standard_error


@lru_cache(maxsize=1024)
def _needed_shift(degrees_of_freedom: float, level: float, wanted: float) -> float:
    """Returns the detectable difference in standard errors; the pairs of a comparison ask for few."""
    high = float(stats.t.isf(level / 2, degrees_of_freedom)) + 1.0
    while power(high, 1.0, degrees_of_freedom, level=level) < wanted:
        high *= 2

    def lacking(shift: float) -> float:
        return power(shift, 1.0, degrees_of_freedom, level=level) - wanted

    return float(optimize.brentq(lacking, 0.0, high, xtol=1e-12))
