"""Corrections of p-values for many tests; one that is NaN is no test and stays NaN."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from statsmodels.stats.multitest import multipletests

PValues = Sequence[float] | Float[np.ndarray, " tests"]


def holm(p_values: PValues) -> Float[np.ndarray, " tests"]:
    """Returns p-values such that rejecting those up to 0.05 makes any false alarm at most 5 % likely (Holm 1979).

    Example:
        >>> holm([0.01, float("nan"), 0.04])
        array([0.02,  nan, 0.04])
    """
    return _corrected(p_values, "holm")


def benjamini_hochberg(p_values: PValues) -> Float[np.ndarray, " tests"]:
    """Returns q-values: rejecting those up to 0.05 keeps the expected share of false alarms among rejections at 5 %.

    It holds for tests that are independent or positively dependent (Benjamini and Hochberg 1995).
    """
    return _corrected(p_values, "fdr_bh")


def _corrected(p_values: PValues, method: str) -> Float[np.ndarray, " tests"]:
    values = np.array(p_values, dtype=np.float64)
    tested = ~np.isnan(values)
    if tested.any():
        values[tested] = multipletests(values[tested], method=method)[1]
    return values
