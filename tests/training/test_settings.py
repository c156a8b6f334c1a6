"""The settings of training."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from foveola.foundation.errors import FoveolaError
from foveola.foundation.settings import validated
from foveola.training import TrainingSettings


@pytest.mark.parametrize(
    ("epochs", "cutoff", "expected"), [(30, None, 18), (250, 60, 60), (1, None, 1), (2, None, 1), (7, 7, 7), (5, 1, 1)]
)
def test_the_map_is_learned_for_six_tenths_of_the_epochs(epochs: int, cutoff: int | None, expected: int) -> None:
    assert TrainingSettings(epochs=epochs, cutoff=cutoff).cutoff_epoch == expected


@pytest.mark.parametrize(
    "values",
    [
        {"epochs": 0},
        {"cutoff": 0},
        {"batch_size": 1},
        {"lr": 0},
        {"weight_decay": -1e-4},
        {"schedule": "linear"},
        {"precision": "64"},
        {"device": "tpu"},
    ],
)
def test_values_that_cannot_be_are_named(values: dict[str, Any]) -> None:
    (key,) = values
    with pytest.raises(FoveolaError, match=rf"in training\.{key}; "):
        validated(TrainingSettings, values, "training")


def test_the_cut_off_lies_within_the_epochs() -> None:
    with pytest.raises(FoveolaError, match=r"^expected a cut-off within the 5 epochs, got"):
        validated(TrainingSettings, {"epochs": 5, "cutoff": 6}, "training")


def test_a_misspelt_key_is_answered_with_the_nearest() -> None:
    with pytest.raises(FoveolaError, match="got 'epoch', in training; did you mean 'epochs'"):
        validated(TrainingSettings, {"epoch": 5}, "training")


def test_is_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        TrainingSettings().lr = 0.1  # type: ignore[misc]
