"""The task follows from the data, and so do the strata of a split."""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from foveola.data import load_cohort
from foveola.data.cohort import Cohort
from foveola.data.splits.repeated_splits import at_sizes, inner_folds, repeated_kfold
from foveola.data.splits.splits import holdout, kfold
from foveola.data.splits.stratified_groups import check_labels
from foveola.foundation.errors import FoveolaError


@pytest.fixture
def drawn() -> Cohort:
    """Eleven children with two eyes each, and no labels."""
    return load_cohort("phantom:n=22,size=16,masks=true")


def test_the_task_follows_from_the_masks(drawn: Cohort) -> None:
    assert drawn.task == "segmentation"
    assert (drawn.spacing, drawn.unit) == ((1.0, 1.0), "px")
    assert load_cohort("phantom:n=6,size=16").task == "classification"
    names, strata = drawn.strata
    assert names == ("",)
    assert strata.tolist() == [0] * 22


def test_to_classify_the_strata_are_the_classes() -> None:
    cohort = load_cohort("phantom:n=9,size=16")
    names, strata = cohort.strata
    assert names == cohort.classes
    assert np.array_equal(strata, cohort.table["label"])


def test_masks_go_with_two_classes_and_without_labels(drawn: Cohort) -> None:
    with pytest.raises(ValueError, match="at least two classes"):
        replace(drawn, classes=("lesion",))
    with pytest.raises(ValueError, match="no labels"):
        replace(drawn, table=drawn.table.assign(label=0))


def check(splits: pd.DataFrame, cohort: Cohort) -> None:
    assert (splits["label"] == "").all()
    sides = splits.groupby(["fold", "group"])["role"].nunique()
    assert (sides == 1).all()
    assert (splits.groupby("fold").size() == len(cohort)).all()


def test_splits_of_images_to_segment(drawn: Cohort, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        once = holdout(drawn, test_fraction=0.2, val_fraction=0.25)
        check(once, drawn)
        assert once["role"].value_counts().to_dict() == {"train": 14, "test": 4, "val": 4}
        folds = kfold(drawn, folds=4)
        check(folds, drawn)
        assert sorted(folds[folds["role"] == "test"].groupby("fold").size()) == [4, 6, 6, 6]
        check(repeated_kfold(drawn, folds=3, repeats=2), drawn)
        smaller = at_sizes(once, drawn, sizes=[6, 12], draws=2)
        assert (smaller["label"] == "").all()
        assert smaller[smaller["role"].isin(["train", "val"])].groupby("fold").size().tolist() == [6, 12, 6, 12]
        inner = inner_folds(folds, drawn, folds=3, grouped=True, seed=0)
        assert (inner["label"] == "").all()
    assert caplog.records == []


def test_errors_of_images_to_segment_name_no_class(drawn: Cohort) -> None:
    with pytest.raises(FoveolaError, match="expected at least 12 groups for 12 folds, got 11, in phantom"):
        kfold(drawn, folds=12)
    alone = replace(drawn, table=drawn.table[:1], images=replace(drawn.images, count=1))
    with pytest.raises(FoveolaError, match="expected at least two images, got 1, in phantom; add images"):
        check_labels(alone)
