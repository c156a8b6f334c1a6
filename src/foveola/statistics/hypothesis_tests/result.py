"""The result of a test of two arms."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

LEVEL = 0.05
NOTHING = 1e-12
"""Differences and spreads up to this size are rounding, and count as 0."""


@dataclass(frozen=True)
class TestResult:
    """A difference of two arms, and how sure it is.

    Attributes:
        difference: What the second arm is above the first by.
        ci_low: Lower end of the 95 % interval of the difference; NaN where the test has none.
        ci_high: Its upper end.
        p_value: Two-sided.
        effect_size: As the test says; infinite where every part of the data differs by the same.
        standard_error: Of the difference; NaN where the test has none.
        degrees_of_freedom: Of the standard error; infinite for a normal approximation.
    """

    __test__ = False  # pytest takes a class of this name for a test

    difference: float
    ci_low: float
    ci_high: float
    p_value: float
    effect_size: float
    standard_error: float = float("nan")
    degrees_of_freedom: float = float("nan")


NO_RESULT = TestResult(*[float("nan")] * 5)
"""Of data that say nothing."""


def t_result(
    difference: float, standard_error: float, degrees_of_freedom: float, effect_size: float | None = None
) -> TestResult:
    """Returns interval and p-value of a difference that is t-distributed around the true one.

    A standard error of 0 gives what the formula tends to: p = 1 if the difference is 0 too, else p = 0, as
    `scipy.stats.ttest_rel` does. The latter is a sign that the spread could not be seen, not of certainty. One that is
    NaN gives NaN.

    Args:
        difference: The observed difference.
        standard_error: Its standard error.
        degrees_of_freedom: Of the standard error; infinity gives a normal distribution.
        effect_size: If not given, NaN.
    """
    difference = 0.0 if abs(difference) <= NOTHING else difference
    standard_error = 0.0 if standard_error <= NOTHING else standard_error
    if standard_error == 0:
        p_value = 1.0 if difference == 0 else 0.0
    else:
        p_value = float(2 * stats.t.sf(abs(difference / standard_error), degrees_of_freedom))
    margin = float(stats.t.isf(LEVEL / 2, degrees_of_freedom)) * standard_error
    effect = float("nan") if effect_size is None else effect_size
    return TestResult(
        difference, difference - margin, difference + margin, p_value, effect, standard_error, degrees_of_freedom
    )


def standardised(mean: float, sd: float) -> float:
    """Returns a mean over its sd: 0 for a mean of 0, infinite for any other mean without spread.

    Example:
        >>> standardised(0.2, 0.1), standardised(0.0, 0.0), standardised(-0.2, 0.0)
        (2.0, 0.0, -inf)
    """
    if abs(mean) <= NOTHING:
        return 0.0
    return mean / sd if not sd <= NOTHING else float(np.copysign(np.inf, mean))
