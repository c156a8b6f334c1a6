"""Attention in front of any network, learned and then fixed."""

from __future__ import annotations

from typing import Any

import pytest
import timm
import torch
from torch import Tensor, nn

from foveola.attention import (
    Attended,
    FixedMask,
    GlobalAttention,
    InputMask,
    Mechanism,
    SigmoidMask,
    attach,
    insert,
    record_attention,
    recording,
)
from foveola.attention.algebra import Operator, Pointwise
from foveola.models.zoo.small_cnn import small_cnn

IMAGES = torch.randn(7, 3, 36, 28, generator=torch.Generator().manual_seed(0))


class Remembering(nn.Module):
    """Any network at all: it takes images and returns a number each, and remembers what it was given."""

    def forward(self, images: Tensor) -> Tensor:
        self.given = images
        return images.mean((1, 2, 3))


def fresh_mask() -> InputMask:
    torch.manual_seed(1)
    return GlobalAttention.from_images(IMAGES, hidden=4)


@pytest.mark.parametrize("name", ["resnet18", "linear"])
def test_any_network_sees_the_masked_images_and_nothing_else_changes(name: str) -> None:
    torch.manual_seed(4)
    network = timm.create_model(name, num_classes=3) if name == "resnet18" else nn.Linear(28, 3)
    mask = fresh_mask()
    model = attach(network, mask).eval()
    output, maps = model(IMAGES, return_maps=True)
    assert output.shape == ((7, 3) if name == "resnet18" else (7, 3, 36, 3))
    assert torch.equal(maps["input"], mask.map())
    assert torch.equal(output, network(IMAGES * mask.map()))
    assert torch.equal(model(IMAGES), output)


def test_the_returned_map_is_exactly_what_multiplied_the_images() -> None:
    network = Remembering()
    model = attach(network, fresh_mask())
    _, maps = model(IMAGES, return_maps=True)
    assert torch.equal(network.given, IMAGES * maps["input"])
    assert maps["input"].requires_grad


def test_network_and_mask_learn_together() -> None:
    model = attach(timm.create_model("resnet18", num_classes=3), fresh_mask())
    logits, maps = model(IMAGES, return_maps=True)
    torch.autograd.backward(nn.functional.cross_entropy(logits, torch.arange(7) % 3) + model.penalty(maps))
    assert all(parameter.grad is not None for parameter in model.parameters())
    assert all(parameter.grad.abs().sum() > 0 for parameter in model.attention.parameters())  # type: ignore[union-attr]


def test_the_penalty_is_that_of_the_mask() -> None:
    mask = SigmoidMask(36, 28, penalty_weight=3.0)
    model = attach(Remembering(), mask)
    _, maps = model(IMAGES, return_maps=True)
    assert model.penalty(maps).item() == pytest.approx(1.5)


def test_frozen_the_map_stays_bit_by_bit_while_the_network_goes_on() -> None:
    model = attach(nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 34 * 26, 3)), fresh_mask())
    assert model.learns_mask
    assert isinstance(model.attention, GlobalAttention)
    expected = model.attention.map()
    model.freeze()
    assert not model.learns_mask
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    before = model(IMAGES).detach()
    for _ in range(3):
        logits, maps = model(IMAGES, return_maps=True)
        assert torch.equal(maps["input"], expected)
        loss = nn.functional.cross_entropy(logits, torch.arange(7) % 3)
        assert model.penalty(maps).item() == 0
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
    assert torch.equal(model.attention.map(), expected)
    assert not torch.equal(model(IMAGES), before)


def test_a_frozen_model_carries_the_map_alone_and_goes_through_its_state() -> None:
    torch.manual_seed(4)
    model = attach(nn.Linear(28, 3), fresh_mask())
    model.freeze()
    assert set(model.state_dict()) == {"network.weight", "network.bias", "attention.values"}
    assert model.state_dict()["attention.values"].shape == (36, 28)
    other = Attended(nn.Linear(28, 3), FixedMask(torch.zeros(36, 28)))
    other.load_state_dict(model.state_dict())
    assert torch.equal(other(IMAGES), model(IMAGES))


def test_freezing_twice_changes_nothing() -> None:
    model = attach(nn.Identity(), fresh_mask())
    model.freeze()
    expected = model(IMAGES)
    model.freeze()
    assert torch.equal(model(IMAGES), expected)


def test_without_attention_it_is_the_network() -> None:
    network = nn.Linear(28, 3)
    model = Attended(network, None)
    output, maps = model(IMAGES, return_maps=True)
    assert torch.equal(output, network(IMAGES))
    assert maps == {}
    assert model.penalty(maps).item() == 0
    assert not model.learns_mask
    model.freeze()
    assert set(model.state_dict()) == {"network.weight", "network.bias"}


