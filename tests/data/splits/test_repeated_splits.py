"""Repeated folds, folds within folds and smaller training sets: what is tested on is never learned from."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foveola.data.cohort import Cohort, sample_table
from foveola.data.splits.repeated_splits import (
    at_sizes,
    inner_folds,
    inner_numbers,
    repeated_kfold,
    roles_by_fold,
    training_sizes,
)
from foveola.data.splits.splits import holdout, kfold
from foveola.foundation.errors import FoveolaError

CLASSES = ("normal", "bacterial", "viral")


class NoImages:
    """Images that nobody may look at."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    read = digest = where = pytest.fail


def cohort_of(labels: list[int], groups: list[str] | None = None) -> Cohort:
    table = sample_table([f"s{i}" for i in range(len(labels))], labels, groups=groups)
    return Cohort("set", CLASSES[: max(labels) + 1], table, NoImages(len(labels)))


@st.composite
def cohorts(draw: st.DrawFn, units: int = 6) -> Cohort:
    """At least ``units`` groups of every class, of one to three samples each."""
    labels, groups = [], []
    for label in range(draw(st.integers(2, 3))):
        for place in range(draw(st.integers(units, 13))):
            size = draw(st.integers(1, 3))
            labels += [label] * size
            groups += [f"p{label}-{place}"] * size
    order = np.random.default_rng(draw(st.integers(0, 999))).permutation(len(labels))
    return cohort_of([labels[i] for i in order], [groups[i] for i in order])


def no_group_on_two_sides(splits: pd.DataFrame, *roles: str) -> None:
    own = splits[splits["role"].isin(roles)]
    assert own.groupby(["fold", "group"])["role"].nunique().max() == 1


