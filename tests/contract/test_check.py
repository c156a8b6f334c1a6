"""An arm is held to its contract, layer and network, and everything that it breaks is said."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from foveola.attention import ARMS, Arm, ArmSettings, LayerSettings, Mechanism
from foveola.attention.algebra import Operator, Pointwise
from foveola.contract import ESSENTIAL, LAYER, NETWORK, check, contract, export_contract
from foveola.contract.network import classifies_and_gives_its_maps
from foveola.contract.subject import Subject, drawn, layer_subject, network_subject
from foveola.foundation.errors import FoveolaError


class Gate(Mechanism):
    def __init__(self, channels: int, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.score = nn.Conv2d(channels, 1, 1, device=device, dtype=dtype)

    def operator(self, features: Tensor, *context: Any) -> Operator:
        return Pointwise(torch.sigmoid(self.score(features)))


class Overflowing(Gate):
    """Its map is not a number, and what it puts out hides that."""

    def operator(self, features: Tensor, *context: Any) -> Operator:
        return Pointwise(torch.full_like(features[:, :1], torch.nan))

    def fuse(self, features: Tensor, attended: Tensor) -> Tensor:
        return features


class Broken(Gate):
    def operator(self, features: Tensor, *context: Any) -> Operator:
        return Pointwise(2 + self.score(features - features.mean(0, keepdim=True)))


class Network(nn.Module):
    """A gate and a classifier."""

    def __init__(self, gate: nn.Module, classes: int = 3) -> None:
        super().__init__()
        self.gate, self.head = gate, nn.Linear(8 * 12 * 10, classes)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(self.gate(images).flatten(1))
        return logits


@pytest.fixture
def arms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ARMS, "_members", dict(ARMS._members))
    layers = {"own-gate": Gate, "own-broken": Broken}
    for name, layer in layers.items():
        ARMS.add(Arm(name, "a gate", LayerSettings, "pointwise", layer=lambda channels, *_, made=layer: made(channels)))
    ARMS.add(
        Arm("own-whole", "a network", ArmSettings, "none", backbone="small-cnn", network=lambda network, *_: network)
    )


@pytest.mark.usefixtures("arms")
def test_a_layer_is_tested_by_itself_and_in_a_network() -> None:
    tests = contract("own-gate")
    assert list(tests) == [f"the layer {name}" for name in LAYER] + [f"the network {name}" for name in NETWORK]
    assert list(contract("own-whole")) == [f"the network {name}" for name in ESSENTIAL]
    assert [name.split()[1] for name in export_contract("own-gate")] == ["layer", "layer"]
    assert [name.split()[1] for name in export_contract("own-whole")] == ["network", "network"]
    check("own-gate")
    check("own-whole")


@pytest.mark.usefixtures("arms")
def test_all_that_is_broken_is_said() -> None:
    with pytest.raises(AssertionError, match="what is not so of arm 'own-broken': ") as caught:
        check("own-broken")
    message = str(caught.value)
    assert "the layer keeps its weights in range: weights from " in message
    assert "the layer keeps samples apart: " in message
    assert "the network keeps samples apart: " in message
    assert "keeps the shape" not in message


def test_without_attention_inside_there_is_nothing_to_keep() -> None:
    for name in ("plain", "global"):
        assert contract(name) == export_contract(name) == {}
    with pytest.raises(FoveolaError, match="expected a known arm, got 'own-gate'"):
        check("own-gate")


@pytest.mark.usefixtures("arms")
def test_no_two_sizes_of_the_inputs_are_equal() -> None:
    assert layer_subject("own-gate").inputs.shape == (2, 8, 12, 10)
    assert network_subject("own-gate").inputs.shape == (2, 3, 48, 40)
    assert network_subject("own-whole").inputs.shape == (2, 1, 32, 32)


def test_a_layer_that_wants_more_channels_gets_them(monkeypatch: pytest.MonkeyPatch) -> None:
    def layer(channels: int, size: tuple[int, int], settings: Any) -> nn.Module:
        if channels < 30:
            raise FoveolaError("30 channels", str(channels), "the features", "choose another place")
        return Gate(channels)

    monkeypatch.setattr(ARMS, "_members", dict(ARMS._members))
    ARMS.add(Arm("own-wide", "a gate", LayerSettings, "pointwise", layer=layer))
    assert layer_subject("own-wide").inputs.shape == (2, 32, 12, 10)


@pytest.mark.parametrize(
    ("make", "operator", "message"),
    [
        (lambda: Network(Gate(8), classes=4), "pointwise", r"logits of shape \(2, 4\)"),
        (lambda: Network(nn.Identity()), "pointwise", "'pointwise' with 0 maps"),
        (lambda: Network(Gate(8)), "channels", "'channels' with 1 maps"),
        (lambda: Network(Overflowing(8)), "pointwise", "the map of gate is not finite"),
    ],
)
def test_a_network_with_a_mistake_is_seen(make: Any, operator: Any, message: str) -> None:
    subject = Subject(make, drawn(2, 8, 12, 10), operator)
    with pytest.raises(AssertionError, match=message):
        classifies_and_gives_its_maps(subject)
    classifies_and_gives_its_maps(Subject(lambda: Network(Gate(8)), drawn(2, 8, 12, 10), "pointwise"))
