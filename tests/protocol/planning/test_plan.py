from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from foveola.data import load_cohort
from foveola.data.cohort import Cohort
from foveola.foundation.errors import FoveolaError
from foveola.protocol import PlannedFit, RunConfiguration, plan
from foveola.protocol.planning.plan import make_splits, rows_of

Configure = Callable[..., RunConfiguration]


@pytest.fixture
def cohort(scans: Path) -> Cohort:
    return load_cohort(str(scans))


def test_arms_take_turns_within_folds_within_seeds(configure: Configure, cohort: Cohort) -> None:
    configuration = configure(["l1", "plain"], {"seeds": 2, "protocol": "kfold", "folds": 3})
    planned = plan(configuration, make_splits(configuration, cohort))
    assert [fit.name for fit in planned] == [
        "l1/0-0",
        "plain/0-0",
        "l1/1-0",
        "plain/1-0",
        "l1/2-0",
        "plain/2-0",
        "l1/0-1",
        "plain/0-1",
        "l1/1-1",
        "plain/1-1",
        "l1/2-1",
        "plain/2-1",
    ]
    assert planned[3] == PlannedFit("plain", 1, 0)


def planned(configuration: RunConfiguration, cohort: Cohort) -> tuple[pd.DataFrame, list[PlannedFit]]:
    splits = make_splits(configuration, cohort)
    return splits, plan(configuration, splits)


def test_sound_gives_every_repeat_its_own_seeds(configure: Configure, cohort: Cohort) -> None:
    options = {"protocol": "sound", "folds": 2, "repeats": 3, "seeds": 2, "val_fraction": 0.3}
    splits, fits = planned(configure(["plain", "svm"], options), cohort)
    assert [(fit.arm, fit.fold, fit.seed) for fit in fits[:4]] == [
        ("plain", 0, 0),
        ("svm", 0, 0),
        ("plain", 1, 0),
        ("svm", 1, 0),
    ]
    seeds = {fold: {fit.seed for fit in fits if fit.fold == fold} for fold in range(6)}
    assert seeds == {0: {0, 1}, 1: {0, 1}, 2: {2, 3}, 3: {2, 3}, 4: {4, 5}, 5: {4, 5}}
    assert all(fit.tests and fit.watches == "val" and not fit.needs and fit.trial is None for fit in fits)
    assert set(splits["role"]) == {"train", "val", "test"}


def test_sound_tries_settings_on_the_validation_images_of_the_fold(configure: Configure, cohort: Cohort) -> None:
    options = {"protocol": "sound", "folds": 2, "repeats": 1, "seeds": 2, "search.space": {"training.lr": [0.1, 0.2]}}
    _, fits = planned(configure(["plain"], options), cohort)
    assert [fit.name for fit in fits] == [
        "plain/0-0-trial0",
        "plain/0-0-trial1",
        "plain/0-0",
        "plain/1-0-trial0",
        "plain/1-0-trial1",
        "plain/1-0",
        "plain/0-1",
        "plain/1-1",
    ]
    assert [fit.tests for fit in fits] == [False, False, True, False, False, True, True, True]
    assert {fit.needs for fit in fits if fit.fold == 0 and fit.tests} == {("plain/0-0-trial0", "plain/0-0-trial1")}


def test_nested_tries_settings_on_folds_within_the_training_images(configure: Configure, cohort: Cohort) -> None:
    options = {
        "protocol": "nested",
        "folds": 2,
        "repeats": 1,
        "search.space": {"training.lr": [0.1, 0.2]},
        "search.folds": 3,
    }
    splits, fits = planned(configure(["plain"], options), cohort)
    trials = [fit for fit in fits if fit.trial is not None]
    assert [(fit.fold, fit.trial) for fit in trials] == [
        (fold, trial) for outer in (0, 1) for trial in (0, 1) for fold in range(2 + 3 * outer, 5 + 3 * outer)
    ]
    roles = splits.set_index(["fold", "sample"])["role"]
    for fit in fits:
        if fit.tests:
            tested = set(roles[fit.fold][roles[fit.fold] == "test"].index)
            for need in fit.needs:
                inner = roles[next(trial.fold for trial in trials if trial.name == need)]
                assert set(inner[list(tested)]) == {"unused"}


def test_paper_ranks_epochs_within_and_looks_at_the_test_images_once(configure: Configure, cohort: Cohort) -> None:
    splits, fits = planned(configure(["plain", "logistic-regression"], {"protocol": "paper", "folds": 3}), cohort)
    assert [(fit.arm, fit.fold, fit.watches, fit.tests) for fit in fits] == [
        ("plain", 1, "val", False),
        ("plain", 2, "val", False),
        ("plain", 3, "val", False),
        ("plain", 0, "test", True),
        ("logistic-regression", 0, "val", True),
    ]
    assert fits[3].needs == tuple(fit.name for fit in fits[:3])
    roles = splits.pivot_table(index="sample", columns="fold", values="role", aggfunc="first", sort=False)
    source = cohort.table.set_index("sample")["split"]
    assert (roles[0] == source.replace("val", "train")).all(), "it trains on all images that are not tested on"
    assert (roles.loc[source == "test", [1, 2, 3]] == "unused").all(axis=None)
    ranked = roles.loc[source != "test", [1, 2, 3]]
    assert ((ranked == "val").sum(axis=1) == 1).all()


