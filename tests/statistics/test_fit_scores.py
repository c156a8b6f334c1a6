"""The design of a run and its fits, as read from the tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from foveola.foundation.errors import FoveolaError
from foveola.statistics.fit_scores import read_design, read_fits

MakeRun = Callable[..., Any]
CLASSES = ("late", "early", "none")


def draws(sizes: list[int], tests: list[str], pool: int = 400) -> pd.DataFrame:
    """Folds that train on so many images and test on 5 that the name of the test set stands for."""
    parts = []
    for fold, (size, test) in enumerate(zip(sizes, tests, strict=True)):
        rows = [(f"{test}{k}", "", fold, "test") for k in range(5)]
        rows += [(f"t{k}", "", fold, "train" if k < size - 2 else "val") for k in range(size)]
        rows += [(f"t{k}", "", fold, "unused") for k in range(size, pool)]
        parts.append(pd.DataFrame(rows, columns=["sample", "group", "fold", "role"]))
    return pd.concat(parts, ignore_index=True)


def test_what_a_split_table_says(run: MakeRun) -> None:
    made = run(images=31, folds=3, group_size=2)
    design = read_design(made.splits)
    assert list(design.folds) == [0, 1, 2]
    for number, fold in design.folds.items():
        rows = made.splits[made.splits["fold"] == number]
        assert design.samples[fold.test].tolist() == rows[rows["role"] == "test"]["sample"].tolist()
        assert fold.train_size == (rows["role"] == "train").sum()
    assert design.group_count == 16
    assert design.groups.tolist() == made.groups.tolist()


def test_only_groups_that_are_tested_are_counted_and_images_without_one_are_their_own() -> None:
    design = read_design(draws([9, 9], ["x", "y"]))
    assert design.group_count == 10
    assert {fold.train_size for fold in design.folds.values()} == {9}
    assert (design.groups >= 0).sum() == 10


@pytest.mark.parametrize(
    ("sizes", "tests", "families"),
    [
        ([50, 50, 200, 200], "xxxx", [(50, [0, 1]), (200, [2, 3])]),
        ([200, 50, 200, 50], "xxxx", [(50, [1, 3]), (200, [0, 2])]),
        ([98, 101, 107, 300], "xxxx", [(102, [0, 1, 2]), (300, [3])]),
        ([60, 80, 100], "xyz", [(80, [0, 1, 2])]),
        ([80, 80, 80, 80], "xyxy", [(80, [0, 1, 2, 3])]),
        ([70], "x", [(70, [0])]),
        ([50, 100, 50, 100], "xxyy", [(50, [0, 2]), (100, [1, 3])]),
    ],
)
def test_training_sizes_are_apart_only_in_a_learning_curve(
    sizes: list[int], tests: str, families: list[tuple[int, list[int]]]
) -> None:
    design = read_design(draws(sizes, list(tests)))
    assert design.families(design.folds) == families


def test_fits_are_in_the_order_of_the_split_table_whatever_that_of_the_predictions(run: MakeRun) -> None:
    made = run(images=31, folds=2, seeds=2)
    design = read_design(made.splits)
    shuffled = made.predictions.sample(frac=1, random_state=4)
    fits = {(fit.arm, fit.fold, fit.seed): fit for fit in read_fits(shuffled, design, CLASSES)}
    assert len(fits) == 8
    for (arm, fold, seed), fit in fits.items():
        labels, probabilities, _ = made.fit(arm, fold, seed)
        assert fit.labels.tolist() == labels.tolist()
        assert np.array_equal(fit.scores, probabilities)


def test_tables_that_do_not_belong_together(run: MakeRun) -> None:
    made = run(images=30, folds=2)
    design, rows = read_design(made.splits), made.predictions
    for bad, message in (
        (rows.iloc[1:], "every test image of the fold once, got 14 rows"),
        (pd.concat([rows, rows.iloc[:1]]), "every test image of the fold once, got 16 rows"),
        (rows.assign(fold=7), "arm plain, fold 7, seed 0"),
        (rows.assign(label="other"), "labels that are classes, got 'other'"),
        (rows.drop(columns="p_early"), "no column p_early"),
    ):
        with pytest.raises(FoveolaError, match=message):
            read_fits(bad, design, CLASSES)
