"""Trials with fits that are only said to be made, so that what becomes of them can be planted."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from foveola.foundation.errors import FoveolaError
from foveola.protocol import RunConfiguration
from foveola.search import search, trial_job

SPACE = {"training.lr": [0.01, 0.5], "training.weight_decay": {"low": 1e-6, "high": 1e-2, "log": True}}
"""A learning rate of 0.5 is planted to be bad."""
EPOCHS = 4
Configure = Callable[..., RunConfiguration]
Made = list[tuple[str, int, dict[str, float]]]


@pytest.fixture
def fits(monkeypatch: pytest.MonkeyPatch) -> Made:
    """Replaces training by what it leaves behind; returns the folder, the fold and the settings of each fit."""
    made: Made = []

    def run_fit(planned: Any, configuration: Any, data: Any, folder: Path, progress: Any, watch: Any) -> None:
        training = configuration.training
        made.append((folder.parent.name, planned.fold, {"lr": training.lr, "decay": training.weight_decay}))
        assert not planned.tests
        loss = 5.0 if training.lr == 0.5 else 1 + training.weight_decay + 0.1 * planned.fold
        loss = math.nan if training.lr > 0.9 else loss
        rows = []
        for epoch in range(1, training.epochs + 1):
            rows.append({"epoch": epoch, "val_loss": loss - 0.01 * epoch})
            folder.mkdir(parents=True, exist_ok=True)
            pd.DataFrame(rows).to_csv(folder / "history.csv", index=False)
            (folder / "last.ckpt").write_text("")
            if watch:
                watch(epoch, rows[-1])
            progress(f"epoch {epoch}", epoch, training.epochs)
        (folder / "done").write_text(json.dumps({"seconds": 1.0, "epoch": training.epochs}))

    monkeypatch.setattr(trial_job, "run_fit", run_fit)
    monkeypatch.setattr(trial_job, "check_fit", lambda *_: None)
    for name in ("check_fit", "trials_picture"):
        monkeypatch.setattr(f"foveola.search.study.{name}", lambda *_, **__: None)
    return made


@pytest.fixture
def four_epochs(configure: Configure) -> RunConfiguration:
    return configure("plain", {"training.epochs": EPOCHS})


def test_a_bad_setting_is_given_up_early(fits: Made, four_epochs: RunConfiguration, tmp_path: Path) -> None:
    found = search(four_epochs, tmp_path / "study", space=SPACE, trials=14)
    table = found.trials
    assert set(table["training.lr"]) == {0.01, 0.5}
    early, late = table[table["number"] < 5], table[table["number"] >= 5]
    assert (early["state"] == "complete").all(), "nothing is given up before there is something to compare with"
    bad = late[late["training.lr"] == 0.5]
    assert len(bad)
    assert (bad["state"] == "pruned").all()
    assert bad["score"].isna().all()
    assert (bad["epoch_0"] < EPOCHS).all()
    assert found.settings["training.lr"] == 0.01
    for number in bad["number"]:
        assert not (tmp_path / "study" / "trials" / f"{number:04d}" / "0" / "last.ckpt").exists()


def test_the_settings_as_they_stand_are_tried_first(fits: Made, four_epochs: RunConfiguration, tmp_path: Path) -> None:
    search(four_epochs, tmp_path / "study", space=SPACE, trials=2)
    assert fits[0][2] == {"lr": 0.01, "decay": 1e-4}


def test_more_trials_go_on_with_the_study(fits: Made, four_epochs: RunConfiguration, tmp_path: Path) -> None:
    first = search(four_epochs, tmp_path / "study", space=SPACE, trials=3)
    assert len(fits) == 3
    again = search(four_epochs, tmp_path / "study", space=SPACE, trials=7)
    assert [name for name, *_ in fits] == [f"000{number}" for number in range(7)]
    pd.testing.assert_frame_equal(again.trials.head(3), first.trials)
    whole = search(four_epochs, tmp_path / "whole", space=SPACE, trials=7)
    columns = ["number", "training.lr", "training.weight_decay", "score"]
    pd.testing.assert_frame_equal(again.trials[columns], whole.trials[columns])


def test_a_trial_that_was_stopped_goes_on_with_its_settings(
    fits: Made, four_epochs: RunConfiguration, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = trial_job.run_fit

    def stopped(*arguments: Any) -> None:
        made(*arguments)
        if len(fits) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(trial_job, "run_fit", stopped)
    with pytest.raises(KeyboardInterrupt):
        search(four_epochs, tmp_path / "study", space=SPACE, trials=5)
    (tmp_path / "study" / "trials" / "0002" / "0" / "done").unlink()
    found = search(four_epochs, tmp_path / "study", space=SPACE, trials=5)
    assert [name for name, *_ in fits] == ["0000", "0001", "0002", "0002", "0003", "0004"]
    assert fits[2] == fits[3]
    whole = search(four_epochs, tmp_path / "whole", space=SPACE, trials=5)
    columns = ["number", "training.lr", "training.weight_decay", "score"]
    pd.testing.assert_frame_equal(found.trials[columns], whole.trials[columns])


def test_each_trial_is_validated_on_every_inner_fold(fits: Made, four_epochs: RunConfiguration, tmp_path: Path) -> None:
    found = search(four_epochs, tmp_path / "study", space={"training.lr": [0.01, 0.02]}, inner_folds=3)
    assert [fold for _, fold, _ in fits] == [1, 2, 3] * 2
    assert found.validated == 25 + 9, "all images that are not put aside"
    row = found.trials.iloc[0]
    assert row["score"] == pytest.approx((row["score_0"] + row["score_1"] + row["score_2"]) / 3)
    assert row["score_1"] - row["score_0"] == pytest.approx(0.1)
    splits = pd.read_csv(tmp_path / "study" / "splits.csv")
    aside = set(splits["sample"][(splits["fold"] == 0) & (splits["role"] == "test")])
    inner = splits[splits["fold"] > 0]
    assert set(inner["sample"][inner["role"] != "unused"]).isdisjoint(aside)


def test_trials_that_diverge_or_cannot_be_are_no_candidates(
    fits: Made, four_epochs: RunConfiguration, tmp_path: Path
) -> None:
    space = {"training.lr": [0.99, 0.02], "training.cutoff": [1], "training.epochs": [EPOCHS, 2]}
    found = search(four_epochs, tmp_path / "study", space=space)
    assert found.trials["state"].tolist() == ["diverged", "diverged", "complete", "complete"]
    assert found.trials["score"].isna().tolist() == [True, True, False, False]
    with pytest.raises(FoveolaError, match="a trial that comes to its end, got diverged: no score that is a number"):
        search(four_epochs, tmp_path / "none", space={"training.lr": [0.99]})


def test_settings_that_cannot_be_together_are_written_down(
    fits: Made, four_epochs: RunConfiguration, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def check(configuration: RunConfiguration, data: Any) -> None:
        if configuration.training.lr == 0.02:
            raise FoveolaError("another one", "0.02", "training.lr", "change it")

    monkeypatch.setattr(trial_job, "check_fit", check)
    found = search(four_epochs, tmp_path / "study", space={"training.lr": [0.01, 0.02]})
    assert found.trials["state"].tolist() == ["complete", "refused"]
    assert found.trials["reason"].tolist() == ["", "expected another one, got 0.02, in training.lr; change it"]
