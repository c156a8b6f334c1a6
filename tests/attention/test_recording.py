"""Who listens hears every operator that is used, and nothing stays behind."""

from __future__ import annotations

import gc
import threading
import weakref
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from foveola.attention import ARMS, FixedMask, Mechanism, recording
from foveola.attention.algebra import Operator, Pointwise
from foveola.attention.recording import emit, named_maps, replacing_operators
from foveola.contract.parts import parts_of

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


def half(module: nn.Module, operator: Operator) -> Operator:
    assert isinstance(operator, Pointwise)
    return Pointwise(0.5 * operator.weights)


def test_an_operator_is_replaced_in_the_output_and_in_the_map() -> None:
    gate = Gate()
    expected = gate(FEATURES)
    with recording() as emitted, replacing_operators(half):
        torch.testing.assert_close(gate(FEATURES), 0.5 * expected)
    torch.testing.assert_close(emitted[0][1].received(), 0.5 * torch.sigmoid(FEATURES.mean(1)))
    assert torch.equal(gate(FEATURES), expected)
    assert vars(gate).keys() == vars(Gate()).keys()


def test_replacements_follow_each_other_and_know_the_module() -> None:
    first, second = Gate(), Gate(0.25)

    def only_the_first(module: nn.Module, operator: Operator) -> Operator:
        return half(module, operator) if module is first else operator

    with recording() as emitted, replacing_operators(only_the_first), replacing_operators(half):
        nn.Sequential(first, second)(FEATURES)
    weights = [operator.weights for _, operator in emitted if isinstance(operator, Pointwise)]
    torch.testing.assert_close(weights[0][:, 0], 0.25 * torch.sigmoid(FEATURES.mean(1)))
    middle = FEATURES * weights[0]
    torch.testing.assert_close(weights[1][:, 0], 0.5 * 0.25 * torch.sigmoid(middle.mean(1)))


def test_what_fails_or_runs_elsewhere_is_not_replaced() -> None:
    gate, seen = Gate(), []
    expected = gate(FEATURES)
    with pytest.raises(ZeroDivisionError), replacing_operators(half):
        raise ZeroDivisionError
    assert torch.equal(gate(FEATURES), expected)
    with replacing_operators(half):
        thread = threading.Thread(target=lambda: seen.append(gate(FEATURES)))
        thread.start()
        thread.join()
    assert torch.equal(seen[0], expected)


class Nowhere(Operator):
    """Another operator times zero."""

    def __init__(self, other: Operator) -> None:
        self.other = other

    def apply(self, values: Tensor) -> Tensor:
        return 0 * self.other.apply(values)

    def dense(self) -> Tensor:
        return 0 * self.other.dense()

    def received(self, rows: Tensor | None = None) -> Tensor:
        return 0 * self.other.received(rows)


@pytest.mark.parametrize("name", [name for name, arm in ARMS.items() if arm.attends and arm.backbone is None])
def test_every_arm_can_be_made_to_look_nowhere(name: str) -> None:
    """A replacement by zero reaches the output of everything that has a map."""
    *_, part = parts_of(name)
    subject = part.subject()
    module = subject.built()
    changed: list[Operator] = []

    def nowhere(module: nn.Module, operator: Operator) -> Operator:
        changed.append(operator)
        return Nowhere(operator)

    expected = module(subject.inputs)
    with replacing_operators(nowhere):
        output = module(subject.inputs)
    assert bool(changed) == (subject.operator not in ("none", "channels"))
    assert torch.allclose(output, expected) != bool(changed)