@settings(deadline=None, max_examples=25)
@given(cohorts(), st.integers(2, 4), st.integers(1, 3), st.integers(0, 9))
def test_every_repeat_tests_each_sample_once(cohort: Cohort, folds: int, repeats: int, seed: int) -> None:
    splits = repeated_kfold(cohort, folds=folds, repeats=repeats, val_fraction=0.3, seed=seed)
    assert sorted(splits["fold"].unique()) == list(range(folds * repeats))
    tested = splits[splits["role"] == "test"]
    for _, own in tested.groupby(tested["fold"] // folds):
        assert sorted(own["sample"]) == sorted(cohort.table["sample"])
    no_group_on_two_sides(splits, "train", "val", "test")
    assert (splits.groupby("fold")["role"].nunique() == 3).all()


def test_repeats_differ_and_the_same_call_does_not() -> None:
    cohort = cohort_of([0, 1, 2] * 11)
    first, again = (repeated_kfold(cohort, folds=3, repeats=2, seed=5) for _ in range(2))
    pd.testing.assert_frame_equal(first, again)
    roles = roles_by_fold(first)
    assert roles[0].tolist() != roles[3].tolist()
    other = roles_by_fold(repeated_kfold(cohort, folds=3, repeats=2, seed=6))
    assert roles[0].tolist() != other[0].tolist()


def test_a_share_is_validated_on_or_none() -> None:
    cohort = cohort_of([0, 1] * 50)
    splits = repeated_kfold(cohort, folds=5, repeats=1, val_fraction=0.25)
    assert splits.groupby("fold")["role"].value_counts().unstack().loc[0].to_dict() == {
        "train": 60,
        "val": 20,
        "test": 20,
    }
    assert "val" not in set(repeated_kfold(cohort, folds=5, repeats=1, val_fraction=0)["role"])


def test_a_class_of_few_groups_is_named() -> None:
    cohort = cohort_of([0] * 9 + [1] * 9, [f"p{i}" for i in range(9)] + ["a", "b", "c"] * 3)
    with pytest.raises(FoveolaError, match=r"at least 4 groups of every class.*3 of class 'bacterial'.*--folds 3"):
        repeated_kfold(cohort, folds=4)


@settings(deadline=None, max_examples=25)
@given(cohorts(units=10), st.integers(2, 3), st.integers(2, 3))
def test_inner_folds_never_see_what_is_tested_on(cohort: Cohort, outer: int, inner: int) -> None:
    splits = kfold(cohort, folds=outer)
    table = inner_folds(splits, cohort, folds=inner, grouped=True, seed=3)
    assert sorted(table["fold"].unique()) == list(range(outer, outer + outer * inner))
    assert "test" not in set(table["role"])
    no_group_on_two_sides(table, "train", "val")
    for fold, roles in roles_by_fold(splits).items():
        tested = set(cohort.table["sample"][roles == "test"])
        own = table[table["fold"].isin(list(inner_numbers(fold, splits, inner)))]
        assert tested.isdisjoint(own[own["role"] != "unused"]["sample"])
        validated = own[own["role"] == "val"]["sample"]
        assert sorted(validated) == sorted(set(cohort.table["sample"]) - tested)


def test_numbers_are_the_same_with_inner_folds_behind() -> None:
    cohort = cohort_of([0, 1] * 20)
    outer = kfold(cohort, folds=3)
    both = pd.concat([outer, inner_folds(outer, cohort, folds=2, grouped=True, seed=0)])
    assert [list(inner_numbers(fold, both, 2)) for fold in range(3)] == [[3, 4], [5, 6], [7, 8]]


def test_too_few_for_inner_folds() -> None:
    cohort = cohort_of([0] * 20 + [1] * 4)
    with pytest.raises(FoveolaError, match=r"for 4 folds, got 3 of class 'bacterial'.*`--set search.folds=3`"):
        inner_folds(kfold(cohort, folds=4), cohort, folds=4, grouped=True, seed=0, option="--set search.folds=")


@settings(deadline=None, max_examples=25)
@given(cohorts(units=8), st.booleans(), st.integers(0, 99))
def test_smaller_sets_are_part_of_larger_ones(cohort: Cohort, validated: bool, seed: int) -> None:
    base = holdout(cohort, test_fraction=0.3, val_fraction=0.3 if validated else 0.0, seed=seed)
    most = int(training_sizes(base)[0])
    sizes = [10 + (most - 10) // 3, most]
    splits = at_sizes(base, cohort, sizes=sizes, draws=3, seed=seed)
    assert training_sizes(splits).tolist() == sizes * 3
    whole = roles_by_fold(base)[0]
    for fold, roles in roles_by_fold(splits).items():
        assert ((roles == "test") == (whole == "test")).all()
        assert all(role in (own, "unused") for role, own in zip(roles, whole, strict=True))
        if fold % 2 == 0:
            larger = roles_by_fold(splits)[fold + 1]
            assert not ((roles == "train") & (larger != "train")).any()
    no_group_on_two_sides(splits, "train", "val", "test")


def test_classes_keep_their_shares_and_draws_differ() -> None:
    cohort = cohort_of(([0] * 6 + [1] * 3 + [2]) * 20)
    base = kfold(cohort, folds=2)
    splits = at_sizes(base, cohort, sizes=[20, 50], draws=2)
    assert len(splits["fold"].unique()) == 2 * 2 * 2
    trained = splits[splits["role"] == "train"]
    shares = trained.groupby(["fold", "label"]).size().unstack()
    for fold, size in training_sizes(splits).items():
        expected = np.array([0.3, 0.6, 0.1]) * size  # bacterial, normal, viral
        assert np.abs(shares.loc[fold] - expected).max() <= 1, fold
    roles = roles_by_fold(splits)
    assert roles[0].tolist() != roles[2].tolist()


@pytest.mark.parametrize(
    ("size", "message"),
    [
        (41, r"from 2 to 40 training images, got 41, in --train-sizes"),
        (1, r"from 2 to 40 training images, got 1"),
        (2, r"every class, got 2 images without '\w+', in --train-sizes; give larger sizes"),
    ],
)
def test_sizes_that_cannot_be(size: int, message: str) -> None:
    cohort = cohort_of([0, 0, 0, 0, 0, 1, 1, 2, 2, 0] * 5)
    with pytest.raises(FoveolaError, match=message):
        at_sizes(holdout(cohort), cohort, sizes=[size], draws=1)
