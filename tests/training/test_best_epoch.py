"""The network of the best epoch is the one that training to that epoch alone would give."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from unittest.mock import Mock

import numpy as np
import pandas as pd
import pytest
import torch
from lightning import LightningModule, Trainer

from foveola.attention import ARMS, Attended
from foveola.models.zoo.small_cnn import small_cnn
from foveola.training import train
from foveola.training.callbacks import BestEpoch

if TYPE_CHECKING:
    from conftest import Case

MODULE = LightningModule()


def states(model: Attended) -> dict[str, bytes]:
    return {name: value.numpy().tobytes() for name, value in model.state_dict().items()}


def fit(case: Case, arm: str, folder: Path, **settings: Any) -> tuple[Attended, int]:
    """Trains with a constant learning rate, so that a longer run begins as a shorter one does."""
    own = {"hidden": 5} if arm == "global" else {}
    values = {"schedule": "constant", "lr": 0.03, "epochs": 6, "cutoff": 3, **settings}
    model = case.model(arm)
    epoch = train(
        model,
        case.rows(0, 25),
        case.rows(25, 36),
        scaling=case.scaling,
        settings=case.settings.model_copy(update=values),
        arm=ARMS[arm].configure(own),
        seed=1,
        folder=folder,
    )
    return model, epoch


@pytest.mark.parametrize("criterion", ["loss", "accuracy", "macro_auc"])
@pytest.mark.parametrize("arm", ["plain", "global", "l1"])
def test_the_best_epoch_is_kept(case: Case, arm: str, criterion: str, tmp_path: Path) -> None:
    model, epoch = fit(case, arm, tmp_path / "best", keep="best", criterion=criterion)
    values = pd.read_csv(tmp_path / "best" / "history.csv")[f"val_{criterion}"]
    assert epoch == 1 + int(values.argmin() if criterion == "loss" else values.argmax())
    alone, last = fit(case, arm, tmp_path / "alone", epochs=epoch, cutoff=min(3, epoch))
    assert last == epoch
    assert states(model) == states(alone)


def test_the_last_epoch_is_kept_unless_asked(case: Case, tmp_path: Path) -> None:
    kept, epoch = fit(case, "plain", tmp_path / "a")
    last, _ = fit(case, "plain", tmp_path / "b", keep="last")
    assert epoch == 6
    assert states(kept) == states(last)


def test_without_images_to_look_at_the_last_is_kept(case: Case, tmp_path: Path) -> None:
    model = case.model("plain")
    settings = case.settings.model_copy(update={"keep": "best"})
    epoch = train(
        model,
        case.rows(0, 25),
        case.rows(25, 25),
        scaling=case.scaling,
        settings=settings,
        arm=ARMS["plain"].configure({}),
        seed=1,
        folder=tmp_path,
    )
    assert epoch == settings.epochs


def told(values: list[float], criterion: Any = "accuracy") -> BestEpoch:
    best = BestEpoch(Attended(small_cnn(1, 3, 4), None), "val_accuracy", criterion)
    for epoch, value in enumerate(values):
        metrics = {"val_accuracy": torch.tensor(value)}
        trainer = cast(Trainer, Mock(spec=Trainer, callback_metrics=metrics, current_epoch=epoch))
        best.on_train_epoch_end(trainer, MODULE)
    return best


@pytest.mark.parametrize(
    ("values", "criterion", "epoch"),
    [
        ([0.25, 0.5, 0.5, 0.375], "accuracy", 2),
        ([0.25, 0.5, 0.125, 0.125], "loss", 3),
        ([math.nan, 0.25, math.nan], "accuracy", 2),
        ([math.nan, math.nan], "accuracy", 0),
        ([math.inf, 2.0], "loss", 2),
    ],
)
def test_the_first_of_equals_is_best_and_what_is_not_defined_is_not(
    values: list[float], criterion: str, epoch: int
) -> None:
    best = told(values, criterion)
    assert best.epoch == epoch
    assert bool(best.state) == (epoch > 0)


def test_it_goes_on_where_it_was_saved() -> None:
    first, second = told([0.25, 0.5]), told([])
    second.load_state_dict(first.state_dict())
    assert (second.epoch, second.value) == (2, 0.5)
    assert all(np.array_equal(second.state[name], first.state[name]) for name in first.state)
