"""Corrections of p-values for many tests; one that is NaN is no test and stays NaN.

They agree with `statsmodels.stats.multitest.multipletests`, which collects garbage at every call: more than all else
that a comparison of many arms does.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from scipy import stats

PValues = Sequence[float] | Float[np.ndarray, " tests"]


def holm(p_values: PValues) -> Float[np.ndarray, " tests"]:
    """Returns p-values such that rejecting those up to 0.05 makes any false alarm at most 5 % likely (Holm 1979).

    The smallest of m is multiplied by m, the next by m - 1, and so on; none is below one that was smaller before.

    Example:
        >>> holm([0.01, float("nan"), 0.04])
        array([0.02,  nan, 0.04])
    """
    values = np.array(p_values, dtype=np.float64)
    order = np.argsort(values)[: np.count_nonzero(~np.isnan(values))]  # NaN is sorted to the end
    scaled = values[order] * np.arange(len(order), 0, -1)
    values[order] = np.minimum(np.maximum.accumulate(scaled), 1)
    return values


def benjamini_hochberg(p_values: PValues) -> Float[np.ndarray, " tests"]:
    """Returns q-values: rejecting those up to 0.05 keeps the expected share of false alarms among rejections at 5 %.

    It holds for tests that are independent or positively dependent (Benjamini and Hochberg 1995).
    """
    values = np.array(p_values, dtype=np.float64)
    tested = ~np.isnan(values)
    if tested.any():
        values[tested] = stats.false_discovery_control(values[tested])
    return values
