"""An arm is held to its contract, layer and network, and everything that it breaks is said."""

from __future__ import annotations

from typing import Any

import forked
import pytest
import torch
from torch import Tensor, nn

from foveola.attention import ARMS, Arm, ArmSettings, GlobalAttention, L1Mask, LayerSettings, Mechanism
from foveola.attention.algebra import Operator, Pointwise
from foveola.contract import ESSENTIAL, LAYER, MASK, NETWORK, check, contract, export_contract
from foveola.contract.network import classifies, gives_its_maps
from foveola.contract.parts import parts_of
from foveola.contract.subject import Subject, drawn
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


@pytest.mark.parametrize("name", ["plain", "svm", "linear-probe", "human"])
def test_nothing_to_check_is_an_error(name: str) -> None:
    for ask in (contract, export_contract, check):
        with pytest.raises(FoveolaError, match=f"expected something with attention, got arm '{name}', which has none"):
            ask(name)


def test_what_has_no_attention_is_no_subject() -> None:
    with pytest.raises(FoveolaError, match="expected something with attention, got module Linear, which has none"):
        check(nn.Linear(8, 3))
    with pytest.raises(FoveolaError, match="expected something with attention, got class Linear, which has none"):
        check(nn.Linear)
    with pytest.raises(FoveolaError, match="expected a known arm, got 'own-gate'"):
        check("own-gate")


def test_what_is_neither_name_nor_class_nor_module_is_refused() -> None:
    """In a process that does not check types as it runs."""
    said = forked.script("from foveola.contract import check\ncheck(7)").stderr
    assert "FoveolaError: expected the name of an arm, a class or a module, got 7, in the contract" in said


@pytest.mark.parametrize("tested", ["stochastic-gates", "cbam", Gate, Gate(8)])
def test_the_random_generator_is_left_as_it_was(tested: Any) -> None:
    before = torch.get_rng_state()
    check(tested)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_class_is_held_to_what_an_arm_is_held_to() -> None:
    said_by_the_arm = "is_the_operator_it_is_said_to_be"
    assert list(contract(Gate)) == [f"the layer {name}" for name in LAYER if name != said_by_the_arm]
    assert list(contract(L1Mask)) == [f"the mask {name}" for name in MASK if name != said_by_the_arm]
    check(Gate)
    check(L1Mask)
    with pytest.raises(AssertionError, match=r"what is not so of class Broken: .*keeps its weights in range"):
        check(Broken)


def test_a_module_is_copied_and_left_as_it_is() -> None:
    torch.manual_seed(1)
    for module in (Gate(16), Network(Gate(8)), GlobalAttention.from_images(drawn(7, 3, 12, 10), hidden=4)):
        before = {name: value.clone() for name, value in module.state_dict().items()}
        check(module, inputs=drawn(2, 8, 12, 10) if isinstance(module, Network) else None)
        assert module.training
        assert before.keys() == module.state_dict().keys()
        assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    with pytest.raises(AssertionError, match=r"what is not so of module Network: .*keeps samples apart"):
        check(Network(Broken(8)), inputs=drawn(2, 8, 12, 10))


def test_inputs_for_a_module_are_found_by_trying() -> None:
    (layer,) = parts_of(Gate(32))
    assert layer.subject().inputs.shape == (2, 32, 12, 10)
    images = nn.Sequential(nn.Conv2d(1, 8, 3), Gate(8), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2))
    (network,) = parts_of(images)
    assert network.subject().inputs.shape == (2, 1, 48, 40)
    with pytest.raises(
        FoveolaError, match=r"features or images of an ordinary size, got neither .*and inputs=, a tensor"
    ):
        check(Gate(7))
    check(Gate(7), inputs=drawn(2, 7, 12, 10))

    class Demanding(Gate):
        def __init__(self, channels: int, name: str) -> None:
            super().__init__(channels)

    with pytest.raises(FoveolaError, match=r"a class that is made with a number of channels.*argument: 'name'"):
        check(Demanding)


def test_what_fails_in_another_way_is_said_too(monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing(Gate):
        def operator(self, features: Tensor, *context: Any) -> Operator:
            if not self.training and len(features) == 1:
                raise RuntimeError("one image is too few")
            return super().operator(features)

    with pytest.raises(AssertionError, match=r"keeps samples apart: it fails \(RuntimeError: one image is too few\)"):
        check(Failing)


@pytest.mark.usefixtures("arms")
def test_no_two_sizes_of_the_inputs_are_equal() -> None:
    layer, network = (part.subject().inputs.shape for part in parts_of("own-gate"))
    assert (layer, network) == ((2, 8, 12, 10), (2, 3, 48, 40))
    assert parts_of("own-whole")[0].subject().inputs.shape == (2, 1, 32, 32)
    assert parts_of("l1")[0].subject().inputs.shape == (5, 3, 12, 10)


def test_a_layer_that_wants_more_channels_gets_them(monkeypatch: pytest.MonkeyPatch) -> None:
    def layer(channels: int, size: tuple[int, int], settings: Any) -> nn.Module:
        if channels < 30:
            raise FoveolaError("30 channels", str(channels), "the features", "choose another place")
        return Gate(channels)

    monkeypatch.setattr(ARMS, "_members", dict(ARMS._members))
    ARMS.add(Arm("own-wide", "a gate", LayerSettings, "pointwise", layer=layer))
    assert parts_of("own-wide")[0].subject().inputs.shape == (2, 32, 12, 10)


def test_settings_of_an_arm_are_tried() -> None:
    (part,) = parts_of("coarse-mask", {"grid": 3})
    assert [tuple(parameter.shape) for parameter in part.subject().make().parameters()] == [(3, 3)]
    with pytest.raises(FoveolaError, match="expected a known key, got 'gird'"):
        check("coarse-mask", settings={"gird": 3})


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
    sound = Subject(lambda: Network(Gate(8)), drawn(2, 8, 12, 10), "pointwise")

    def run(tested: Subject) -> None:
        classifies(tested)
        gives_its_maps(tested)

    with pytest.raises(AssertionError, match=message):
        run(subject)
    run(sound)
