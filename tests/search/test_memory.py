"""The journal of a search, without any fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import optuna
import pytest

from foveola.protocol.settings.search_space import Grid, Range, Space
from foveola.search.memory import Pruned, TrialMemory
from foveola.search.trial_outcome import TrialOutcome

SPACE: Space = {
    "global.hidden": Range(4, 64, log=True),
    "training.lr": Range(0.001, 0.1),
    "ppcr.levels": Grid(([1, 2], [4])),
}
START = {"global.hidden": 8, "training.lr": 0.01, "ppcr.levels": [4]}


def memory(folder: Path, **changes: Any) -> TrialMemory:
    values: dict[str, Any] = {
        "folder": folder,
        "space": SPACE,
        "start": START,
        "seed": 3,
        "epochs": 10,
        "smaller_is_better": True,
    }
    folder.mkdir(exist_ok=True)
    made = TrialMemory(**{**values, **changes})
    made.begin()
    return made


def trials(folder: Path) -> list[optuna.trial.FrozenTrial]:
    backend = optuna.storages.journal.JournalFileBackend(str(folder / "study.journal"))
    return optuna.load_study(study_name="foveola", storage=optuna.storages.JournalStorage(backend)).get_trials()


def complete(settings: dict[str, Any], score: float) -> TrialOutcome:
    return TrialOutcome(settings, "complete", (score,), (10,))


def test_the_settings_as_they_stand_come_first_and_the_rest_is_inside(tmp_path: Path) -> None:
    kept = memory(tmp_path)
    assert kept.ask(0).settings == START
    for number in range(1, 13):
        settings = kept.ask(number).settings
        assert 4 <= settings["global.hidden"] <= 64
        assert isinstance(settings["global.hidden"], int)
        assert 0.001 <= settings["training.lr"] <= 0.1
        assert settings["ppcr.levels"] in ([1, 2], [4])
        kept.tell({number: complete(settings, settings["training.lr"])})


def test_settings_outside_the_space_are_not_tried_first(tmp_path: Path) -> None:
    settings = memory(tmp_path, start={**START, "global.hidden": 100, "training.lr": 0.02}).ask(0).settings
    assert settings["training.lr"] == 0.02
    assert settings["global.hidden"] <= 64


def test_what_is_asked_again_is_answered_the_same_and_counted_once(tmp_path: Path) -> None:
    asked = memory(tmp_path).ask(1)
    asked.report(1, 0.5)
    again = memory(tmp_path).ask(1)
    assert again.settings == asked.settings
    again.report(1, 0.7)
    again.report(2, 0.4)
    (trial,) = trials(tmp_path)
    assert trial.intermediate_values == {1: 0.5, 2: 0.4}
    assert trial.state == optuna.trial.TrialState.RUNNING


def test_the_same_seed_asks_the_same_and_numbers_ask_differently(tmp_path: Path) -> None:
    asked = [memory(tmp_path / name).ask(number).settings for name, number in (("a", 7), ("b", 7), ("c", 8))]
    memory(tmp_path / "d").ask(0)
    assert asked[0] == asked[1] == asked[2] == START
    later = []
    for name, number in (("e", 7), ("f", 7), ("g", 8)):
        kept = memory(tmp_path / name)
        kept.ask(0)
        later.append(kept.ask(number).settings)
    assert later[0] == later[1] != later[2]


def test_what_is_told_twice_is_written_once(tmp_path: Path) -> None:
    kept = memory(tmp_path)
    outcome = complete(kept.ask(0).settings, 0.25)
    kept.tell({0: outcome})
    kept.tell({0: outcome})
    (trial,) = trials(tmp_path)
    assert (trial.value, trial.state.name) == (0.25, "COMPLETE")


@pytest.mark.parametrize("state", ["pruned", "diverged", "refused"])
def test_what_has_no_score_does_not_count_as_one(tmp_path: Path, state: Any) -> None:
    kept = memory(tmp_path)
    kept.tell({0: TrialOutcome(kept.ask(0).settings, state)})
    assert [trial.state.name for trial in trials(tmp_path)] == ["PRUNED"]


@pytest.mark.parametrize(("smaller_is_better", "bad"), [(True, 9.0), (False, 0.1)])
def test_what_is_worse_than_the_median_is_given_up_after_a_fifth(
    tmp_path: Path, smaller_is_better: bool, bad: float
) -> None:
    kept = memory(tmp_path, smaller_is_better=smaller_is_better)
    for number in range(5):
        asked = kept.ask(number)
        for epoch in range(1, 11):
            asked.report(epoch, 1.0 + 0.01 * number)
        kept.tell({number: complete(asked.settings, 1.0)})
    asked = kept.ask(5)
    asked.report(1, bad)
    with pytest.raises(Pruned, match="after epoch 2"):
        asked.report(2, bad)
    good = kept.ask(6)
    for epoch in range(1, 11):
        good.report(epoch, 1.0 + (-0.5 if smaller_is_better else 0.5))


def test_a_grid_is_written_down_as_it_is_finished(tmp_path: Path) -> None:
    space: Space = {"training.lr": Grid((0.1, 0.2)), "ppcr.levels": Grid(([1, 2], [4]))}
    kept = memory(tmp_path, space=space, start={"training.lr": 0.1, "ppcr.levels": [4]})
    asked = kept.ask(3)
    assert asked.settings == {"training.lr": 0.2, "ppcr.levels": [4]}
    for epoch in range(1, 11):
        asked.report(epoch, 99.0)
    assert trials(tmp_path) == []
    kept.tell({3: complete(asked.settings, 0.5), 0: TrialOutcome(kept.ask(0).settings, "diverged", (None,), (10,))})
    kept.tell({3: complete(asked.settings, 0.5)})
    told = trials(tmp_path)
    assert [(trial.params, trial.value) for trial in told] == [
        ({"training.lr": 0.2, "ppcr.levels": "[4]"}, 0.5),
        ({"training.lr": 0.1, "ppcr.levels": "[1, 2]"}, None),
    ]
