"""Intervals of every metric against resampling with loops, and how often they hold the truth."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from foveola.statistics import fit_metrics, interval_table, results_table
from foveola.statistics.fit_scores import read_design, read_fits
from foveola.statistics.hypothesis_tests import bootstrap
from foveola.statistics.hypothesis_tests.bootstrap import resampled_metrics, weighted_mean
from foveola.statistics.metrics.metric_sets import METRICS

MakeRun = Callable[..., Any]
CLASSES = ("late", "early", "none")


def test_resamples_are_those_of_groups_drawn_one_by_one(run: MakeRun) -> None:
    """The same draws, with the images of each drawn group laid out and measured afresh."""
    made = run(images=58, group_size=2)
    design = read_design(made.splits)
    fits = read_fits(made.predictions, design, CLASSES)
    values = resampled_metrics(fits, list(METRICS.values()), design, resamples=7, seed=3)
    groups = design.groups[design.folds[0].test]
    count = design.group_count
    draws = np.random.default_rng(3).multinomial(count, np.full(count, 1 / count), 7)
    for number, fit in enumerate(fits):
        for resample, times in enumerate(draws):
            chosen = [
                place
                for group in range(count)
                for _ in range(times[group])
                for place in np.flatnonzero(groups == group)
            ]
            expected = fit_metrics(fit.labels[chosen], fit.scores[chosen])
            for place, name in enumerate(METRICS):
                assert values[number, place, resample] == pytest.approx(expected[name][0], abs=1e-10, nan_ok=True)


def test_the_size_of_a_part_changes_nothing(run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    made = run(images=40, folds=2)
    design = read_design(made.splits)
    fits = read_fits(made.predictions, design, CLASSES)
    whole = resampled_metrics(fits, [METRICS["macro_auc"]], design, resamples=11, seed=3)
    monkeypatch.setattr(bootstrap, "CHUNK", 40 * 4)
    parts = resampled_metrics(fits, [METRICS["macro_auc"]], design, resamples=11, seed=3)
    np.testing.assert_allclose(parts, whole, atol=1e-12)


def test_the_mean_leaves_out_what_is_not_defined() -> None:
    values = np.array([[1.0, np.nan, np.nan], [3.0, 5.0, np.nan]])
    mean = weighted_mean(values, np.array([0.25, 0.75]))
    np.testing.assert_allclose(mean, [2.5, 5.0, np.nan])


def test_one_row_an_arm_and_metric_with_the_mean_over_folds_of_means_over_seeds(run: MakeRun) -> None:
    made = run(images=45, folds=3, seeds=2, group_size=2)
    rows = made.predictions
    rows = rows[(rows["fold"] != 1) | (rows["seed"] != 1) | (rows["arm"] != "plain")]
    table = interval_table(rows, made.splits, CLASSES, resamples=50)
    results = results_table(rows, CLASSES)
    assert len(table) == 2 * results["metric"].nunique()
    for row in table.to_dict("records"):
        own = results[(results["arm"] == row["arm"]) & (results["metric"] == row["metric"])]
        assert row["value"] == pytest.approx(own.groupby("fold")["value"].mean().mean(), abs=1e-10)
        assert row["fits"] == len(own)
        assert row["groups"] == 23
        assert row["ci_low"] <= row["ci_high"]
    assert (table["train_size"] == 30).all()


def test_the_calibration_error_lies_in_its_interval(run: MakeRun) -> None:
    table = interval_table(*tables(run(images=300, seeds=2)), resamples=300)
    for row in table.to_dict("records"):
        assert row["ci_low"] <= row["value"] <= row["ci_high"], row["metric"]


def tables(made: Any) -> tuple[pd.DataFrame, pd.DataFrame, tuple[str, ...]]:
    return made.predictions, made.splits, CLASSES


def test_groups_that_belong_together_make_intervals_wider(run: MakeRun) -> None:
    made = run(images=80, group_size=1)
    twice = pd.concat([made.predictions, made.predictions.assign(sample=made.predictions["sample"] + "b")])
    splits = pd.concat([made.splits, made.splits.assign(sample=made.splits["sample"] + "b")])
    grouped = splits.assign(group="g" + splits["sample"].str.removesuffix("b"))
    alone, pairs, naive = (
        interval_table(rows, design, CLASSES, resamples=400).set_index(["arm", "metric"])
        for rows, design in ((made.predictions, made.splits), (twice, grouped), (twice, splits))
    )
    width = {
        name: (t["ci_high"] - t["ci_low"]).loc["plain", "accuracy"]
        for name, t in (("alone", alone), ("pairs", pairs), ("naive", naive))
    }
    assert width["pairs"] == pytest.approx(width["alone"], rel=0.2)
    assert width["naive"] < 0.85 * width["pairs"]


def test_the_interval_of_an_accuracy_holds_the_truth_about_as_often_as_it_says() -> None:
    rng, held = np.random.default_rng(8), 0
    samples = [f"s{k}" for k in range(70)]
    splits = pd.DataFrame({"sample": samples, "group": "", "fold": 0, "role": "test"})
    for _ in range(80):
        label, right = rng.choice(["a", "b"], 70), rng.random(70) < 0.7
        p = np.where((label == "a") == right, 0.8, 0.3)
        rows = pd.DataFrame({"sample": samples, "arm": "x", "fold": 0, "seed": 0, "label": label, "p_a": p})
        row = interval_table(rows.assign(p_b=1 - p), splits, ["a", "b"], resamples=200, metrics="medmnist").iloc[1]
        held += row["ci_low"] <= 0.7 <= row["ci_high"]
    assert 0.87 <= held / 80 <= 0.99


def test_a_metric_that_is_defined_nowhere_has_nothing(run: MakeRun) -> None:
    made = run(images=40)
    rows = made.predictions[made.predictions["label"] != "none"]
    splits = made.splits[~((made.splits["role"] == "test") & (made.splits["label"] == "none"))]
    row = interval_table(rows, splits, CLASSES, resamples=20).set_index(["arm", "metric"]).loc["plain", "macro_auc"]
    assert np.isnan(row[["value", "ci_low", "ci_high"]].astype(float)).all()
    assert row["fits"] == 0
