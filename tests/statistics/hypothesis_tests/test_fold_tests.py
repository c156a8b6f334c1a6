"""Tests over folds against scipy, by hand, and in their corners."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from foveola.statistics.hypothesis_tests.fold_tests import nadeau_bengio, obuchowski_rockette, paired_t, wilcoxon
from foveola.statistics.hypothesis_tests.result import standardised, t_result

patient = settings(max_examples=60, deadline=None)
folds = st.lists(st.floats(-0.2, 0.2).map(lambda value: round(value, 4)), min_size=2, max_size=12).map(np.array)


@given(folds)
@patient
def test_without_correction_it_is_the_paired_t_test_of_scipy(differences: np.ndarray) -> None:
    found = paired_t(differences)
    assert found.difference == pytest.approx(differences.mean(), abs=1e-12)
    if differences.std() > 1e-9:
        base = np.linspace(0.5, 0.9, len(differences))
        expected = stats.ttest_rel(base + differences, base)
        assert found.p_value == pytest.approx(expected.pvalue, abs=1e-9)
        interval = expected.confidence_interval(0.95)
        assert (found.ci_low, found.ci_high) == pytest.approx((interval.low, interval.high), abs=1e-9)


def test_nadeau_and_bengio_by_hand() -> None:
    differences, train, test = [0.02, -0.01, 0.04, 0.03], 90.0, 30.0
    mean = sum(differences) / 4
    variance = sum((value - mean) ** 2 for value in differences) / 3
    error = math.sqrt((1 / 4 + 30 / 90) * variance)
    found = nadeau_bengio(np.array(differences), train, test)
    assert found.p_value == pytest.approx(2 * stats.t.sf(mean / error, 3), abs=1e-12)
    margin = stats.t.ppf(0.975, 3) * error
    assert (found.ci_low, found.ci_high) == pytest.approx((mean - margin, mean + margin), abs=1e-12)
    assert (found.standard_error, found.degrees_of_freedom) == pytest.approx((error, 3), abs=1e-12)
    assert found.effect_size == pytest.approx(mean / math.sqrt(variance), abs=1e-12)


@given(folds, st.floats(0.05, 3))
@patient
def test_the_corrected_test_is_never_surer_than_the_naive_one(differences: np.ndarray, share: float) -> None:
    corrected, naive = nadeau_bengio(differences, 100, 100 * share), paired_t(differences)
    assert corrected.p_value >= naive.p_value - 1e-12
    assert corrected.ci_low <= naive.ci_low + 1e-12
    assert 0 <= naive.p_value <= corrected.p_value + 1e-12 <= 1 + 1e-11


@given(folds)
@patient
def test_swapping_the_arms_turns_the_sign_and_the_order_of_folds_does_not_matter(differences: np.ndarray) -> None:
    for test in (
        lambda d: nadeau_bengio(d, 80, 20),
        paired_t,
        wilcoxon,
        lambda d: obuchowski_rockette(d, 0.001),
    ):
        forth, back, shuffled = test(differences), test(-differences), test(differences[::-1])
        assert forth.difference == pytest.approx(-back.difference, abs=1e-12)
        assert forth.effect_size == pytest.approx(-back.effect_size, abs=1e-9)
        assert forth.p_value == pytest.approx(back.p_value, abs=1e-9)
        assert forth.p_value == pytest.approx(shuffled.p_value, abs=1e-9)
        assert 0 <= forth.p_value <= 1
        if not math.isnan(forth.ci_low):
            assert forth.ci_low == pytest.approx(-back.ci_high, abs=1e-12)


@given(folds)
@patient
def test_signed_ranks_are_those_of_scipy(differences: np.ndarray) -> None:
    found = wilcoxon(differences)
    if len(set(np.abs(differences).tolist()) - {0.0}) == len(differences):
        assert found.p_value == pytest.approx(stats.wilcoxon(differences).pvalue, abs=1e-12)
    ranks = stats.rankdata(np.abs(differences[differences != 0]))
    above = ranks[differences[differences != 0] > 0].sum()
    assert found.effect_size == pytest.approx(2 * above / ranks.sum() - 1 if len(ranks) else 0, abs=1e-12)


@pytest.mark.parametrize("differences", [[0.1, -0.1, 0.2, 0.2, 0.0], [0.3, 0.3, 0.3, -0.1, 0.2, -0.2, 0.1], [0.0, 0.2]])
def test_ties_are_enumerated_as_scipy_does(differences: list[float]) -> None:
    assert wilcoxon(np.array(differences)).p_value == pytest.approx(stats.wilcoxon(differences).pvalue, abs=1e-12)


def test_differences_that_are_equal_but_for_rounding_are_ties() -> None:
    values = np.array([0.1 + 0.2 - 0.3, 0.0, 0.3 - 0.1, 0.2])
    assert wilcoxon(values).p_value == wilcoxon(np.array([0, 0, 0.2, 0.2])).p_value
    assert wilcoxon(np.array([0.1 + 0.2 - 0.3])).p_value == 1


def test_readers_and_cases_by_hand() -> None:
    differences, covariance = [0.02, -0.01, 0.04], 0.0003
    mean = sum(differences) / 3
    within = sum((value - mean) ** 2 for value in differences) / 2 / 3
    freedom = (within + covariance) ** 2 / (within**2 / 2)
    found = obuchowski_rockette(np.array(differences), covariance)
    assert found.standard_error == pytest.approx(math.sqrt(within + covariance), abs=1e-12)
    assert found.degrees_of_freedom == pytest.approx(freedom, abs=1e-9)
    assert found.p_value == pytest.approx(2 * stats.t.sf(mean / math.sqrt(within + covariance), freedom), abs=1e-12)
    negative, naive = obuchowski_rockette(np.array(differences), -0.1), paired_t(np.array(differences))
    assert list(vars(negative).values()) == pytest.approx(list(vars(naive).values()), abs=1e-12)


@pytest.mark.parametrize("test", [lambda d: nadeau_bengio(d, 80, 20), paired_t, lambda d: obuchowski_rockette(d, 0.0)])
def test_without_spread_p_is_1_for_no_difference_and_0_for_any_other(test: object) -> None:
    assert callable(test)
    none, some = test(np.zeros(3)), test(np.full(3, 0.1))
    assert (none.p_value, none.ci_low, none.ci_high, none.effect_size) == (1, 0, 0, 0)
    assert some.p_value == 0
    assert some.ci_low == some.ci_high == pytest.approx(0.1)
    assert some.effect_size == math.inf
    noise = test(np.array([1e-17, -3e-17, 2e-17]))
    assert (noise.p_value, noise.difference) == (1, 0)


def test_two_folds_have_one_degree_of_freedom_and_one_none() -> None:
    two = nadeau_bengio(np.array([0.01, 0.03]), 50, 50)
    assert two.degrees_of_freedom == 1
    error = math.sqrt(1 / 2 + 1) * math.sqrt(2) * 0.01
    assert two.p_value == pytest.approx(2 * stats.t.sf(0.02 / error, 1), abs=1e-12)
    for test in (lambda d: nadeau_bengio(d, 50, 50), paired_t, lambda d: obuchowski_rockette(d, 0.1)):
        one, no = test(np.array([0.02])), test(np.array([]))
        assert one.difference == 0.02
        assert np.isnan([one.p_value, one.ci_low, one.ci_high, no.difference, no.p_value]).all()
    assert wilcoxon(np.array([0.02])).p_value == 1
    assert math.isnan(wilcoxon(np.array([])).p_value)


def test_an_unknown_standard_error_gives_an_unknown_p_value() -> None:
    found = t_result(0.1, math.nan, 5)
    assert np.isnan([found.p_value, found.ci_low, found.ci_high]).all()
    assert math.isnan(standardised(0.1, math.nan))
