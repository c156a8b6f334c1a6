"""Cores and GPUs are divided evenly."""

from __future__ import annotations

import pytest

from foveola.execution import cores as module
from foveola.execution.cores import LIBRARIES, cores, gpu_environment, gpus, thread_environment


def test_threads_are_an_even_share_unless_they_are_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "cores", lambda: 11)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert thread_environment(None, 3) == dict.fromkeys(LIBRARIES, "3")
    assert thread_environment(None, 40) == dict.fromkeys(LIBRARIES, "1")
    assert thread_environment(2, 3) == dict.fromkeys(LIBRARIES, "2")
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    assert thread_environment(None, 3) == {}, "the user has said so"
    assert thread_environment(2, 3) == dict.fromkeys(LIBRARIES, "2")


def test_every_worker_sees_one_gpu_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,GPU-ab,7")
    assert gpus() == ("2", "GPU-ab", "7")
    seen = [gpu_environment(index, gpus())["CUDA_VISIBLE_DEVICES"] for index in range(5)]
    assert seen == ["2", "GPU-ab", "7", "2", "GPU-ab"]
    for hidden in ("", "-1"):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
        assert gpus() == ()
    assert gpu_environment(3, ()) == {}


def test_gpus_are_counted_where_nobody_named_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    assert gpus() == ("0", "1")


def test_there_is_a_core() -> None:
    assert cores() >= 1
