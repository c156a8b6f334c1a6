"""What arms differ by: against exact enumeration, against the null hypothesis, and in its symmetries."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from foveola.statistics import comparison
from foveola.statistics.comparison import COLUMNS, compare_arms

Hits = dict[str, np.ndarray]
"""Of each arm, which images it got right: ``fits x images``."""


def predictions(hits: Hits) -> pd.DataFrame:
    """Predictions of two classes that are right where the arrays say so."""
    rows = []
    for arm, fits in hits.items():
        for seed, fit in enumerate(fits):
            for place, hit in enumerate(fit):
                label = "ab"[place % 2]
                p_a = 0.8 if (label == "a") == bool(hit) else 0.3
                rows.append((f"s{place}", arm, 0, seed, label, p_a, 1 - p_a))
    return pd.DataFrame(rows, columns=["sample", "arm", "fold", "seed", "label", "p_a", "p_b"])


def groups_of(count: int, size: int = 0) -> pd.Series[str]:
    """Groups of some size; every image for itself where it is 0."""
    return pd.Series({f"s{place}": f"g{place // size}" if size else "" for place in range(count)})


def random_hits(seed: int, shares: tuple[float, ...], fits: int = 2, images: int = 23) -> Hits:
    rng = np.random.default_rng(seed)
    return {f"arm{number}": rng.random((fits, images)) < share for number, share in enumerate(shares)}


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few resamples, and no correction, which a single pair does not need and which collects garbage each time."""
    monkeypatch.setattr(comparison, "RESAMPLES", 199)
    monkeypatch.setattr(comparison, "multipletests", lambda p_values, method: (None, p_values))


def test_one_row_a_pair_in_the_order_of_the_arms() -> None:
    table = compare_arms(predictions(random_hits(0, (0.5, 0.6, 0.9))), groups_of(23, 3))
    assert tuple(table.columns) == COLUMNS
    assert list(zip(table["arm_a"], table["arm_b"], strict=True)) == [
        ("arm0", "arm1"), ("arm0", "arm2"), ("arm1", "arm2"),
    ]  # fmt: skip
    assert set(table["groups"]) == {8}


def test_one_arm_makes_no_pair() -> None:
    table = compare_arms(predictions(random_hits(0, (0.5,))), groups_of(23))
    assert table.empty
    assert tuple(table.columns) == COLUMNS


def test_the_difference_is_that_of_the_mean_accuracies() -> None:
    hits = random_hits(1, (0.4, 0.8), fits=3)
    row = compare_arms(predictions(hits), groups_of(23, 4)).iloc[0]
    assert row["difference"] == pytest.approx(hits["arm1"].mean() - hits["arm0"].mean())


def test_the_effect_size_is_the_mean_difference_of_a_group_over_its_sd() -> None:
    hits = random_hits(2, (0.4, 0.8), fits=1)
    row = compare_arms(predictions(hits), groups_of(23, 4)).iloc[0]
    gains = hits["arm1"][0].astype(int) - hits["arm0"][0].astype(int)
    sums = [sum(gains[start : start + 4]) for start in range(0, 23, 4)]
    assert row["effect_size"] == pytest.approx(np.mean(sums) / np.std(sums, ddof=1))


def test_the_p_value_is_that_of_all_sign_flips() -> None:
    hits = random_hits(3, (0.35, 0.75), fits=1, images=20)
    gains = hits["arm1"][0].astype(int) - hits["arm0"][0].astype(int)
    sums = [int(sum(gains[start : start + 2])) for start in range(0, 20, 2)]
    flipped = [abs(sum(sign * value for sign, value in zip(signs, sums, strict=True)))
               for signs in product((-1, 1), repeat=10)]  # fmt: skip
    exact = np.mean([value >= abs(sum(sums)) for value in flipped])
    row = compare_arms(predictions(hits), groups_of(20, 2)).iloc[0]
    assert 0.005 < exact < 0.5
    assert row["p_value"] == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / comparison.RESAMPLES))


def test_the_interval_is_that_of_resampled_groups() -> None:
    hits = random_hits(4, (0.4, 0.7), fits=2, images=21)
    gains = hits["arm1"].mean(0) - hits["arm0"].mean(0)
    parts = [gains[start : start + 4] for start in range(0, 21, 4)]
    rng = np.random.default_rng(99)
    drawn = [np.concatenate([parts[k] for k in rng.integers(0, 6, 6)]).mean() for _ in range(8_000)]
    row = compare_arms(predictions(hits), groups_of(21, 4)).iloc[0]
    assert [row["ci_low"], row["ci_high"]] == pytest.approx(np.quantile(drawn, [0.025, 0.975]).tolist(), abs=0.025)


