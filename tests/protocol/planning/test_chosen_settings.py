"""The choice of an epoch and of settings: on validation images alone."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from foveola.comparison import compare
from foveola.comparison.compare import load_data
from foveola.foundation.errors import FoveolaError
from foveola.protocol import FitData, PlannedFit, RunConfiguration, plan, run_fit
from foveola.protocol.planning.chosen_settings import best_trial, score_of, settings_of

Configure = Callable[..., RunConfiguration]
SEARCHED = {
    "protocol": "sound",
    "folds": 2,
    "repeats": 1,
    "val_fraction": 0.3,
    "search.space": {"training.lr": [1e-5, 0.02], "global.hidden": [3, 4]},
}


@pytest.mark.parametrize(
    ("scores", "criterion", "best"),
    [
        ([[0.3, 0.5], [0.6, 0.4], [0.5, 0.5]], "accuracy", 1),
        ([[0.3, 0.5], [0.6, 0.4], [0.5, 0.5]], "loss", 0),
        ([[None, 0.99], [0.1, 0.2]], "macro_auc", 1),
        ([[0.5], [0.5]], "loss", 0),
        ([[math.nan], [9.0]], "loss", 1),
    ],
)
def test_the_best_mean_wins(scores: list[list[float | None]], criterion: str, best: int) -> None:
    assert best_trial(scores, criterion) == best  # type: ignore[arg-type]


def test_none_is_best_where_no_training_came_to_an_end() -> None:
    with pytest.raises(FoveolaError, match="a trial with a finite score, got none in 2, in the search space"):
        best_trial([[None, 0.5], [math.nan, 0.5]], "loss")


def test_a_score_is_that_of_the_kept_epoch(tmp_path: Path) -> None:
    history = pd.DataFrame({"epoch": [1, 2, 3], "val_loss": [0.5, 0.25, math.nan], "val_accuracy": [0.1, 0.2, 0.3]})
    history.to_csv(tmp_path / "history.csv", index=False)
    assert [score_of(tmp_path, epoch, "loss") for epoch in (1, 2, 3, 4)] == [0.5, 0.25, None, None]
    assert score_of(tmp_path, 3, "accuracy") == 0.3


def prepared(configure: Configure, options: dict[str, object]) -> tuple[RunConfiguration, FitData]:
    configuration, data, _ = load_data(configure(["global"], options))
    return configuration, data


def test_the_trial_with_the_best_score_lends_its_settings(configure: Configure, tmp_path: Path) -> None:
    configuration, data = prepared(configure, {**SEARCHED, "training.epochs": 3})
    fits = [fit for fit in plan(configuration, data.splits) if fit.fold == 0]
    for fit in fits:
        run_fit(fit, configuration, data, tmp_path / "fits" / fit.name)
    trials, final = fits[:-1], tmp_path / "fits" / fits[-1].name
    scores = [json.loads((tmp_path / "fits" / fit.name / "done").read_text())["score"] for fit in trials]
    chosen = json.loads((final / "chosen.json").read_text())
    assert chosen["trial"] == int(np.argmin(scores))
    assert [trial["scores"] for trial in chosen["trials"]] == [[score] for score in scores]
    assert (
        json.loads((final / "model.json").read_text())["arm_settings"]["hidden"] == chosen["settings"]["global.hidden"]
    )
    same = tmp_path / "fits" / trials[chosen["trial"]].name / "history.csv"
    assert (final / "history.csv").read_bytes() == same.read_bytes(), "it was trained with other settings"
    for fit in trials:
        assert not list((tmp_path / "fits" / fit.name).glob("predictions.csv"))
        assert not list((tmp_path / "fits" / fit.name).glob("model.*"))


@pytest.mark.parametrize("arm", ["plain", "global"])
def test_what_is_tested_on_has_no_say(configure: Configure, tmp_path: Path, arm: str) -> None:
    """With other pixels and labels of the test images, everything that is learned and chosen is the same."""
    configuration, data, _ = load_data(configure([arm], {**SEARCHED, "training.epochs": 3}))
    tested = data.rows("test", 0)
    pixels, table = np.array(data.pixels), data.cohort.table.copy()
    pixels[tested] = 255 - pixels[tested][::-1]
    table.loc[tested, "label"] = (table.loc[tested, "label"] + 1) % 3
    other = FitData(replace(data.cohort, table=table), pixels, data.splits)
    for name, given in (("a", data), ("b", other)):
        for fit in plan(configuration, data.splits):
            if fit.fold == 0:
                run_fit(fit, configuration, given, tmp_path / name / "fits" / fit.name)
    learned = [
        path for path in (tmp_path / "a").rglob("*") if path.name in ("model.safetensors", "history.csv", "chosen.json")
    ]
    assert len(learned) >= 3 + len(list((tmp_path / "a").rglob("*trial*/history.csv")))
    for path in learned:
        twin = tmp_path / "b" / path.relative_to(tmp_path / "a")
        assert twin.read_bytes() == path.read_bytes(), path.name
    predictions = [(tmp_path / name / f"fits/{arm}/0-0/predictions.csv").read_text() for name in ("a", "b")]
    assert predictions[0] != predictions[1]


def test_a_fit_that_needs_none_keeps_its_settings(configure: Configure, tmp_path: Path) -> None:
    configuration = configure(["plain"])
    assert settings_of(PlannedFit("plain", 0, 0), configuration, tmp_path) is configuration


def test_test_images_that_are_watched_choose_no_epoch(configure: Configure, tmp_path: Path) -> None:
    configuration, data = prepared(configure, {"protocol": "paper", "folds": 2, "training.epochs": 3})
    best = configuration.model_copy(update={"training": configuration.training.model_copy(update={"keep": "best"})})
    for name, given in (("last", configuration), ("best", best)):
        run_fit(PlannedFit("global", 0, 0, watches="test"), given, data, tmp_path / name)
    models = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("last", "best")]
    assert models[0] == models[1]
    assert json.loads((tmp_path / "best" / "model.json").read_text())["epoch"] == 3


@pytest.mark.usefixtures("no_pictures")
def test_nested_chooses_anew_for_every_fold_and_tests_what_it_chose(configure: Configure, tmp_path: Path) -> None:
    options = {
        "protocol": "nested",
        "folds": 2,
        "repeats": 1,
        "val_fraction": 0.3,
        "training.epochs": 1,
        "search.folds": 2,
        "search.space": {"training.lr": [1e-6, 0.02]},
    }
    result = compare(configure(["plain", "majority"], options), tmp_path / "run")
    assert result.summary["fits"].to_dict() == {"plain": 2, "majority": 2}
    for fold in (0, 1):
        chosen = json.loads((tmp_path / f"run/fits/plain/{fold}-0/chosen.json").read_text())
        means = [np.mean(trial["scores"]) for trial in chosen["trials"]]
        assert [len(trial["scores"]) for trial in chosen["trials"]] == [2, 2]
        assert chosen["settings"] == {"training.lr": [1e-6, 0.02][int(np.argmin(means))]}
    assert not (tmp_path / "run/fits/majority/0-0/chosen.json").exists()
    assert sorted(path.name for path in (tmp_path / "run/fits/plain").iterdir()) == [
        "0-0",
        "1-0",
        "2-0-trial0",
        "2-0-trial1",
        "3-0-trial0",
        "3-0-trial1",
        "4-0-trial0",
        "4-0-trial1",
        "5-0-trial0",
        "5-0-trial1",
    ]
