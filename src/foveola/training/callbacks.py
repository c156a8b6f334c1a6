"""What is written and shown while a network trains."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
from lightning import Callback, LightningModule, Trainer

from foveola import atomic

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""


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
