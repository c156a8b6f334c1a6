"""Corrections against their definitions, written slowly."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from foveola.statistics.hypothesis_tests.corrections import benjamini_hochberg, holm

p_lists = st.lists(st.one_of(st.floats(0, 1), st.just(math.nan)), max_size=9)


def slow(p: list[float], factor: dict[int, float], upwards: bool) -> list[float]:
    """Multiplies the p-value of each rank by a factor and makes the result monotone from one end."""
    known = sorted((value, place) for place, value in enumerate(p) if not math.isnan(value))
    result, worst = [math.nan] * len(p), 0.0 if upwards else 1.0
    order = list(enumerate(known, start=1))
    for rank, (value, place) in order if upwards else reversed(order):
        scaled = min(1.0, value * factor[rank])
        worst = max(worst, scaled) if upwards else min(worst, scaled)
        result[place] = worst
    return result


@given(p_lists)
@settings(max_examples=40, deadline=None)
def test_corrections_are_what_they_say(p: list[float]) -> None:
    count = sum(not math.isnan(value) for value in p)
    step_down = slow(p, {rank: count - rank + 1 for rank in range(1, count + 1)}, True)
    step_up = slow(p, {rank: count / rank for rank in range(1, count + 1)}, False)
    assert holm(p).tolist() == pytest.approx(step_down, abs=1e-10, nan_ok=True)
    assert benjamini_hochberg(p).tolist() == pytest.approx(step_up, abs=1e-10, nan_ok=True)


@pytest.mark.parametrize("p", [[0.03], [0.01, 0.01, 0.9], [0.2, 0.011, 0.04, 0.013, 0.02], [0.0, 1.0]])
def test_corrections_are_those_of_statsmodels(p: list[float]) -> None:
    assert holm(p).tolist() == pytest.approx(multipletests(p, method="holm")[1].tolist(), abs=1e-10)
    assert benjamini_hochberg(p).tolist() == pytest.approx(multipletests(p, method="fdr_bh")[1].tolist(), abs=1e-10)


@given(p_lists)
@settings(max_examples=40, deadline=None)
def test_holm_is_at_least_q_and_that_at_least_p(p: list[float]) -> None:
    raw = np.array(p, dtype=float)
    known = ~np.isnan(raw)
    corrected, q = holm(p)[known], benjamini_hochberg(p)[known]
    assert (corrected >= q - 1e-12).all()
    assert (q >= raw[known] - 1e-12).all()
    assert (corrected <= 1).all()
