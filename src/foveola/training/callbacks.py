"""What is written, kept and shown while a network trains."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
from lightning import Callback, LightningModule, Trainer

from foveola.attention import Attended
from foveola.foundation import atomic
from foveola.training.settings import Criterion

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""
EpochWatch = Callable[[int, dict[str, float]], None]
"""Called after each epoch with its number, counted from 1, and its row of the history; may raise to stop."""


class History(Callback):
    """Writes ``history.csv``: one row an epoch with every number that was logged."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: list[dict[str, float]] = []

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Adds the row of this epoch; validation has been run by now."""
        values = {name: float(value) for name, value in trainer.callback_metrics.items()}
        self.rows.append({"epoch": trainer.current_epoch + 1, **values})
        atomic.write_csv(self.path, pd.DataFrame(self.rows))

    def state_dict(self) -> dict[str, Any]:
        """Returns the rows, which a resumed run goes on with."""
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes up the rows of the run that was stopped."""
        self.rows = list(state_dict["rows"])


class BestEpoch(Callback):
    """Keeps the network of the epoch that does best on the images that are watched.

    Of equal epochs the first is kept; one whose value is not defined never is. The map of a mask is kept as it was
    then, fixed.

    Args:
        model: What is trained.
        column: Of the history.
        criterion: What the column holds; of a loss the smallest is best, of anything else the largest.
    """

    def __init__(self, model: Attended, column: str, criterion: Criterion) -> None:
        self.model, self.column, self.sign = model, column, -1.0 if criterion == "loss" else 1.0
        self.epoch, self.value = 0, math.nan
        self.state: dict[str, Any] = {}

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Takes the network of this epoch if there was none as good."""
        value = float(trainer.callback_metrics.get(self.column, math.nan))
        if math.isfinite(value) and not self.sign * value <= self.sign * self.value:  # the first is better than NaN
            self.epoch, self.value = trainer.current_epoch + 1, value
            self.state = {name: tensor.detach().cpu().clone() for name, tensor in self.model.frozen_state().items()}

    def state_dict(self) -> dict[str, Any]:
        """Returns what a resumed run goes on with."""
        return {"epoch": self.epoch, "value": self.value, "state": self.state}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes up the best epoch of the run that was stopped."""
        self.epoch, self.value, self.state = state_dict["epoch"], state_dict["value"], state_dict["state"]


class TellEpoch(Callback):
    """Tells a caller what each epoch came to."""

    def __init__(self, watch: EpochWatch) -> None:
        self.watch = watch

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Hands on the number and the values of this epoch."""
        self.watch(trainer.current_epoch + 1, {name: float(value) for name, value in trainer.callback_metrics.items()})


class LastEpoch(Callback):
    """Saves everything that is needed to go on after each epoch, whole or not at all."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Saves the state after this epoch."""
        with atomic.replacing(self.path) as temporary:
            trainer.save_checkpoint(temporary)


class ReportProgress(Callback):
    """Tells a caller how many steps are done."""

    def __init__(self, report: Progress) -> None:
        self.report = report

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        """Counts a step."""
        steps = int(trainer.num_training_batches)
        epoch = f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}"
        self.report(epoch, trainer.global_step, steps * (trainer.max_epochs or 0))
