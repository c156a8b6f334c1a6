"""Tests over images and groups against enumeration, statsmodels, and in their corners."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, permutation_test
from statsmodels.stats import contingency_tables

from foveola.statistics.hypothesis_tests.group_tests import FLIPS, mcnemar, paired_bootstrap, sign_flips

patient = settings(max_examples=40, deadline=None)
few = st.lists(st.integers(-4, 4), min_size=2, max_size=9).map(lambda values: np.array(values) / 30)


@given(few)
@patient
def test_few_groups_are_enumerated(sums: np.ndarray) -> None:
    patterns = [abs(sum(s * v for s, v in zip(p, sums, strict=True))) for p in product((-1, 1), repeat=len(sums))]
    expected = np.mean([value >= abs(sums.sum()) - 1e-12 for value in patterns])
    assert sign_flips(sums).p_value == pytest.approx(expected, abs=1e-10)


def test_few_groups_are_the_permutation_test_of_scipy() -> None:
    sums = np.array([0.31, -0.12, 0.05, 0.27, 0.11, -0.02])
    pair = (sums, np.zeros(6))
    expected = permutation_test(pair, lambda a, b: (a - b).sum(), permutation_type="samples")
    assert sign_flips(sums).p_value == pytest.approx(expected.pvalue, abs=1e-10)


def test_many_groups_are_close_to_enumeration() -> None:
    sums = np.random.default_rng(3).normal(0.3, 1, 15)
    flipped = np.array(list(product((-1, 1), repeat=15))) @ sums
    exact = np.mean(np.abs(flipped) >= abs(sums.sum()) - 1e-12)
    p_value = sign_flips(sums, seed=1).p_value
    assert 0.01 < exact < 0.9
    assert p_value == pytest.approx(exact, abs=4 * math.sqrt(exact * (1 - exact) / FLIPS))
    assert p_value != sign_flips(sums, seed=2).p_value


def test_many_groups_do_not_hang_on_the_size_of_a_part(monkeypatch: pytest.MonkeyPatch) -> None:
    sums = np.random.default_rng(4).normal(0.3, 1, 17)
    whole = sign_flips(sums)
    monkeypatch.setattr("foveola.statistics.hypothesis_tests.group_tests.CHUNK", 17 * 64)
    assert sign_flips(sums).p_value == pytest.approx(whole.p_value, abs=0.03)


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=20).map(np.array), st.integers(0, 9))
@patient
def test_flips_in_their_symmetries(sums: np.ndarray, seed: int) -> None:
    forth, back = sign_flips(sums, seed=seed), sign_flips(-sums, seed=seed)
    assert forth.difference == pytest.approx(sums.sum(), abs=1e-9)
    assert forth.p_value == back.p_value
    assert 0 < forth.p_value <= 1


def test_no_difference_anywhere_has_p_1() -> None:
    for count in (1, 5, 30):
        assert sign_flips(np.zeros(count)).p_value == 1


def test_the_standard_error_of_flips_is_that_of_a_sum_of_groups() -> None:
    sums = np.array([0.3, -0.1, 0.2, 0.4])
    found = sign_flips(sums)
    assert found.standard_error == pytest.approx(math.sqrt(4) * np.std(sums, ddof=1), abs=1e-12)
    assert found.effect_size == pytest.approx(sums.mean() / np.std(sums, ddof=1), abs=1e-12)


@given(st.integers(0, 2**32 - 1), st.integers(1, 60))
@patient
def test_mcnemar_is_that_of_statsmodels(seed: int, count: int) -> None:
    a, b = np.random.default_rng(seed).integers(0, 2, (2, count)).astype(float)
    table = [[np.sum((a == i) & (b == j)) for j in (1, 0)] for i in (1, 0)]
    found = mcnemar(a, b)
    assert found.p_value == pytest.approx(contingency_tables.mcnemar(table, exact=True).pvalue, abs=1e-10)
    assert found.difference == pytest.approx(b.mean() - a.mean(), abs=1e-12)
    assert mcnemar(b, a).p_value == pytest.approx(found.p_value, abs=1e-10)
    assert mcnemar(b, a).effect_size == pytest.approx(-found.effect_size, abs=1e-12)
    half = 1.959963984540054 * np.std(b - a) / math.sqrt(count)
    assert (found.ci_low, found.ci_high) == pytest.approx((found.difference - half, found.difference + half), abs=1e-9)


def test_mcnemar_of_arms_that_agree() -> None:
    found = mcnemar(np.array([1.0, 0, 1]), np.array([1.0, 0, 1]))
    assert (found.p_value, found.effect_size, found.ci_low, found.ci_high) == (1, 0, 0, 0)


def test_flips_of_single_images_are_mcnemar() -> None:
    rng = np.random.default_rng(5)
    a, b = rng.random((2, 11)) < [[0.4], [0.8]]
    assert sign_flips((b.astype(float) - a) / 11).p_value == pytest.approx(
        mcnemar(a.astype(float), b.astype(float)).p_value, abs=1e-10
    )


def test_the_bootstrap_counts_what_lies_on_the_other_side_of_0() -> None:
    resampled = np.array([-0.2, -0.1, 0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, np.nan])
    found = paired_bootstrap(0.2, resampled, 16)
    assert found.p_value == pytest.approx(2 * (1 + 3) / (1 + 9))
    assert (found.ci_low, found.ci_high) == pytest.approx(tuple(np.quantile(resampled[:9], [0.025, 0.975])))
    sd = np.std(resampled[:9], ddof=1)
    assert (found.standard_error, found.effect_size) == pytest.approx((sd, 0.2 / sd / 4))
    assert paired_bootstrap(-0.2, -resampled, 16).p_value == found.p_value


def test_the_bootstrap_of_nothing() -> None:
    assert paired_bootstrap(0.0, np.zeros(50), 7).p_value == 1
    undefined = paired_bootstrap(0.1, np.full(4, np.nan), 7)
    assert np.isnan([undefined.p_value, undefined.ci_low]).all()


def test_flips_are_uniform_where_the_arms_are_alike() -> None:
    rng = np.random.default_rng(11)
    p_values = [sign_flips(rng.normal(size=10)).p_value for _ in range(400)]
    for level in (0.05, 0.3):
        count = sum(p <= level for p in p_values)
        assert binomtest(count, 400, level).pvalue > 0.01
