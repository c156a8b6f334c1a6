"""Training as a whole: what it leaves, that it repeats, and what has no influence on it."""

from __future__ import annotations

import logging
import signal
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch.utils import deterministic

from foveola.attention import Attended, FixedMask, GlobalAttention
from foveola.training import PixelRows

if TYPE_CHECKING:
    from conftest import Case, Epoch


def states(model: Attended) -> dict[str, bytes]:
    return {name: value.numpy().tobytes() for name, value in model.state_dict().items()}


class Recorded(PixelRows):
    """Remembers which images were in every batch that was read."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.read: list[list[int]] = []

    def __getitems__(self, indices: Any) -> Any:
        self.read.append(list(indices))
        return super().__getitems__(indices)


@pytest.mark.parametrize("arm", ["global", "stochastic-gates", "l1", "plain"])
def test_leaves_the_model_ready_to_predict(case: Case, arm: str, tmp_path: Path) -> None:
    model = case.train(arm, tmp_path)
    assert not any(module.training for module in model.modules())
    assert {value.device.type for value in model.state_dict().values()} == {"cpu"}
    assert not model.learns_mask
    assert (model.attention is None) if arm == "plain" else isinstance(model.attention, FixedMask)
    images = case.scaling.apply(torch.from_numpy(case.pixels))
    with torch.no_grad():
        assert torch.equal(model(images), model(images))
    files = {path.name for path in tmp_path.iterdir()}
    assert files == {"history.csv", "last.ckpt", "tensorboard"}


def test_learns(case: Case, tmp_path: Path) -> None:
    case.settings = case.settings.model_copy(update={"lr": 0.01, "epochs": 8, "cutoff": 4})
    model = case.train("global", tmp_path)
    table = pd.read_csv(tmp_path / "history.csv")
    assert table["train_loss"].iloc[-1] < 0.5 * table["train_loss"].iloc[0]
    images = case.scaling.apply(torch.from_numpy(case.pixels[25:]))
    with torch.no_grad():
        assert (model(images).argmax(1).numpy() == case.labels[25:]).mean() > 0.7


@pytest.mark.parametrize("arm", ["global", "stochastic-gates"])
def test_the_same_call_gives_the_same_bytes(case: Case, arm: str, tmp_path: Path) -> None:
    first, second = (case.train(arm, tmp_path / name) for name in ("first", "second"))
    torch.manual_seed(99)  # is not looked at
    other = case.train(arm, tmp_path / "other", seed=2)
    assert states(first) == states(second)
    assert states(first) != states(other)
    tables = [(tmp_path / name / "history.csv").read_bytes() for name in ("first", "second")]
    assert tables[0] == tables[1]


def test_every_arm_sees_the_same_batches_anew_each_epoch(case: Case, tmp_path: Path) -> None:
    seen = []
    for arm in ("plain", "global", "stochastic-gates"):
        data = Recorded(case.pixels, np.arange(25), case.labels[:25])
        case.train(arm, tmp_path / arm, training=data)
        seen.append(data.read)
    assert seen[0] == seen[1] == seen[2]
    assert [len(batch) for batch in seen[0]] == [6, 6, 6, 7] * 5
    orders = [[row for batch in seen[0][start : start + 4] for row in batch] for start in range(0, 20, 4)]
    assert orders == [np.random.default_rng([1, epoch]).permutation(25).tolist() for epoch in range(5)]


def test_validation_is_recorded_and_changes_nothing(case: Case, tmp_path: Path) -> None:
    with_images = case.train("stochastic-gates", tmp_path / "with")
    without = case.train("stochastic-gates", tmp_path / "without", validation=case.rows(25, 25))
    assert states(with_images) == states(without)
    tables = {name: pd.read_csv(tmp_path / name / "history.csv") for name in ("with", "without")}
    columns = ["epoch", "train_loss", "train_accuracy", "penalty"]
    assert sorted(tables["without"].columns) == sorted(columns)
    assert sorted(tables["with"].columns) == sorted([*columns, "val_loss", "val_accuracy", "val_macro_auc"])
    pd.testing.assert_frame_equal(tables["with"][columns], tables["without"][columns])


def test_history_tells_every_number_of_every_epoch(case: Case, tmp_path: Path) -> None:
    """The last row of validation is what the finished model says."""
    model = case.train("global", tmp_path, penalty=0.5)
    table = pd.read_csv(tmp_path / "history.csv")
    assert table["epoch"].tolist() == [1, 2, 3, 4, 5]
    assert not table.isna().any().any()
    images = case.scaling.apply(torch.from_numpy(case.pixels[25:]))
    labels = torch.from_numpy(case.labels[25:])
    with torch.no_grad():
        logits = model(images)
    loss = torch.nn.functional.cross_entropy(logits, labels).item()
    assert table["val_loss"].iloc[-1] == pytest.approx(loss, rel=1e-4)
    assert table["val_accuracy"].iloc[-1] == pytest.approx((logits.argmax(1) == labels).float().mean().item())


def test_the_penalty_is_gone_after_the_cut_off(case: Case, epochs: list[Epoch], tmp_path: Path) -> None:
    case.train("global", tmp_path / "global", penalty=0.5)
    penalty = pd.read_csv(tmp_path / "global" / "history.csv")["penalty"]
    assert (penalty[3:] == 0).all()
    means = [0.5 * epoch.map.mean().item() for epoch in epochs if epoch.map is not None]
    for epoch in range(3):  # the map shrinks, and the mean over an epoch lies between its ends
        assert means[epoch] > penalty[epoch] > means[epoch + 1] > 0
    case.train("l1", tmp_path / "l1", penalty=0.5)
    assert (pd.read_csv(tmp_path / "l1" / "history.csv")["penalty"] > 0.4).all()


def test_a_cut_off_at_the_end_learns_the_map_in_every_epoch(case: Case, tmp_path: Path) -> None:
    case.settings = case.settings.model_copy(update={"cutoff": 5})
    model = case.train("global", tmp_path)
    state = torch.load(tmp_path / "last.ckpt", weights_only=True)["state_dict"]
    learned = case.model("global")
    assert isinstance(learned.attention, GlobalAttention)
    learned.load_state_dict({name.removeprefix("model."): value for name, value in state.items()})
    assert model.attention is not None
    torch.testing.assert_close(learned.attention.map(), model.attention.map(), rtol=0, atol=1e-6)


def test_progress_is_told_each_step(case: Case, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    case.train("plain", tmp_path, progress=lambda *what: told.append(what))
    assert told == [(f"epoch {1 + step // 4}/5", step + 1, 20) for step in range(20)]


def test_is_quiet(
    case: Case, tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    levels = {name: logging.getLogger(name).level for name in ("lightning.pytorch", "lightning.fabric")}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        case.train("global", tmp_path / "with")
        case.train("global", tmp_path / "without", validation=case.rows(25, 25))
    assert [str(warning.message) for warning in caught] == []
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []
    assert {name: logging.getLogger(name).level for name in levels} == levels


def test_leaves_pytorch_as_it_was(case: Case, tmp_path: Path) -> None:
    def switches() -> tuple[bool, bool]:
        return torch.are_deterministic_algorithms_enabled(), deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]

    before = switches()
    handlers = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    case.train("plain", tmp_path)
    assert switches() == before
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == handlers
