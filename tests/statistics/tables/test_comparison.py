"""What arms differ by: every row against the functions and the results that it comes from, and in its symmetries."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import stats

from foveola.foundation.errors import FoveolaError
from foveola.statistics import compare_arms, results_table
from foveola.statistics.hypothesis_tests.delong import delong
from foveola.statistics.hypothesis_tests.group_tests import mcnemar, sign_flips
from foveola.statistics.hypothesis_tests.power import detectable_difference
from foveola.statistics.metrics.metric_sets import METRICS
from foveola.statistics.tables.comparison import COMPARISON_COLUMNS

MakeRun = Callable[..., Any]
CLASSES = ("late", "early", "none")
OVER_FOLDS = {"Nadeau-Bengio t", "Wilcoxon signed ranks"}
KEY = ["arm_a", "arm_b", "metric", "test"]


def compared(made: Any, **options: Any) -> pd.DataFrame:
    return compare_arms(made.predictions, made.splits, CLASSES, **{"resamples": 60, **options})


def row(table: pd.DataFrame, metric: str, test: str) -> Any:
    (found,) = table[(table["metric"] == metric) & (table["test"] == test)].to_dict("records")
    return found


def draws(made: Any, folds: int) -> Any:
    """The run with its one fold trained ``folds`` times on the same images: draws of one test set."""
    rows = [made.predictions[made.predictions["seed"] == k].assign(fold=k, seed=0) for k in range(folds)]
    splits = [made.splits.assign(fold=k) for k in range(folds)]
    return type(made)(pd.concat(rows), pd.concat(splits), made.groups)


def test_one_row_a_pair_metric_and_test_in_the_order_of_the_arms(run: MakeRun) -> None:
    made = run(arms=(("plain", 0.4), ("cbam", 0.5), ("global", 0.8)), images=45, folds=3, group_size=2)
    table = compared(made)
    assert tuple(table.columns) == COMPARISON_COLUMNS
    pairs = list(dict.fromkeys(zip(table["arm_a"], table["arm_b"], strict=True)))
    assert pairs == list(combinations(("plain", "cbam", "global"), 2))
    assert table["metric"].unique().tolist() == list(METRICS)
    assert not table.duplicated(KEY).any()
    assert table["primary"].sum() == 3
    main = table[table["primary"]]
    assert set(zip(main["metric"], main["test"], strict=True)) == {("macro_auc", "Nadeau-Bengio t")}
    assert set(table["groups"]) == {23}
    assert set(table["train_size"]) == {30}


@pytest.mark.parametrize(
    ("folds", "seeds", "tests"),
    [
        (1, 1, {"macro_auc": "DeLong", "accuracy": "sign flips over groups", "macro_f1": "bootstrap over groups"}),
        (1, 2, {"macro_auc": "DeLong", "brier": "sign flips over groups"}),
        (3, 2, dict.fromkeys(METRICS, "Nadeau-Bengio t")),
    ],
)
def test_the_primary_test_is_that_of_the_design(run: MakeRun, folds: int, seeds: int, tests: dict[str, str]) -> None:
    for metric, test in tests.items():
        table = compared(run(images=44, folds=folds, seeds=seeds), primary=metric)
        assert table[table["primary"]][["metric", "test"]].values.tolist() == [[metric, test]]
        assert table[table["metric"] == metric]["test"].iloc[0] == test


def test_which_tests_fit_which_design(run: MakeRun) -> None:
    def fitting(made: Any, metric: str) -> set[str]:
        table = compared(made)
        return set(table[table["metric"] == metric]["test"]) - {"bootstrap over groups"}

    assert fitting(run(), "accuracy") == {"sign flips over groups", "McNemar exact"}
    assert fitting(run(group_size=2), "accuracy") == {"sign flips over groups"}
    assert fitting(run(seeds=2), "accuracy") == {"sign flips over groups", "Obuchowski-Rockette t"}
    assert fitting(run(folds=3), "accuracy") == {"sign flips over groups", "McNemar exact", *OVER_FOLDS}
    assert fitting(run(folds=3), "macro_auc") == {"DeLong", *OVER_FOLDS}
    assert fitting(run(folds=3), "macro_f1") == OVER_FOLDS
    assert fitting(draws(run(seeds=3), 3), "macro_f1") == {"Obuchowski-Rockette t", *OVER_FOLDS}


def test_differences_are_those_of_the_results(run: MakeRun) -> None:
    made = run(images=45, folds=3, seeds=2, group_size=2)
    results = results_table(made.predictions, CLASSES)
    for found in compared(made).to_dict("records"):
        own = results[results["metric"] == found["metric"]].set_index(["arm", "fold", "seed"])["value"]
        means = [own[arm].mean() for arm in (found["arm_a"], found["arm_b"])]
        assert found["difference"] == pytest.approx(means[1] - means[0], abs=1e-10)
        assert (found["fits"], found["folds"]) == (6, 3)


def test_nadeau_and_bengio_over_means_of_seeds(run: MakeRun) -> None:
    made = run(images=47, folds=3, seeds=2)
    found = row(compared(made), "macro_auc", "Nadeau-Bengio t")
    results = results_table(made.predictions, CLASSES)
    own = results[results["metric"] == "macro_auc"].groupby(["arm", "fold"])["value"].mean()
    gains = (own["global"] - own["plain"]).to_numpy()
    error = math.sqrt((1 / 3 + (47 / 3) / (2 * 47 / 3)) * gains.var(ddof=1))
    assert found["p_value"] == pytest.approx(2 * stats.t.sf(abs(gains.mean() / error), 2), abs=1e-10)
    low, high = stats.t.interval(0.95, 2, gains.mean(), error)
    assert (found["ci_low"], found["ci_high"]) == pytest.approx((low, high), abs=1e-10)
    assert found["detectable"] == pytest.approx(detectable_difference(error, 2), abs=1e-10)


def test_tests_over_images_are_those_of_the_one_fit(run: MakeRun) -> None:
    made = run(images=50)
    table = compared(made)
    (labels, first, groups), (_, second, _) = made.fit("plain"), made.fit("global")
    expected = delong(labels, first, second, groups=groups)
    found = row(table, "macro_auc", "DeLong")
    for name in ("difference", "ci_low", "ci_high", "p_value", "effect_size"):
        assert found[name] == pytest.approx(getattr(expected, name), abs=1e-10)
    right = [(p.argmax(1) == labels).astype(float) for p in (first, second)]
    assert row(table, "accuracy", "McNemar exact")["p_value"] == pytest.approx(mcnemar(*right).p_value, abs=1e-10)
    flipped = sign_flips((right[1] - right[0]) / len(labels))
    assert row(table, "accuracy", "sign flips over groups")["p_value"] == pytest.approx(flipped.p_value, abs=1e-10)


def test_groups_count_together_and_seeds_are_averaged(run: MakeRun) -> None:
    made = run(images=58, seeds=2, group_size=2)
    sums: dict[int, float] = {}
    for arm, sign in (("plain", -1), ("global", 1)):
        for seed in range(2):
            labels, p, groups = made.fit(arm, 0, seed)
            for group, value in zip(groups, ((p - np.eye(3)[labels]) ** 2).sum(1), strict=True):
                sums[group] = sums.get(group, 0.0) + sign * value / len(labels) / 2
    flipped = sign_flips(np.array(list(sums.values())))
    found = row(compared(made), "brier", "sign flips over groups")
    assert found["difference"] == pytest.approx(flipped.difference, abs=1e-10)
    assert found["p_value"] == pytest.approx(flipped.p_value, abs=1e-10)
    assert found["effect_size"] == pytest.approx(flipped.effect_size, abs=1e-10)
    assert found["groups"] == len(sums) == 15


def test_readers_and_cases_take_the_spread_of_seeds_in(run: MakeRun) -> None:
    made = run(images=60, seeds=3)
    table = compared(made, resamples=400)
    found, alone = row(table, "accuracy", "Obuchowski-Rockette t"), row(table, "accuracy", "sign flips over groups")
    results = results_table(made.predictions, CLASSES)
    own = results[results["metric"] == "accuracy"].set_index(["arm", "seed"])["value"]
    gains = (own["global"] - own["plain"]).to_numpy()
    assert found["difference"] == pytest.approx(gains.mean(), abs=1e-12)
    assert alone["difference"] == pytest.approx(gains.mean(), abs=1e-12)
    assert found["effect_size"] == pytest.approx(gains.mean() / gains.std(ddof=1), abs=1e-10)
    per_seed = [
        row(
            compare_arms(made.predictions[made.predictions["seed"] == seed], made.splits, CLASSES),
            "accuracy",
            "sign flips over groups",
        )
        for seed in range(3)
    ]
    assert found["p_value"] > max(alone["p_value"], min(one["p_value"] for one in per_seed))


def test_corrections_are_over_the_pairs_of_a_metric_and_test(run: MakeRun) -> None:
    made = run(arms=(("a", 0.2), ("b", 0.5), ("c", 0.8), ("d", 2.0)), images=90)
    table = compared(made)
    for _, alike in table.groupby(["metric", "test"]):
        p = alike["p_value"].tolist()
        expected, worst = dict.fromkeys(range(6), 0.0), 0.0
        for rank, place in enumerate(sorted(range(6), key=lambda k: p[k])):
            worst = max(worst, min(1.0, (6 - rank) * p[place]))
            expected[place] = worst
        assert alike["p_corrected"].tolist() == pytest.approx([expected[k] for k in range(6)], abs=1e-10)
        assert (alike["q_value"] <= alike["p_corrected"] + 1e-12).all()
    found = row(table[(table["arm_a"] == "a") & (table["arm_b"] == "b")], "macro_auc", "DeLong")
    error = (found["ci_high"] - found["ci_low"]) / 2 / stats.norm.isf(0.025)
    assert found["detectable"] == pytest.approx(detectable_difference(error, math.inf, level=0.05 / 6), rel=1e-9)


def test_only_fits_that_both_arms_have_are_used(run: MakeRun) -> None:
    made = run(images=45, folds=3, seeds=2)
    rows = made.predictions
    missing = ((rows["arm"] == "plain") & (rows["fold"] == 2)) | (
        (rows["arm"] == "global") & (rows["fold"] == 0) & (rows["seed"] == 1)
    )
    table = compare_arms(rows[~missing], made.splits, CLASSES, resamples=60)
    results = results_table(rows, CLASSES)
    own = results[results["metric"] == "accuracy"].set_index(["arm", "fold", "seed"])["value"]
    gain = own["global"] - own["plain"]
    expected = (gain[0, 0] + (gain[1, 0] + gain[1, 1]) / 2) / 2
    found = row(table, "accuracy", "Nadeau-Bengio t")
    assert (found["fits"], found["folds"], found["groups"]) == (3, 2, 30)
    assert found["difference"] == pytest.approx(expected, abs=1e-10)


def test_arms_without_a_common_fit_and_metrics_without_a_value_say_nothing(run: MakeRun) -> None:
    made = run(images=45, folds=3)
    rows = made.predictions
    apart = rows[(rows["arm"] == "plain") == (rows["fold"] == 0)]
    table = compare_arms(apart, made.splits, CLASSES, resamples=20)
    assert table[["difference", "p_value", "p_corrected", "detectable"]].isna().all().all()
    assert table["primary"].sum() == 1
    assert set(table["fits"]) == {0}


def test_a_fold_in_which_a_metric_is_not_defined_is_left_out(run: MakeRun) -> None:
    made = run(images=45, folds=3)
    rare = (made.predictions["fold"] == 1) & (made.predictions["label"] == "none")
    gone = set(made.predictions[rare]["sample"])
    splits = made.splits[~(made.splits["sample"].isin(gone) & (made.splits["fold"] == 1))]
    table = compare_arms(made.predictions[~rare], splits, CLASSES, resamples=60)
    assert row(table, "macro_auc", "Nadeau-Bengio t")["folds"] == 2
    assert row(table, "accuracy", "Nadeau-Bengio t")["folds"] == 3
    left = compare_arms(made.predictions[~rare & (made.predictions["fold"] != 0)], splits, CLASSES, resamples=60)
    assert math.isnan(row(left, "macro_auc", "Nadeau-Bengio t")["p_value"])
    assert row(left, "macro_auc", "Nadeau-Bengio t")["folds"] == 1


def test_arms_that_agree_differ_by_nothing(run: MakeRun) -> None:
    for made in (run(images=30, seeds=2), run(images=30, folds=2)):
        own = made.predictions[made.predictions["arm"] == "plain"]
        table = compare_arms(pd.concat([own, own.assign(arm="twin")]), made.splits, CLASSES, resamples=60)
        assert (table[["difference", "effect_size"]] == 0).all().all()
        assert (table[["p_value", "p_corrected", "q_value"]] == 1).all().all()


def test_one_arm_makes_no_pair(run: MakeRun) -> None:
    table = compared(run(arms=(("plain", 0.5),)))
    assert table.empty
    assert tuple(table.columns) == COMPARISON_COLUMNS


def test_a_learning_curve_has_rows_of_each_size_and_only_its_own_corrections(run: MakeRun) -> None:
    made = draws(run(images=60, seeds=4), 4)
    first = made.splits[(made.splits["role"] == "train")]["sample"].unique()[:12]
    small = made.splits["fold"] < 2
    role = made.splits["role"].where(
        ~small | (made.splits["role"] == "test") | made.splits["sample"].isin(first), "unused"
    )
    table = compare_arms(made.predictions, made.splits.assign(role=role), CLASSES, resamples=60)
    main = table[table["primary"]]
    assert main["train_size"].tolist() == [12, 30]
    assert main["folds"].tolist() == [2, 2]
    assert (main["test"] == "Obuchowski-Rockette t").all()
    assert (main["p_value"] == main["p_corrected"]).all()


def test_the_medmnist_set_and_the_primary_metric(run: MakeRun) -> None:
    made = run()
    table = compared(made, metrics="medmnist")
    assert set(table["metric"]) == {"medmnist_auc", "medmnist_acc"}
    assert set(table[table["primary"]]["metric"]) == {"medmnist_auc"}
    assert "quadratic_kappa" in set(compared(made, ordered=True)["metric"])
    with pytest.raises(FoveolaError, match="did you mean 'macro_auc'"):
        compared(made, primary="macro_acu")


@given(st.integers(0, 2**32 - 1), st.integers(1, 3), st.integers(1, 2), st.integers(1, 3), st.booleans())
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_what_holds_for_all_runs(run: MakeRun, seed: int, folds: int, seeds: int, group_size: int, alike: bool) -> None:
    made = run(
        images=29,
        folds=folds,
        seeds=seeds,
        group_size=group_size,
        seed=seed,
        arms=(("plain", 0.5), ("global", 0.5 if alike else 3.0)),
    )
    forth = compared(made)
    known = forth.dropna(subset="p_value")
    assert known["p_value"].between(0, 1).all()
    assert (known["p_corrected"] >= known["p_value"] - 1e-12).all()
    assert (known["ci_low"].isna() | (known["ci_low"] <= known["ci_high"])).all()
    assert forth["primary"].sum() == 1
    by_arm = made.predictions.sample(frac=1, random_state=1).sort_values("arm", ascending=False, kind="stable")
    shuffled = compare_arms(by_arm, made.splits, CLASSES, resamples=60)
    pd.testing.assert_frame_equal(shuffled, forth)
    back = compare_arms(by_arm.sort_values("arm", kind="stable"), made.splits, CLASSES, resamples=60)
    assert (back["arm_a"] == "global").all()
    for name, other, sign in (
        ("difference", "difference", -1),
        ("ci_low", "ci_high", -1),
        ("p_value", "p_value", 1),
        ("effect_size", "effect_size", -1),
        ("detectable", "detectable", 1),
    ):
        np.testing.assert_allclose(back[name], sign * forth[other], atol=1e-9)
