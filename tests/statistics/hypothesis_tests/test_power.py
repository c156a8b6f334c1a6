"""Power and the detectable difference against statsmodels, integration, and simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats
from statsmodels.stats.power import TTestPower

from foveola.statistics.hypothesis_tests.power import detectable_difference, power


@pytest.mark.parametrize("count", [2, 3, 5, 10, 50])
def test_power_is_that_of_statsmodels(count: int) -> None:
    for effect in (0.1, 0.5):
        expected = TTestPower().power(effect, count, 0.05)
        assert power(effect, 1 / math.sqrt(count), count - 1) == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize(("freedom", "level"), [(1, 0.05), (2, 0.05 / 28), (9, 0.05), (40, 0.05 / 6)])
def test_power_is_the_integral_over_the_spread(freedom: int, level: float) -> None:
    bound = stats.t.isf(level / 2, freedom)
    for shift in (0.0, 0.7, 3.0):

        def rejects(v: float, shift: float = shift) -> float:
            spread = bound * math.sqrt(v / freedom)
            return float((stats.norm.sf(spread - shift) + stats.norm.cdf(-spread - shift)) * stats.chi2.pdf(v, freedom))

        peak = float(stats.chi2.ppf(0.5, freedom))
        parts = [integrate.quad(rejects, *limits, epsabs=1e-11, limit=400)[0] for limits in ((0, peak), (peak, np.inf))]
        assert power(shift, 1.0, freedom, level=level) == pytest.approx(sum(parts), abs=1e-6)


def test_the_normal_approximation_by_hand() -> None:
    expected = stats.norm.isf(0.025) + stats.norm.ppf(0.8)
    assert detectable_difference(0.02, math.inf) == pytest.approx(0.02 * expected, rel=1e-5)


@given(st.floats(1e-4, 10), st.one_of(st.integers(1, 300), st.just(math.inf)), st.sampled_from([0.05, 0.05 / 28]))
@settings(max_examples=40, deadline=None)
def test_the_detectable_difference_is_found_with_80_percent_power(error: float, freedom: float, level: float) -> None:
    found = detectable_difference(error, freedom, level=level)
    assert power(found, error, freedom, level=level) == pytest.approx(0.8, abs=1e-9)
    assert power(1.1 * found, error, freedom, level=level) > 0.8
    assert power(0.0, error, freedom, level=level) == pytest.approx(level, abs=1e-9)


def test_a_planted_difference_is_found_as_often_as_said() -> None:
    rng = np.random.default_rng(2)
    samples = rng.normal(0.8, 1, (20_000, 8))
    share = np.mean(stats.ttest_1samp(samples, 0, axis=1).pvalue <= 0.05)
    assert power(0.8, 1 / math.sqrt(8), 7) == pytest.approx(share, abs=0.012)


@pytest.mark.parametrize(("error", "freedom"), [(0.0, 4), (math.nan, 4), (0.1, math.nan), (0.1, 0)])
def test_without_a_standard_error_nothing_is_said(error: float, freedom: float) -> None:
    assert math.isnan(detectable_difference(error, freedom))