class Gate(Mechanism):
    """One convolution under a sigmoid."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.score = nn.Conv2d(channels, 1, 1)

    def operator(self, features: Tensor, *context: Any) -> Operator:
        return Pointwise(torch.sigmoid(self.score(features)))


def network_with_gates() -> nn.Module:
    torch.manual_seed(6)
    network = small_cnn(3, 2).eval()
    insert(network, lambda channels, size: Gate(channels), IMAGES[:1], at="block1,block3")
    return network


@pytest.mark.parametrize("masked", [False, True])
def test_maps_from_inside_are_named_after_their_places(masked: bool) -> None:
    network = network_with_gates()
    model = attach(network, fresh_mask() if masked else None).eval()
    logits, maps = model(IMAGES, return_maps=True)
    assert torch.equal(model(IMAGES), logits)
    assert list(maps) == (["input"] if masked else []) + ["block1", "block3"]
    assert (maps["block1"].shape, maps["block3"].shape) == ((7, 18, 14), (7, 4, 3))
    seen = IMAGES * maps["input"] if masked else IMAGES
    first = network.get_submodule("block1.stage")(seen)
    gate = network.get_submodule("block1.attention")
    assert isinstance(gate, Gate)
    torch.testing.assert_close(maps["block1"], gate.operator(first).received())


def test_attention_has_the_parameters_of_what_is_inside_each_once() -> None:
    network = network_with_gates()
    gate = network.get_submodule("block1.attention")
    network.get_submodule("block3").attention = gate
    parameters = attach(network).attention_parameters()
    assert {id(parameter) for parameter in parameters} == {id(parameter) for parameter in gate.parameters()}
    assert len(parameters) == len({id(parameter) for parameter in parameters})


def test_behind_a_mask_what_is_inside_belongs_to_the_network_and_learns_on_when_the_mask_is_fixed() -> None:
    mask = fresh_mask()
    model = attach(network_with_gates(), mask)
    assert {id(p) for p in model.attention_parameters()} == {id(p) for p in mask.parameters()}
    model.freeze()
    assert not model.learns_mask
    assert model.attention_parameters() == []
    logits, _ = model(IMAGES, return_maps=True)
    torch.autograd.backward(nn.functional.cross_entropy(logits, torch.arange(7) % 2))
    inside = [*model.network.block1.attention.parameters(), *model.network.block3.attention.parameters()]  # type: ignore[union-attr]
    assert len(inside) == 4
    assert all(parameter.grad.abs().sum() > 0 for parameter in inside)  # type: ignore[union-attr]


def test_who_listens_outside_hears_what_is_returned() -> None:
    model = attach(network_with_gates(), fresh_mask())
    with recording() as emitted:
        _, maps = model(IMAGES, return_maps=True)
    for (_, operator), received in zip(emitted, maps.values(), strict=True):
        torch.testing.assert_close(operator.received(), received)


def timm_cbam() -> nn.Module:
    torch.manual_seed(3)
    network: nn.Module = timm.create_model("resnet18", block_args={"attn_layer": "cbam"}, num_classes=3).eval()
    return network


def test_attention_of_another_library_is_read_as_record_attention_reads_it() -> None:
    network, images = timm_cbam(), torch.randn(2, 3, 64, 96)
    hooks = [(name, len(part._forward_hooks), len(part._forward_pre_hooks)) for name, part in network.named_modules()]
    with record_attention(network) as expected:
        logits = network(images)
    for model in (attach(network), attach(network, FixedMask(torch.ones(64, 96)))):
        output, maps = model(images, return_maps=True)
        assert torch.equal(output, logits)
        inside = {place: values for place, values in maps.items() if place != "input"}
        assert inside.keys() == expected.keys()
        assert len(inside) == 8
        assert all(torch.equal(values, expected[place]) for place, values in inside.items())
        assert torch.equal(model(images), logits)
    left = [(name, len(part._forward_hooks), len(part._forward_pre_hooks)) for name, part in network.named_modules()]
    assert left == hooks


def test_hooks_are_gone_after_a_pass_that_fails() -> None:
    network = timm_cbam()
    with pytest.raises(RuntimeError):
        attach(network)(torch.randn(2, 7, 64, 96), return_maps=True)
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in network.modules())


def test_maps_of_another_library_are_not_lost_silently_in_an_export() -> None:
    with pytest.raises(Exception, match=r"export foveola\.WithMaps of the network instead"):
        torch.export.export(attach(timm_cbam()), (torch.randn(2, 3, 64, 96),), {"return_maps": True})


def test_a_network_without_any_attention_gives_no_maps() -> None:
    output, maps = attach(nn.Flatten())(torch.ones(2, 3, 12, 10), return_maps=True)
    assert (output.shape, maps) == ((2, 360), {})
