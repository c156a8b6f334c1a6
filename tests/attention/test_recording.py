"""Who listens hears every operator that is used, and nothing stays behind."""

from __future__ import annotations

import gc
import threading
import weakref
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from foveola.attention import FixedMask, Mechanism, recording
from foveola.attention.algebra import Operator, Pointwise
from foveola.attention.recording import emit, named_maps

FEATURES = torch.randn(2, 4, 12, 10, generator=torch.Generator().manual_seed(0))


class Gate(Mechanism):
    """Weighs positions by their mean, times a number that tells one gate from another."""

    def __init__(self, share: float = 1.0) -> None:
        super().__init__()
        self.share = share

    def operator(self, features: Tensor, *context: Any) -> Operator:
        return Pointwise(self.share * torch.sigmoid(features.mean(1, keepdim=True)))


class Twice(nn.Module):
    """Uses one gate two times."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = Gate()

    def forward(self, features: Tensor) -> Tensor:
        output: Tensor = self.gate(2 * self.gate(features))
        return output


def test_what_is_used_is_heard_in_the_order_of_use() -> None:
    first, second = Gate(0.5), Gate(0.25)
    with recording() as emitted:
        nn.Sequential(second, first)(FEATURES)
    assert [module for module, _ in emitted] == [second, first]
    torch.testing.assert_close(emitted[0][1].received(), 0.25 * torch.sigmoid(FEATURES.mean(1)))


def test_nobody_hears_what_is_used_before_or_after() -> None:
    gate = Gate()
    gate(FEATURES)
    with recording() as emitted:
        pass
    gate(FEATURES)
    assert emitted == []


def test_who_listens_inside_takes_nothing_from_who_listens_outside() -> None:
    gates = [Gate(), Gate(), Gate()]
    with recording() as outer:
        gates[0](FEATURES)
        with recording() as inner:
            gates[1](FEATURES)
        gates[2](FEATURES)
    assert [module for module, _ in outer] == gates
    assert [module for module, _ in inner] == [gates[1]]


def test_after_an_error_nobody_listens() -> None:
    def broken() -> None:
        with recording() as heard:
            kept.append(heard)
            raise RuntimeError("stop")

    kept: list[Any] = []
    with pytest.raises(RuntimeError, match="stop"):
        broken()
    Gate()(FEATURES)
    assert kept == [[]]


def test_each_thread_hears_itself() -> None:
    heard: list[int] = []
    ready, used = threading.Event(), threading.Event()

    def listen() -> None:
        with recording() as emitted:
            ready.set()
            used.wait(10)
        heard.append(len(emitted))

    thread = threading.Thread(target=listen)
    thread.start()
    ready.wait(10)
    Gate()(FEATURES)
    used.set()
    thread.join()
    assert heard == [0]


def test_nothing_is_kept_when_nobody_listens() -> None:
    operator = Pointwise(torch.rand(2, 1, 12, 10))
    gone = weakref.ref(operator)
    emit(Gate(), operator)
    del operator
    gc.collect()
    assert gone() is None


def test_maps_are_named_after_their_places() -> None:
    model = nn.Module()
    model.stage = nn.Sequential(nn.Identity(), Gate())
    model.block = nn.ModuleDict({"se": Gate()})
    model.other = nn.ModuleDict({"attention": Gate()})
    modules = [model.stage[1], model.block["se"], model.other["attention"]]
    operator = Pointwise(torch.rand(2, 1, 12, 10))
    maps = named_maps(model, [(module, operator) for module in modules])
    assert list(maps) == ["stage.1", "block", "other"]
    assert all(torch.equal(received, operator.weights[:, 0]) for received in maps.values())


def test_a_mechanism_alone_and_one_with_a_place_of_its_own() -> None:
    gate = Gate()
    operator = Pointwise(torch.rand(2, 1, 12, 10))
    assert list(named_maps(gate, [(gate, operator)])) == ["features"]
    gate.place = "layer3"
    assert list(named_maps(gate, [(gate, operator)])) == ["layer3"]


def test_what_is_used_again_has_a_number() -> None:
    model = Twice()
    with recording() as emitted:
        model(FEATURES)
    maps = named_maps(model, emitted)
    assert list(maps) == ["gate", "gate#2"]
    first = torch.sigmoid(FEATURES.mean(1))
    torch.testing.assert_close(maps["gate"], first)
    torch.testing.assert_close(maps["gate#2"], torch.sigmoid(2 * (FEATURES.mean(1) * first)))


def test_gradients_flow_through_what_is_heard() -> None:
    mask = FixedMask(torch.rand(12, 10))
    features = FEATURES.clone().requires_grad_()
    with recording() as emitted:
        nn.Sequential(mask, Gate())(features)
    torch.autograd.backward(emitted[1][1].received().sum())
    assert features.grad is not None
    assert features.grad.abs().sum() > 0
