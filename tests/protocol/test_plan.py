from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from foveola.data import load_cohort
from foveola.data.cohort import Cohort
from foveola.errors import FoveolaError
from foveola.protocol import PlannedFit, RunConfiguration, plan
from foveola.protocol.plan import make_splits, rows_of

Configure = Callable[..., RunConfiguration]


@pytest.fixture
def cohort(scans: Path) -> Cohort:
    return load_cohort(str(scans))


def test_arms_take_turns_within_folds_within_seeds(configure: Configure, cohort: Cohort) -> None:
    configuration = configure(["l1", "plain"], {"seeds": 2, "protocol": "kfold", "folds": 3})
    planned = plan(configuration, make_splits(configuration, cohort))
    assert [fit.name for fit in planned] == [
        "l1/0-0", "plain/0-0", "l1/1-0", "plain/1-0", "l1/2-0", "plain/2-0",
        "l1/0-1", "plain/0-1", "l1/1-1", "plain/1-1", "l1/2-1", "plain/2-1",
    ]  # fmt: skip
    assert planned[3] == PlannedFit("plain", 1, 0)


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