def test_a_learning_curve_draws_once_for_every_seed(configure: Configure, cohort: Cohort) -> None:
    options = {"protocol": "holdout", "train_sizes": [9, 18], "seeds": 3}
    splits, fits = planned(configure(["plain"], options), cohort)
    assert [(fit.fold, fit.seed) for fit in fits] == [(0, 0), (1, 0), (2, 1), (3, 1), (4, 2), (5, 2)]
    learned = splits[splits["role"].isin(["train", "val"])].groupby("fold").size()
    assert learned.tolist() == [9, 18] * 3
    assert splits[splits["role"] == "test"].groupby("fold")["sample"].apply(tuple).nunique() == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"protocol": "paper", "folds": 2}, "one test set for the protocol paper, got 2 folds"),
        ({"train_sizes": [9, 18]}, "one test set for a learning curve, got 2 folds"),
        (
            {"protocol": "sound", "training.keep": "best"},
            r"images to validate on in every fold.*none in fold 0.*val_fr",
        ),
        ({"protocol": "sound", "search.space": "default", "training.keep": "best"}, "images to validate on"),
    ],
)
def test_splits_that_do_not_suit_the_protocol(
    configure: Configure, cohort: Cohort, tmp_path: Path, options: dict[str, object], message: str
) -> None:
    samples = cohort.table["sample"]
    pd.DataFrame({"sample": samples, "fold": [0, 1] * 20 + [0]}).to_csv(tmp_path / "two.csv", index=False)
    configuration = configure(["plain"], {**options, "split_file": str(tmp_path / "two.csv")})
    with pytest.raises(FoveolaError, match=message):
        planned(configuration, cohort)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"protocol": "paper", "train_sizes": [9]}, "the protocol holdout for a learning curve, not paper"),
        ({"train_sizes": [200, 200, 210]}, "training sizes each more than a tenth larger than the one before"),
        ({"train_sizes": [1150, 1200]}, "training sizes each more than a tenth larger"),
        ({"protocol": "paper", "training.keep": "best"}, r"`training.keep=last` for the protocol paper"),
        ({"protocol": "kfold", "search.space": "default"}, "sound or nested for a choice of settings, not kfold"),
        ({"protocol": "nested"}, "a search space for the protocol nested"),
    ],
)
def test_what_does_not_go_together(configure: Configure, options: dict[str, object], message: str) -> None:
    with pytest.raises(FoveolaError, match=message):
        configure(options=options)


def test_the_hold_out_set_is_the_sources_own(configure: Configure, cohort: Cohort) -> None:
    splits = make_splits(configure(), cohort)
    assert splits["role"].tolist() == cohort.table["split"].tolist()
    assert set(splits["fold"]) == {0}


def test_fractions_and_seed_are_handed_on(configure: Configure) -> None:
    cohort = load_cohort("phantom:n=60")
    options = {"test_fraction": 0.3, "val_fraction": 0.25, "grouped": False}
    splits = make_splits(configure(options=options), cohort)
    assert splits["role"].value_counts().to_dict() == pytest.approx({"train": 31, "test": 18, "val": 11}, abs=3)
    other = make_splits(configure(options={**options, "split_seed": 1}), cohort)
    assert other["role"].tolist() != splits["role"].tolist()
    grouped = make_splits(configure(options={"test_fraction": 0.3}), cohort)
    assert grouped.groupby("group")["role"].nunique().max() == 1
    assert splits.groupby("group")["role"].nunique().max() == 2


def test_each_image_is_tested_once_in_folds(configure: Configure, cohort: Cohort) -> None:
    splits = make_splits(configure(options={"protocol": "kfold", "folds": 4}), cohort)
    tested = splits[splits["role"] == "test"]
    assert sorted(tested["sample"]) == sorted(cohort.table["sample"])
    assert sorted(set(splits["fold"])) == [0, 1, 2, 3]


def test_a_split_file_goes_before_the_protocol(configure: Configure, cohort: Cohort, tmp_path: Path) -> None:
    roles = ["test", "train", "val"] * 13 + ["test", "train"]
    table = pd.DataFrame({"sample": cohort.table["sample"], "role": roles})
    table.sample(frac=1, random_state=3).to_csv(tmp_path / "mine.csv", index=False)
    configuration = configure(options={"split_file": str(tmp_path / "mine.csv"), "protocol": "kfold"})
    assert make_splits(configuration, cohort)["role"].tolist() == roles
    with pytest.raises(FoveolaError, match=r"none\.csv; check --split-file"):
        make_splits(configure(options={"split_file": "none.csv"}), cohort)


def test_rows_are_positions_in_ascending_order(cohort: Cohort) -> None:
    splits = pd.DataFrame({"sample": cohort.table["sample"], "fold": 1, "role": ["train", "test"] * 20 + ["val"]})
    shuffled = pd.concat([splits.assign(fold=0, role="train"), splits]).sample(frac=1, random_state=2)
    assert rows_of("test", 1, shuffled, cohort).tolist() == list(range(1, 40, 2))
    assert rows_of("val", 1, shuffled, cohort).tolist() == [40]
    assert np.array_equal(rows_of("train", 0, shuffled, cohort), np.arange(41))
    assert rows_of("val", 0, shuffled, cohort).size == 0
