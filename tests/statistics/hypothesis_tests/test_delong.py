"""DeLong's test against the textbook written out, in its symmetries, and with groups against Obuchowski's formula."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, norm

from foveola.statistics.hypothesis_tests.delong import delong
from foveola.statistics.metrics.roc import auc, auc_influences, structural_components

patient = settings(max_examples=30, deadline=None)


def two_columns(scores: np.ndarray) -> np.ndarray:
    return np.stack([1 - scores, scores], 1)


def kernel(positive: float, negative: float) -> float:
    return 1.0 if positive > negative else 0.5 if positive == negative else 0.0


def slow_delong(labels: np.ndarray, scores: list[np.ndarray]) -> tuple[list[float], np.ndarray]:
    """Areas and their covariance matrix, from DeLong, DeLong and Clarke-Pearson 1988, with loops."""
    inside, outside = np.flatnonzero(labels == 1), np.flatnonzero(labels == 0)
    v10 = [[np.mean([kernel(s[i], s[j]) for j in outside]) for i in inside] for s in scores]
    v01 = [[np.mean([kernel(s[i], s[j]) for i in inside]) for j in outside] for s in scores]
    areas = [float(np.mean(row)) for row in v10]
    s10 = [
        [
            sum((a - areas[r]) * (b - areas[t]) for a, b in zip(v10[r], v10[t], strict=True)) / (len(inside) - 1)
            for t in range(2)
        ]
        for r in range(2)
    ]
    s01 = [
        [
            sum((a - areas[r]) * (b - areas[t]) for a, b in zip(v01[r], v01[t], strict=True)) / (len(outside) - 1)
            for t in range(2)
        ]
        for r in range(2)
    ]
    return areas, np.array(s10) / len(inside) + np.array(s01) / len(outside)


def random_case(seed: int, images: int = 23, step: float = 0.05) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels with at least two of each class, and rounded scores of two arms, so that some are equal."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.concatenate([[0, 0, 1, 1], rng.integers(0, 2, images - 4)]))
    base = labels * 0.2 + rng.random(images) * 0.8
    return labels, *(np.round((base + rng.random(images)) / 2 / step) * step for _ in range(2))


@given(st.integers(0, 2**32 - 1))
@patient
def test_two_classes_are_the_textbook(seed: int) -> None:
    labels, *scores = random_case(seed)
    areas, covariance = slow_delong(labels, scores)
    variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    found = delong(labels, *map(two_columns, scores))
    assert found.difference == pytest.approx(areas[1] - areas[0], abs=1e-10)
    assert found.standard_error == pytest.approx(np.sqrt(max(variance, 0)), abs=1e-10)
    if variance > 1e-9:
        z = (areas[1] - areas[0]) / np.sqrt(variance)
        assert found.p_value == pytest.approx(2 * norm.sf(abs(z)), abs=1e-10)
        half = norm.isf(0.025) * np.sqrt(variance)
        assert (found.ci_low, found.ci_high) == pytest.approx((areas[1] - areas[0] - half, areas[1] - areas[0] + half))


def test_the_mean_of_components_is_the_area_on_either_side() -> None:
    labels, scores, _ = random_case(4)
    inside, outside = structural_components(labels == 1, scores)
    area = auc(labels, two_columns(scores), np.ones((23, 1)), [1])[0]
    assert inside.mean() == pytest.approx(area, abs=1e-12)
    assert outside.mean() == pytest.approx(area, abs=1e-12)


def test_three_classes_have_the_covariance_of_their_areas() -> None:
    """The mean of three areas, with what each image adds to it summed over the pairs of classes by hand."""
    rng = np.random.default_rng(5)
    labels, p = rng.permutation(np.arange(26) % 3), rng.dirichlet([1, 1, 1], 26)
    variance = 0.0
    parts = np.zeros((3, 26))
    for k in range(3):
        inside, outside = np.flatnonzero(labels == k), np.flatnonzero(labels != k)
        area = np.mean([kernel(p[i, k], p[j, k]) for i in inside for j in outside])
        m, n = len(inside), len(outside)
        for i in inside:
            parts[k, i] = (np.mean([kernel(p[i, k], p[j, k]) for j in outside]) - area) / np.sqrt(m * (m - 1))
        for j in outside:
            parts[k, j] = (np.mean([kernel(p[i, k], p[j, k]) for i in inside]) - area) / np.sqrt(n * (n - 1))
    for k in range(3):
        for other in range(3):
            variance += float(parts[k] @ parts[other]) / 9
    mine = auc_influences(labels, p, range(3), np.arange(26))
    assert (mine**2).sum() == pytest.approx(variance, abs=1e-12)
    assert mine.sum() == pytest.approx(0, abs=1e-12)


def test_three_classes_have_about_the_spread_of_fresh_images() -> None:
    rng = np.random.default_rng(6)

    def sample(count: int) -> tuple[np.ndarray, np.ndarray]:
        labels = np.arange(count) % 3
        scores = np.eye(3)[labels] + rng.normal(size=(count, 3))
        return labels, np.exp(scores) / np.exp(scores).sum(1, keepdims=True)

    ones = np.ones((90, 1))
    areas, errors = [], []
    for _ in range(400):
        labels, p = sample(90)
        areas.append(auc(labels, p, ones, range(3))[0])
        errors.append(np.sqrt((auc_influences(labels, p, range(3), np.arange(90)) ** 2).sum()))
    assert np.mean(errors) == pytest.approx(np.std(areas), rel=0.12)


def test_groups_are_those_of_obuchowski() -> None:
    """The variance of one area from clustered data (Obuchowski 1997), with every group on one side only."""
    labels, scores, _ = random_case(7, images=24)
    labels = np.sort(labels)
    inside, outside = labels == 1, labels == 0
    groups = np.where(inside, np.cumsum(inside) // 3, 100 + np.cumsum(outside) // 2)
    v10, v01 = structural_components(inside, scores)
    area, variance = v10.mean(), 0.0
    for values, side in ((v10, inside), (v01, outside)):
        own = groups[side]
        names = sorted(set(own.tolist()))
        sums = [sum(value - area for value, name in zip(values, own, strict=True) if name == k) for k in names]
        spread = len(names) / ((len(names) - 1) * side.sum()) * sum(total**2 for total in sums)
        variance += spread / side.sum()
    found = delong(labels, np.full((24, 2), 0.5), two_columns(scores), groups=groups)
    assert found.standard_error == pytest.approx(np.sqrt(variance), abs=1e-10)


def test_images_that_are_there_twice_in_a_group_add_nothing_to_how_sure_it_is() -> None:
    labels, first, second = random_case(8)
    alone = delong(labels, two_columns(first), two_columns(second))
    twice = [np.repeat(values, 2) for values in (labels, first, second)]
    grouped = delong(twice[0], *map(two_columns, twice[1:]), groups=np.repeat(np.arange(23), 2))
    naive = delong(twice[0], *map(two_columns, twice[1:]))
    assert grouped.standard_error == pytest.approx(alone.standard_error, abs=1e-12)
    assert naive.standard_error < 0.75 * alone.standard_error


@pytest.mark.parametrize("grouped", [False, True])
def test_p_values_are_uniform_where_the_arms_are_alike(grouped: bool) -> None:
    """Images of a group share what makes an arm err, as those of a patient do."""
    rng, groups, p_values = np.random.default_rng(10), np.repeat(np.arange(40), 3), []
    for _ in range(300):
        labels = rng.permutation(np.arange(40) % 3).repeat(3)
        scores = [np.eye(3)[labels] + rng.normal(size=(40, 3)).repeat(3, 0) + rng.normal(size=(120, 3)) for _ in "ab"]
        p_values.append(delong(labels, *scores, groups=groups if grouped else None).p_value)
    alarms = sum(p <= 0.05 for p in p_values)
    if grouped:
        assert binomtest(alarms, 300, 0.05).pvalue > 0.01
    else:
        assert alarms > 40


@given(st.integers(0, 2**32 - 1))
@patient
def test_swapping_the_arms_turns_the_sign(seed: int) -> None:
    labels, *scores = random_case(seed)
    forth, back = (delong(labels, *map(two_columns, pair)) for pair in (scores, scores[::-1]))
    assert forth.difference == pytest.approx(-back.difference, abs=1e-12)
    assert forth.ci_low == pytest.approx(-back.ci_high, abs=1e-12)
    assert forth.p_value == pytest.approx(back.p_value, abs=1e-10)
    assert 0 <= forth.p_value <= 1


def test_arms_that_agree_differ_by_nothing_and_a_single_positive_image_says_nothing() -> None:
    labels, scores, _ = random_case(9)
    same = delong(labels, two_columns(scores), two_columns(scores))
    assert (same.difference, same.p_value, same.effect_size) == (0, 1, 0)
    single = delong(np.eye(23, dtype=int)[4], two_columns(scores), two_columns(1 - scores))
    assert np.isnan([single.p_value, single.ci_low, single.standard_error]).all()
    assert np.isfinite(single.difference)
