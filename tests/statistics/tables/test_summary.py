from __future__ import annotations

import statistics

import numpy as np
import pandas as pd
import pytest

from foveola.statistics import METRICS, fit_metrics, results_table, summary_table

CLASSES = ("late", "early", "none")


def predictions(fits: list[tuple[str, int, int]], count: int = 11) -> pd.DataFrame:
    """Random predictions of several fits, with the columns of a run's ``predictions.csv``."""
    rng = np.random.default_rng(8)
    tables = []
    for arm, fold, seed in fits:
        labels = np.array(CLASSES)[np.arange(count) % 3]
        p = rng.dirichlet([1, 1, 1], count)
        columns = {f"p_{name}": p[:, place] for place, name in enumerate(CLASSES)}
        samples = [f"s{place}" for place in range(count)]
        tables.append(
            pd.DataFrame({"sample": samples, "arm": arm, "fold": fold, "seed": seed, "label": labels, **columns})
        )
    return pd.concat(tables, ignore_index=True)


FITS = [("plain", 1, 0), ("global", 1, 0), ("plain", 0, 0), ("global", 0, 0), ("plain", 1, 1), ("global", 1, 1)]


def test_one_row_a_fit_and_metric_in_the_order_of_the_predictions() -> None:
    table = results_table(predictions(FITS), CLASSES)
    assert list(table.columns) == ["arm", "fold", "seed", "metric", "value", "reason"]
    keys = list(zip(table["arm"], table["fold"], table["seed"], table["metric"], strict=True))
    each = [f"{name}[{title}]" for title in CLASSES for name in ("auc", "sensitivity", "specificity")]
    assert keys == [(*fit, metric) for fit in FITS for metric in (*METRICS, *each)]


def test_values_are_those_of_each_fit_alone() -> None:
    rows = predictions(FITS)
    table = results_table(rows, CLASSES)
    for arm, fold, seed in FITS:
        own = rows[(rows["arm"] == arm) & (rows["fold"] == fold) & (rows["seed"] == seed)]
        labels = np.array([CLASSES.index(label) for label in own["label"]])
        expected = fit_metrics(labels, own[[f"p_{name}" for name in CLASSES]].to_numpy(), CLASSES)
        mine = table[(table["arm"] == arm) & (table["fold"] == fold) & (table["seed"] == seed)]
        assert dict(zip(mine["metric"], mine["value"], strict=True)) == {name: v for name, (v, _) in expected.items()}


def test_the_order_of_the_classes_is_the_given_one() -> None:
    rows = pd.DataFrame({"arm": "plain", "fold": 0, "seed": 0, "label": ["none", "late", "early"]})
    rows[["p_none", "p_late", "p_early"]] = np.eye(3)
    table = results_table(rows, CLASSES).set_index("metric")["value"]
    assert table["accuracy"] == table["macro_auc"] == 1


def test_the_set_of_metrics_is_the_one_asked_for() -> None:
    rows = predictions(FITS[:2])
    assert set(results_table(rows, CLASSES, metrics="medmnist")["metric"]) == {"medmnist_auc", "medmnist_acc"}
    assert "quadratic_kappa" in set(results_table(rows, CLASSES, ordered=True)["metric"])
    table = summary_table(results_table(rows, CLASSES, metrics="medmnist"))
    assert list(table) == ["fits", "medmnist_auc", "medmnist_auc_sd", "medmnist_acc", "medmnist_acc_sd"]


def test_mean_and_sd_over_fits() -> None:
    results = results_table(predictions(FITS), CLASSES)
    table = summary_table(results)
    assert list(table.index) == ["plain", "global"]
    assert table["fits"].tolist() == [3, 3]
    for arm in table.index:
        for name in results["metric"].unique():
            values = results[(results["arm"] == arm) & (results["metric"] == name)]["value"].tolist()
            assert table.loc[arm, name] == pytest.approx(statistics.mean(values))
            assert table.loc[arm, f"{name}_sd"] == pytest.approx(statistics.stdev(values))


def test_one_fit_has_no_sd() -> None:
    table = summary_table(results_table(predictions(FITS[:1]), CLASSES))
    assert table["fits"].tolist() == [1]
    assert table[[f"{name}_sd" for name in METRICS]].isna().all().all()


def test_a_fit_in_which_a_metric_is_not_defined_is_left_out_of_its_mean() -> None:
    rows = predictions(FITS[:1] + FITS[2:3])
    rows = rows[(rows["fold"] == 1) | (rows["label"] != "none")]
    results = results_table(rows, CLASSES)
    undefined = results[(results["metric"] == "macro_auc") & (results["fold"] == 0)]
    assert undefined["value"].isna().all()
    assert undefined["reason"].tolist() == ["no test image of class number 2"]
    defined = results[(results["metric"] == "macro_auc") & (results["fold"] == 1)]["value"].item()
    table = summary_table(results)
    assert table.loc["plain", "macro_auc"] == defined
    assert table["macro_auc_sd"].isna().all()
    assert table.loc["plain", "fits"] == 2
