"""A training that is stopped and called again ends as if it had not been stopped."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from lightning import Trainer

from foveola.attention import Attended
from foveola.foundation import atomic
from foveola.training import PixelRows, Progress

if TYPE_CHECKING:
    from conftest import Case

ARMS = ["global", "stochastic-gates", "l1", "plain"]


class StopError(Exception):
    """Stands for whatever ends a process."""


def stop_at(step: int, error: type[BaseException] = StopError) -> Progress:
    def report(_: str, done: int, __: int) -> None:
        if done == step:
            raise error

    return report


def states(model: Attended) -> dict[str, bytes]:
    return {name: value.numpy().tobytes() for name, value in model.state_dict().items()}


def random_steps(seed: int) -> list[int]:
    return [int(step) for step in np.random.default_rng(seed).choice(np.arange(1, 21), 2, replace=False)]


@pytest.mark.parametrize("arm", ARMS)
def test_goes_on_from_any_step(case: Case, arm: str, tmp_path: Path) -> None:
    whole = case.train(arm, tmp_path / "whole")
    for step in {*random_steps(ARMS.index(arm)), 12, 13}:  # the map is fixed between 12 and 13
        folder = tmp_path / f"{step}"
        with pytest.raises(StopError):
            case.train(arm, folder, progress=stop_at(step))
        told: list[tuple[str, int, int]] = []
        resumed = case.train(arm, folder, progress=lambda *what, told=told: told.append(what))
        assert [done for _, done, _ in told] == list(range(1 + (step - 1) // 4 * 4, 21))
        assert states(resumed) == states(whole)
        assert (folder / "history.csv").read_bytes() == (tmp_path / "whole" / "history.csv").read_bytes()


def test_may_be_stopped_again_and_again(case: Case, tmp_path: Path) -> None:
    whole = case.train("global", tmp_path / "whole")
    for step in (2, 7, 7, 11, 13, 20):
        with pytest.raises(StopError):
            case.train("global", tmp_path / "often", progress=stop_at(step))
    assert states(case.train("global", tmp_path / "often")) == states(whole)
    assert pd.read_csv(tmp_path / "often" / "history.csv")["epoch"].tolist() == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("arm", ["global", "plain"])
def test_what_is_finished_is_not_trained_again(case: Case, arm: str, tmp_path: Path) -> None:
    whole = case.train(arm, tmp_path)
    files = {name: (tmp_path / name).read_bytes() for name in ("history.csv", "last.ckpt")}
    again = case.train(arm, tmp_path, progress=stop_at(1))
    assert states(again) == states(whole)
    assert files == {name: (tmp_path / name).read_bytes() for name in files}


@pytest.mark.parametrize("epoch", [1, 3, 4])
def test_a_stop_while_the_checkpoint_is_written_leaves_the_one_before(
    case: Case, epoch: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = case.train("global", tmp_path / "whole")
    checkpoint = tmp_path / "cut" / "last.ckpt"
    save, older = Trainer.save_checkpoint, []

    def half(trainer: Trainer, path: Any, *arguments: Any) -> None:
        save(trainer, path, *arguments)
        if trainer.current_epoch == epoch:
            older.append(checkpoint.read_bytes())
            content = Path(path).read_bytes()
            Path(path).write_bytes(content[: len(content) // 2])
            raise StopError

    with monkeypatch.context() as patched:
        patched.setattr(Trainer, "save_checkpoint", half)
        with pytest.raises(StopError):
            case.train("global", tmp_path / "cut")
    assert checkpoint.read_bytes() == older[0]
    assert sorted(path.name for path in checkpoint.parent.iterdir()) == ["history.csv", "last.ckpt", "tensorboard"]
    assert len(pd.read_csv(tmp_path / "cut" / "history.csv")) == epoch + 1  # was written first
    assert states(case.train("global", tmp_path / "cut")) == states(whole)
    assert pd.read_csv(tmp_path / "cut" / "history.csv")["epoch"].tolist() == [1, 2, 3, 4, 5]


def test_a_stop_while_history_is_written_loses_no_row(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = case.train("plain", tmp_path / "whole")
    write = atomic.write_csv

    def fail(path: Path, table: pd.DataFrame) -> None:
        if len(table) == 3:
            raise StopError
        write(path, table)

    with monkeypatch.context() as patched:
        patched.setattr(atomic, "write_csv", fail)
        with pytest.raises(StopError):
            case.train("plain", tmp_path / "cut")
    assert states(case.train("plain", tmp_path / "cut")) == states(whole)
    assert (tmp_path / "cut" / "history.csv").read_bytes() == (tmp_path / "whole" / "history.csv").read_bytes()


def test_what_a_killed_process_left_half_written_is_not_read(case: Case, tmp_path: Path) -> None:
    with pytest.raises(StopError):
        case.train("plain", tmp_path, progress=stop_at(6))
    (tmp_path / ".last.4711.partial.ckpt").write_bytes(b"half a checkpoint")
    case.train("plain", tmp_path)
    assert pd.read_csv(tmp_path / "history.csv")["epoch"].tolist() == [1, 2, 3, 4, 5]


def test_a_keyboard_interrupt_arrives_as_one(case: Case, tmp_path: Path) -> None:
    whole = case.train("l1", tmp_path / "whole")
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        case.train("l1", tmp_path / "cut", progress=stop_at(10, KeyboardInterrupt))
    assert signal.getsignal(signal.SIGINT) is handler
    assert states(case.train("l1", tmp_path / "cut")) == states(whole)


def test_an_exit_stays_an_exit(case: Case, tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        case.train("plain", tmp_path, progress=stop_at(3, SystemExit))


def test_a_resumed_run_sees_the_batches_of_an_undisturbed_one(case: Case, tmp_path: Path) -> None:
    class Recorded(PixelRows):
        read: list[list[int]]

        def __getitems__(self, indices: Any) -> Any:
            self.read.append(list(indices))
            return super().__getitems__(indices)

    def rows() -> Recorded:
        made = Recorded(case.pixels, np.arange(25), case.labels[:25])
        made.read = []
        return made

    whole, first, second = rows(), rows(), rows()
    case.train("plain", tmp_path / "whole", training=whole)
    with pytest.raises(StopError):
        case.train("plain", tmp_path / "cut", training=first, progress=stop_at(9))
    case.train("plain", tmp_path / "cut", training=second)
    assert first.read[:8] + second.read == whole.read