def test_arms_that_agree_differ_by_nothing() -> None:
    hits = random_hits(5, (0.6,))
    row = compare_arms(predictions({**hits, "twin": hits["arm0"]}), groups_of(23, 3)).iloc[0]
    assert row[["difference", "ci_low", "ci_high", "effect_size"]].tolist() == [0, 0, 0, 0]
    assert row["p_value"] == row["p_corrected"] == 1


def test_swapping_the_arms_turns_the_sign() -> None:
    hits = random_hits(6, (0.4, 0.7))
    forth = compare_arms(predictions(hits), groups_of(23, 3)).iloc[0]
    back = compare_arms(predictions(dict(reversed(hits.items()))), groups_of(23, 3)).iloc[0]
    assert forth["difference"] == pytest.approx(-back["difference"])
    assert (forth["ci_low"], forth["ci_high"]) == pytest.approx((-back["ci_high"], -back["ci_low"]))
    assert forth["effect_size"] == pytest.approx(-back["effect_size"])
    assert forth["p_value"] == back["p_value"]


def test_the_same_predictions_give_the_same_table_and_another_seed_another() -> None:
    rows, groups = predictions(random_hits(7, (0.4, 0.7))), groups_of(23, 3)
    pd.testing.assert_frame_equal(compare_arms(rows, groups), compare_arms(rows, groups))
    assert compare_arms(rows, groups, seed=1)["ci_low"].item() != compare_arms(rows, groups)["ci_low"].item()


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("size", [0, 3])
def test_p_values_are_uniform_where_the_arms_are_alike(size: int) -> None:
    """Images of a group share their difficulty, as those of a patient do."""
    rng = np.random.default_rng(11)
    trials, images = 200, 36
    p_values = []
    for _ in range(trials):
        ease = rng.random(images // (size or 1)).repeat(size or 1)
        rows = predictions({arm: rng.random((3, images)) < ease for arm in ("a", "b")})
        p_values.append(compare_arms(rows, groups_of(images, size))["p_value"].item())
    for level, alternative in ((0.05, "two-sided"), (0.3, "greater"), (0.6, "greater")):  # ties make large ones larger
        count = sum(p_value <= level for p_value in p_values)
        assert binomtest(count, trials, level, alternative).pvalue > 0.01, f"{count} of {trials} up to {level}"


def test_groups_that_belong_together_make_the_interval_wider() -> None:
    rng = np.random.default_rng(12)
    hits = {arm: (rng.random(15) < share).repeat(6)[None] for arm, share in (("a", 0.4), ("b", 0.6))}
    rows = predictions(hits)
    single, grouped = (compare_arms(rows, groups_of(90, size)).iloc[0] for size in (0, 6))
    assert single["difference"] == grouped["difference"]
    assert grouped["ci_high"] - grouped["ci_low"] > 1.8 * (single["ci_high"] - single["ci_low"])
    assert grouped["p_value"] > 5 * single["p_value"]
    assert (single["groups"], grouped["groups"]) == (90, 15)


def test_the_correction_is_that_of_holm() -> None:
    table = compare_arms(predictions(random_hits(13, (0.4, 0.5, 0.75, 0.8))), groups_of(23))
    p = table["p_value"].tolist()
    expected, worst = dict.fromkeys(range(6), 0.0), 0.0
    for rank, place in enumerate(sorted(range(6), key=lambda k: p[k])):
        worst = max(worst, min(1.0, (6 - rank) * p[place]))
        expected[place] = worst
    assert table["p_corrected"].tolist() == pytest.approx([expected[place] for place in range(6)])
    assert len(set(expected.values())) > 2


@pytest.mark.usefixtures("quick")
@given(
    st.integers(0, 2**32 - 1), st.tuples(st.floats(0, 1), st.floats(0, 1)), st.integers(1, 3), st.integers(1, 19),
    st.integers(0, 20),
)  # fmt: skip
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_what_holds_for_all_predictions(
    seed: int, shares: tuple[float, float], fits: int, images: int, size: int
) -> None:
    hits = random_hits(seed, shares, fits, images)
    row = compare_arms(predictions(hits), groups_of(images, size), seed=seed).iloc[0]
    assert -1 - 1e-9 <= row["ci_low"] <= row["ci_high"] <= 1 + 1e-9
    assert -1 - 1e-9 <= row["difference"] <= 1 + 1e-9
    assert 0 < row["p_value"] <= row["p_corrected"] <= 1
    assert np.isfinite(row["effect_size"])
