"""What is written and shown while a network trains."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast
from unittest.mock import Mock

import pandas as pd
import pytest
import torch
from lightning import LightningModule, Trainer

from foveola.training.callbacks import History, LastEpoch, ReportProgress

MODULE = LightningModule()


def trainer(**values: Any) -> Trainer:
    """Returns the little of a trainer that the callbacks look at."""
    return cast(Trainer, Mock(spec=Trainer, **values))


def metrics(epoch: int) -> dict[str, torch.Tensor]:
    return {"train_loss": torch.tensor(1 / (epoch + 3)), "val_loss": torch.tensor(0.5 * epoch)}


def test_history_has_one_row_an_epoch(tmp_path: Path) -> None:
    history = History(tmp_path / "deep" / "history.csv")
    for epoch in range(3):
        history.on_train_epoch_end(trainer(callback_metrics=metrics(epoch), current_epoch=epoch), MODULE)
        table = pd.read_csv(tmp_path / "deep" / "history.csv")
        assert table["epoch"].tolist() == list(range(1, epoch + 2))
    assert table.columns.tolist() == ["epoch", "train_loss", "val_loss"]
    assert table["train_loss"].astype("float32").tolist() == [metrics(epoch)["train_loss"].item() for epoch in range(3)]


def test_history_goes_on_where_it_was_saved(tmp_path: Path) -> None:
    """Rows that were written after the last save are written anew, not twice."""
    first, second = (History(tmp_path / f"{name}.csv") for name in ("first", "second"))
    for epoch in range(4):
        if epoch == 2:
            second.load_state_dict({"rows": list(first.state_dict()["rows"])})
        for history in (first, second)[: 1 + (epoch >= 2)]:
            history.on_train_epoch_end(trainer(callback_metrics=metrics(epoch), current_epoch=epoch), MODULE)
    assert (tmp_path / "first.csv").read_bytes() == (tmp_path / "second.csv").read_bytes()


def test_the_saved_rows_are_plain_numbers(tmp_path: Path) -> None:
    """So that they can be read back from a checkpoint without unpickling objects."""
    history = History(tmp_path / "history.csv")
    history.on_train_epoch_end(trainer(callback_metrics=metrics(0), current_epoch=0), MODULE)
    torch.save(history.state_dict(), tmp_path / "state.pth")
    assert torch.load(tmp_path / "state.pth", weights_only=True) == history.state_dict()


def test_a_save_that_fails_leaves_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "last.ckpt"

    def fail(file: Path) -> None:
        file.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    saver = LastEpoch(path)
    saver.on_train_epoch_end(trainer(save_checkpoint=lambda file: Path(file).write_bytes(b"whole")), MODULE)
    with pytest.raises(OSError, match="No space left"):
        saver.on_train_epoch_end(trainer(save_checkpoint=fail), MODULE)
    assert path.read_bytes() == b"whole"
    assert [file.name for file in tmp_path.iterdir()] == ["last.ckpt"]


def test_progress_counts_all_steps() -> None:
    told: list[tuple[str, int, int]] = []
    report = ReportProgress(lambda *what: told.append(what))
    for step in range(1, 9):
        state = trainer(current_epoch=(step - 1) // 4, max_epochs=2, global_step=step, num_training_batches=4)
        report.on_train_batch_end(state, None, None, None)
    assert told == [(f"epoch {1 + (step > 4)}/2", step, 8) for step in range(1, 9)]
