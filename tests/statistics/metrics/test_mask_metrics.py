"""Metrics of tables of mask scores by hand: left-out images, thirds of size, pooled Dice, observers without an AUC."""

from __future__ import annotations

import io
import math
from itertools import product

import numpy as np
import pandas as pd
import pytest

from foveola.foundation.errors import FoveolaError
from foveola.statistics import (
    compare_arms,
    friedman_table,
    interval_table,
    learning_curve,
    metric_set,
    results_table,
    sentences,
    summary_table,
)
from foveola.statistics.fit_scores import read_design, read_fits, read_scores
from foveola.statistics.hypothesis_tests.bootstrap import resampled_metrics
from foveola.statistics.hypothesis_tests.group_tests import sign_flips
from foveola.statistics.metrics.mask_metrics import mask_details
from foveola.statistics.metrics.mask_scores import MASK_SCORES, score_columns

TWO, THREE = ("background", "vessel"), ("background", "artery", "vein")
ARMS = ("plain", "joint")


def tables(
    images: int = 13, folds: int = 1, arms: tuple[str, ...] = ARMS, classes: tuple[str, ...] = TWO
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Scores of random images, pairs of which are of a patient; every third has no object and no sensitivity or AUC."""
    rng = np.random.default_rng(9)
    size = np.round(rng.random(images), 3)
    size[::3] = 0
    rows, splits = [], []
    for fold, image in product(range(folds), range(images)):
        role = "test" if folds == 1 or image % folds == fold else "train"
        splits.append((f"s{image}", f"p{image // 2}", fold, role))
        for number, arm in enumerate(arms):
            scores = dict(zip(score_columns(classes), rng.random(len(score_columns(classes))), strict=True))
            scores |= {name: float(rng.integers(0, 50)) for name in ("tp", "fp", "fn")} | {"size": size[image]}
            scores["dice"] += 0.2 * number
            if image % 3 == 0:
                scores |= {"sensitivity": math.nan, "auc": math.nan}
            if arm == "human":
                scores |= {name: math.nan for name in scores if name.startswith("auc")}
            if role == "test":
                rows.append({"sample": f"s{image}", "arm": arm, "fold": fold, "seed": 0, "label": "", **scores})
    return pd.DataFrame(rows), pd.DataFrame(splits, columns=["sample", "group", "fold", "role"])


def value(results: pd.DataFrame, arm: str, metric: str) -> float:
    return float(results[(results["arm"] == arm) & (results["metric"] == metric)]["value"].item())


def test_every_score_is_compared_by_its_mean_and_dice_first() -> None:
    assert tuple(metric_set("segmentation")) == MASK_SCORES
    assert {metric.kind for metric in metric_set("segmentation").values()} == {"mean"}
    predictions, splits = tables()
    table = compare_arms(predictions, splits, TWO, metrics="segmentation", resamples=20)
    assert table["metric"].unique().tolist() == list(MASK_SCORES)
    assert table[table["primary"]][["metric", "test"]].values.tolist() == [["dice", "sign flips over groups"]]
    with pytest.raises(FoveolaError, match="did you mean 'hd95'"):
        compare_arms(predictions, splits, TWO, metrics="segmentation", primary="hd59")


def test_means_leave_out_images_without_a_value() -> None:
    predictions, _ = tables()
    results = results_table(predictions, TWO, metrics="segmentation")
    for arm in ARMS:
        own = predictions[predictions["arm"] == arm]
        for score in MASK_SCORES:
            values = [number for number in own[score].tolist() if not math.isnan(number)]
            assert value(results, arm, score) == pytest.approx(sum(values) / len(values))
        assert own["auc"].notna().sum() == 8


def test_thirds_are_those_of_all_images_with_an_object() -> None:
    predictions, _ = tables(images=22)
    images = predictions[predictions["arm"] == "plain"]
    ranked = sorted((size, sample) for size, sample in zip(images["size"], images["sample"], strict=True) if size > 0)
    assert len(ranked) == 14
    results = results_table(predictions, TWO, metrics="segmentation")
    for arm in ARMS:
        own = predictions[predictions["arm"] == arm].set_index("sample")["dice"]
        for title, part in (("small", ranked[:5]), ("medium", ranked[5:9]), ("large", ranked[9:])):
            expected = float(np.mean([own[sample] for _, sample in part]))
            assert value(results, arm, f"dice[{title}]") == pytest.approx(expected)


def test_thirds_of_one_fit_are_those_of_the_run() -> None:
    predictions, _ = tables(images=21, folds=3)
    _, scores = read_scores(predictions, TWO, "segmentation")
    thirds = pd.Series(scores[:, -1]).groupby(predictions["sample"]).nunique()
    assert (thirds == 1).all()
    assert sorted(set(scores[:, -1])) == [0, 1, 2, 3]


def test_images_without_objects_are_in_no_third() -> None:
    predictions, _ = tables()
    results = results_table(predictions.assign(size=0.0), TWO, metrics="segmentation").set_index("metric")
    assert np.isnan(results.loc["dice[small]", "value"]).all()
    assert set(results.loc["dice[small]", "reason"]) == {"no test image with a small object"}


def test_pooled_dice_is_of_all_pixels_and_of_batches_of_four_in_order() -> None:
    predictions, _ = tables(images=11)
    results = results_table(predictions, TWO, metrics="segmentation")
    for arm in ARMS:
        rows = predictions[predictions["arm"] == arm][["tp", "fp", "fn"]].to_numpy().tolist()
        shares = [
            2 * sum(tp for tp, _, _ in batch) / sum(2 * tp + fp + fn for tp, fp, fn in batch)
            for batch in (rows, rows[:4], rows[4:8])
        ]
        assert value(results, arm, "pooled_dice") == pytest.approx(shares[0])
        assert value(results, arm, "batch_pooled_dice") == pytest.approx((shares[1] + shares[2]) / 2)


def test_pooled_dice_of_nothing_is_1_and_of_less_than_a_batch_not_defined() -> None:
    predictions, _ = tables(images=3)
    results = results_table(predictions.assign(tp=0, fp=0, fn=0), TWO, metrics="segmentation")
    assert value(results, "plain", "pooled_dice") == 1
    assert math.isnan(value(results, "plain", "batch_pooled_dice"))
    assert set(results[results["metric"] == "batch_pooled_dice"]["reason"]) == {"fewer than 4 test images"}


def test_an_image_of_weight_2_counts_as_two_and_one_of_weight_0_as_none() -> None:
    predictions, _ = tables(images=10, arms=("plain",), classes=THREE)
    labels, scores = read_scores(predictions, THREE, "segmentation")
    weights = np.random.default_rng(4).integers(0, 4, (10, 6)).astype(float)
    weights[:, 0] = 0
    for name, metric in (metric_set("segmentation") | mask_details(THREE)).items():
        for column, together in enumerate(metric.weighted(labels, scores, weights)):
            chosen = np.repeat(np.arange(10), weights[:, column].astype(int))
            assert together == pytest.approx(metric(labels[chosen], scores[chosen]), nan_ok=True), name
        assert math.isnan(metric.weighted(labels, scores, weights)[0])


def test_scores_of_each_class_stand_beside_the_means() -> None:
    predictions, splits = tables(classes=THREE)
    results = results_table(predictions, THREE, metrics="segmentation")
    own = predictions[predictions["arm"] == "joint"]
    assert value(results, "joint", "hd95[vein]") == pytest.approx(own["hd95[vein]"].mean())
    intervals = interval_table(predictions, splits, THREE, metrics="segmentation", resamples=20)
    assert intervals["metric"].tolist() == results["metric"].tolist()
    assert len(results) == 2 * (len(MASK_SCORES) + 3 + 2 + 2 * len(MASK_SCORES))
    compared = compare_arms(predictions, splits, THREE, metrics="segmentation", resamples=20)
    assert set(compared["metric"]) == set(MASK_SCORES)


def test_tests_over_images_are_of_the_groups_that_have_a_value() -> None:
    predictions, splits = tables(images=14)
    plain, joint = (predictions[predictions["arm"] == arm]["auc"].to_numpy() for arm in ARMS)
    sums: dict[int, float] = {}
    for image, (a, b) in enumerate(zip(plain, joint, strict=True)):
        if image % 3:
            sums[image // 2] = sums.get(image // 2, 0.0) + (b - a) / 9
    lonely = predictions["sample"].isin(["s0", "s1"])  # a patient both of whose images have none
    predictions.loc[lonely, "auc"] = math.nan
    del sums[0]
    sums = {group: part * 9 / 8 for group, part in sums.items()}
    table = compare_arms(predictions, splits, TWO, metrics="segmentation", resamples=30)
    found = table[(table["metric"] == "auc") & (table["test"] == "sign flips over groups")].iloc[0]
    expected = sign_flips(np.array(list(sums.values())))
    assert len(sums) == found["groups"] == 6
    for name in ("difference", "p_value", "effect_size"):
        assert found[name] == pytest.approx(getattr(expected, name), abs=1e-12)
    assert set(table[table["metric"] == "dice"]["groups"]) == {7}
    intervals = interval_table(predictions, splits, TWO, metrics="segmentation", resamples=30)
    groups = intervals[intervals["arm"] == "joint"].set_index("metric")["groups"]
    assert (groups["auc"], groups["dice"]) == (6, 7)


def test_resamples_leave_the_same_images_out() -> None:
    predictions, splits = tables(images=14)
    design = read_design(splits)
    fits = read_fits(predictions.sample(frac=1, random_state=2), design, TWO, "segmentation")
    metric = metric_set("segmentation")["sensitivity"]
    drawn = resampled_metrics(fits, [metric], design, resamples=9, seed=5)
    counts = np.random.default_rng(5).multinomial(7, np.full(7, 1 / 7), 9)
    for fit, values in zip(fits, drawn[:, 0], strict=True):
        own = predictions[predictions["arm"] == fit.arm]["sensitivity"].to_numpy()
        for times, resampled in zip(counts, values, strict=True):
            chosen = [own[image] for image in range(14) for _ in range(times[image // 2]) if not math.isnan(own[image])]
            assert resampled == pytest.approx(np.mean(chosen))


def test_an_observer_without_an_auc_is_compared_by_all_else() -> None:
    predictions, splits = tables(images=16, folds=2, arms=(*ARMS, "human"))
    results = results_table(predictions, TWO, metrics="segmentation")
    missing = results[results["value"].isna()]
    assert set(zip(missing["arm"], missing["metric"], missing["reason"], strict=True)) == {
        ("human", "auc", "not defined for any test image")
    }
    assert np.isnan(summary_table(results).loc["human", "auc"])
    table = compare_arms(predictions, splits, TWO, metrics="segmentation", primary="auc", resamples=20)
    said = sentences(table)
    assert sum("AUC is not defined in any fit that both arms have" in line for line in said) == 2
    other = table[(table["arm_b"] == "human") & (table["metric"] != "auc")]
    assert other["difference"].notna().all()
    intervals = interval_table(predictions, splits, TWO, metrics="segmentation", resamples=20)
    row = intervals[(intervals["arm"] == "human") & (intervals["metric"] == "auc")].iloc[0]
    assert (row["fits"], row["groups"]) == (0, 0)
    assert math.isnan(row["value"])


def test_a_table_that_was_written_and_read_is_the_same() -> None:
    predictions, splits = tables(arms=(*ARMS, "human"))
    text = predictions.to_csv(index=False)
    read = pd.read_csv(io.StringIO(text), dtype={"sample": str, "label": str, "arm": str}, keep_default_na=False)
    for made in (predictions, read):
        made.index = made.index[::-1]  # places count, whatever the index says
    pd.testing.assert_frame_equal(
        results_table(read, TWO, metrics="segmentation"), results_table(predictions, TWO, metrics="segmentation")
    )
    table = compare_arms(read, splits, TWO, metrics="segmentation", resamples=20)
    pd.testing.assert_frame_equal(table, compare_arms(predictions, splits, TWO, metrics="segmentation", resamples=20))


def test_ranks_curves_and_verdicts_know_which_way_is_better() -> None:
    predictions, splits = tables(images=16, folds=2, arms=("plain", "joint", "self"))
    further = predictions["arm"].map({"plain": 2.0, "joint": 1.0, "self": 3.0})
    predictions = predictions.assign(hd95=further + 0.01 * predictions["hd95"])
    results = results_table(predictions, TWO, metrics="segmentation")
    ranks = friedman_table(results, splits, "hd95").set_index("arm")["rank"]
    assert ranks.to_dict() == {"plain": 2, "joint": 1, "self": 3}
    curve = learning_curve(results, splits, "hd95").set_index("arm")["mean"]
    assert curve["joint"] < curve["plain"] < curve["self"]
    lines = sentences(compare_arms(predictions, splits, TWO, metrics="segmentation", primary="hd95", resamples=20))
    assert lines[0].startswith("joint against plain: HD95 -0.99")
    assert ": better, " in lines[0]
    assert ": worse, " in lines[1]


def test_a_column_that_is_missing() -> None:
    predictions, splits = tables()
    for call in (results_table, lambda rows, *rest, **more: interval_table(rows, splits, *rest, **more)):
        with pytest.raises(FoveolaError, match="every column of the scores of masks, got no column hd95"):
            call(predictions.drop(columns="hd95"), TWO, metrics="segmentation")
