from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedGroupKFold

from foveola.data.cohort import Cohort, sample_table
from foveola.data.splits.splits import SPLIT_COLUMNS, check_no_leak, holdout, kfold
from foveola.foundation.atomic import write_csv
from foveola.foundation.errors import FoveolaError

CLASSES = ("normal", "bacterial", "viral")


class NoImages:
    """Images that nobody may look at."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    read = digest = where = pytest.fail


def cohort_of(labels: list[int], **columns: list[str]) -> Cohort:
    table = sample_table([f"s{i}" for i in range(len(labels))], labels, **columns)
    return Cohort("set", CLASSES[: max(labels) + 1], table, NoImages(len(labels)))


@st.composite
def cohorts(draw: st.DrawFn, units: int = 4) -> Cohort:
    """Cohorts with at least ``units`` groups of every class; a few samples belong to no group."""
    labels, groups = [], []
    for label in range(draw(st.integers(2, 3))):
        for place in range(draw(st.integers(units, 9))):
            group = draw(st.sampled_from([f"p{label}-{place}", f"p{label}-{place}", ""]))
            size = draw(st.integers(1, 4)) if group else 1
            labels += [label] * size
            groups += [group] * size
    order = np.random.default_rng(draw(st.integers(0, 999))).permutation(len(labels))
    return cohort_of([labels[i] for i in order], groups=[groups[i] for i in order])


def ungrouped(cohort: Cohort) -> Cohort:
    return cohort_of(cohort.table["label"].tolist())


def counts(splits: pd.DataFrame, role: str) -> pd.DataFrame:
    """Samples of each class in one role, ``folds x classes``."""
    return splits[splits["role"] == role].groupby(["fold", "label"]).size().unstack(fill_value=0)


@given(cohort=cohorts(), folds=st.integers(2, 4), grouped=st.booleans(), seed=st.integers(0, 99))
@settings(deadline=None, max_examples=30, derandomize=True)
def test_folds_part_the_cohort_and_keep_groups_whole(cohort: Cohort, folds: int, grouped: bool, seed: int) -> None:
    splits = kfold(cohort, folds=folds, grouped=grouped, seed=seed)
    assert tuple(splits.columns) == SPLIT_COLUMNS
    for fold in range(folds):
        assert splits[splits["fold"] == fold]["sample"].tolist() == cohort.table["sample"].tolist()
    tested = splits[splits["role"] == "test"]
    assert sorted(tested["sample"]) == sorted(cohort.table["sample"])
    assert set(splits["role"]) == {"train", "test"}
    if grouped:
        named = tested[tested["group"] != ""]
        assert (named.groupby("group")["fold"].nunique() == 1).all()
    assert (counts(splits, "test") > 0).all(axis=None)
    pd.testing.assert_frame_equal(splits, kfold(cohort, folds=folds, grouped=grouped, seed=seed))


@given(cohort=cohorts(), folds=st.integers(2, 4), seed=st.integers(0, 99))
@settings(deadline=None, max_examples=30, derandomize=True)
def test_folds_without_groups_keep_class_shares_to_within_one(cohort: Cohort, folds: int, seed: int) -> None:
    tested = counts(kfold(ungrouped(cohort), folds=folds, seed=seed), "test")
    assert (tested.max() - tested.min()).max() <= 1
    sizes = tested.sum(axis=1)
    assert sizes.max() - sizes.min() <= 1


@given(
    cohort=cohorts(),
    test=st.floats(0.1, 0.6),
    val=st.sampled_from([0.0, 0.15, 0.4]),
    grouped=st.booleans(),
    seed=st.integers(0, 99),
)
@settings(deadline=None, max_examples=30, derandomize=True)
def test_hold_out_sets(cohort: Cohort, test: float, val: float, grouped: bool, seed: int) -> None:
    again, splits = (holdout(cohort, test_fraction=test, val_fraction=val, grouped=grouped, seed=seed) for _ in "12")
    pd.testing.assert_frame_equal(again, splits)
    assert splits["sample"].tolist() == cohort.table["sample"].tolist()
    assert set(splits["fold"]) == {0}
    assert set(splits["role"]) == ({"train", "val", "test"} if val else {"train", "test"})
    if grouped:
        named = splits[splits["group"] != ""]
        assert (named.groupby("group")["role"].nunique() == 1).all()
    assert (counts(splits, "train").sum() > 0).all()


@given(cohort=cohorts(), test=st.floats(0.05, 0.95), seed=st.integers(0, 99))
@settings(deadline=None, max_examples=30, derandomize=True)
def test_hold_out_sets_without_groups_have_the_rounded_share_of_every_class(
    cohort: Cohort, test: float, seed: int
) -> None:
    tested = counts(holdout(ungrouped(cohort), test_fraction=test, seed=seed), "test").loc[0]
    for name, total in ungrouped(cohort).table["label"].map(dict(enumerate(CLASSES))).value_counts().items():
        wanted = min(max(test * total, 1), total - 1)  # at least one on either side
        assert abs(tested[name] - wanted) <= 0.5 + 1e-9


def test_validation_is_a_share_of_what_is_not_tested() -> None:
    splits = holdout(cohort_of([0] * 100 + [1] * 50), test_fraction=0.2, val_fraction=0.25, seed=4)
    assert counts(splits, "test").loc[0].to_dict() == {"normal": 20, "bacterial": 10}
    assert counts(splits, "val").loc[0].to_dict() == {"normal": 20, "bacterial": 10}
    assert counts(splits, "train").loc[0].to_dict() == {"normal": 60, "bacterial": 30}


def test_the_seed_alone_decides(tmp_path: Path) -> None:
    cohort = cohort_of([i % 3 for i in range(37)])
    np.random.seed(1)
    first = kfold(cohort, folds=4, seed=7)
    kfold(cohort, folds=4, seed=8)
    np.random.seed(2)
    again = kfold(cohort, folds=4, seed=7)
    write_csv(tmp_path / "first.csv", first)
    write_csv(tmp_path / "again.csv", again)
    assert (tmp_path / "first.csv").read_bytes() == (tmp_path / "again.csv").read_bytes()
    assert not first.equals(kfold(cohort, folds=4, seed=8))
    assert not holdout(cohort, seed=7).equals(holdout(cohort, seed=8))


def test_mixed_groups_are_balanced_as_well_as_by_scikit_learn() -> None:
    rng = np.random.default_rng(11)
    group = np.repeat(np.arange(90), rng.integers(1, 8, 90))
    label = np.where(rng.random(len(group)) < 0.6, group % 3, rng.choice(3, len(group), p=[0.7, 0.2, 0.1]))
    cohort = cohort_of(label.tolist(), groups=[f"p{number}" for number in group])
    ours = counts(kfold(cohort, folds=5, seed=0), "test").to_numpy(dtype=float)
    folds = StratifiedGroupKFold(5, shuffle=True, random_state=0).split(label, label, group)
    theirs = np.array([np.bincount(label[test], minlength=3) for _, test in folds], dtype=float)
    spread = {name: table.std(axis=0) / table.mean(axis=0) for name, table in (("ours", ours), ("theirs", theirs))}
    assert spread["ours"].max() <= max(0.05, 1.1 * spread["theirs"].max())


def test_a_class_of_two_patients_is_on_both_sides() -> None:
    cohort = cohort_of([0] * 40 + [1] * 20, groups=[f"a{i // 2}" for i in range(40)] + ["x"] * 11 + ["y"] * 9)
    splits = holdout(cohort, test_fraction=0.2)
    assert set(splits[splits["group"] == "y"]["role"]) == {"test"}
    assert set(splits[splits["group"] == "x"]["role"]) == {"train"}


def test_a_class_that_a_side_lacks_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    cohort = cohort_of([0] * 9 + [1] * 4, groups=[f"p{i}" for i in range(9)] + ["same"] * 4)
    with caplog.at_level(logging.WARNING):
        holdout(cohort)
    assert [record.message for record in caplog.records] == ["fold 0 of set has no image of class 'bacterial' in test"]


OWN = ["train"] * 6 + ["val"] * 2 + ["test"] * 3


@pytest.mark.parametrize(
    ("own", "val_fraction", "expected"),
    [
        (OWN, 0.0, {"train": 6, "val": 2, "test": 3}),
        (OWN, 0.5, {"train": 6, "val": 2, "test": 3}),
        (["train"] * 8 + ["val"] * 3, 0.0, {"train": 8, "test": 3}),
        (["train"] * 8 + ["val"] * 3, 0.25, {"train": 6, "val": 2, "test": 3}),
        (["train"] * 8 + ["test"] * 3, 0.25, {"train": 6, "val": 2, "test": 3}),
    ],
)
def test_the_sources_own_split_is_used(own: list[str], val_fraction: float, expected: dict[str, int]) -> None:
    cohort = cohort_of([i % 2 for i in range(11)], splits=own)
    splits = holdout(cohort, test_fraction=0.9, val_fraction=val_fraction)
    assert splits["role"].value_counts().to_dict() == expected
    assert splits[splits["role"] == "test"]["sample"].tolist() == ["s8", "s9", "s10"]


def test_folds_do_not_use_the_sources_own_split_and_say_so(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        splits = kfold(cohort_of([i % 2 for i in range(11)], splits=OWN), folds=3)
    assert (splits["role"] == "test").sum() == 11
    assert "it is not used" in caplog.text


PAIR = ["p", "", "", "", "", "", "", "", "", "", "p"]


@pytest.mark.parametrize(
    ("columns", "arguments", "message"),
    [
        ({"splits": ["train"] * 11}, {}, "no 'test' in fold 0"),
        ({"splits": ["test"] * 11}, {}, "no 'train' in fold 0"),
        ({"splits": [*OWN[:10], ""]}, {}, "1 without, the first 's10'"),
        ({"splits": OWN, "groups": PAIR}, {}, "group 'p' both tested on and learned from in fold 0.*grouped=false"),
        ({}, {"test_fraction": 1.0}, "test_fraction"),
        ({}, {"val_fraction": -0.1}, "val_fraction"),
    ],
)
def test_hold_out_sets_that_cannot_be(columns: dict[str, Any], arguments: dict[str, float], message: str) -> None:
    with pytest.raises(FoveolaError, match=message):
        holdout(cohort_of([i % 2 for i in range(11)], **columns), **arguments)


def test_a_split_group_is_allowed_if_asked_for() -> None:
    cohort = cohort_of([i % 2 for i in range(11)], splits=OWN, groups=PAIR)
    assert holdout(cohort, grouped=False)["role"].tolist() == OWN


@pytest.mark.parametrize(
    ("groups", "folds", "message"),
    [
        (None, 5, r"at least 5 images of every class .*, got 4 of class 'bacterial', in set; give `--folds 4`"),
        ([f"p{min(i, 12)}" for i in range(14)], 4, r"4 groups of every .*, got 3 of class 'bacterial', .*`--folds 3`"),
        (["a"] * 7 + ["b"] * 7, 2, r"got 1 of class 'bacterial', in set; add groups"),
        (None, 1, r"at least 2 folds, got 1, in --folds"),
    ],
)
def test_more_folds_than_a_class_has_samples_or_groups(groups: list[str] | None, folds: int, message: str) -> None:
    cohort = cohort_of([0] * 10 + [1] * 4, **({"groups": groups} if groups else {}))
    with pytest.raises(FoveolaError, match=message):
        kfold(cohort, folds=folds)


def test_groups_do_not_limit_folds_that_may_split_them() -> None:
    cohort = cohort_of([0] * 10 + [1] * 4, groups=["a"] * 7 + ["b"] * 7)
    assert (counts(kfold(cohort, folds=4, grouped=False), "test")["bacterial"] == 1).all()


def test_samples_without_a_label_cannot_be_split() -> None:
    unlabelled = Cohort("new", (), sample_table(["x", "y"], [-1, -1]), NoImages(2))
    for split in (holdout, kfold):
        with pytest.raises(FoveolaError, match="2 without, the first 'x'"):
            split(unlabelled)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 0, 0], "expected at least two classes, got only 'normal', in set"),
        ([1, 0, 1, 2, 2], "expected at least two images of every class, got 1 of class 'normal', in set"),
    ],
)
def test_classes_that_cannot_be_split(labels: list[int], message: str) -> None:
    for split in (holdout, kfold):
        with pytest.raises(FoveolaError, match=message):
            split(cohort_of(labels))


def test_leaks_are_found() -> None:
    rows = [
        ("a", "p", "normal", 0, "train"),
        ("b", "p", "normal", 0, "val"),
        ("c", "", "normal", 0, "test"),
        ("d", "", "normal", 0, "train"),
        ("a", "p", "normal", 1, "test"),
        ("c", "", "normal", 1, "train"),
    ]
    splits = pd.DataFrame(rows, columns=list(SPLIT_COLUMNS))
    check_no_leak(splits)
    group = pd.concat([splits, pd.DataFrame([("e", "p", "normal", 0, "test")], columns=list(SPLIT_COLUMNS))])
    with pytest.raises(FoveolaError, match="group 'p' both tested on and learned from in fold 0"):
        check_no_leak(group)
    check_no_leak(group, grouped=False)
    sample = pd.concat([splits, pd.DataFrame([("c", "", "normal", 1, "test")], columns=list(SPLIT_COLUMNS))])
    with pytest.raises(FoveolaError, match="sample 'c' both tested on and learned from in fold 1"):
        check_no_leak(sample, grouped=False)
