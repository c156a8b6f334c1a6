"""Attention in front of any network, learned and then fixed."""

from __future__ import annotations

import pytest
import timm
import torch
from torch import Tensor, nn

from foveola.attention import Attended, FixedMask, GlobalAttention, InputMask, SigmoidMask, attach

IMAGES = torch.randn(7, 3, 36, 28, generator=torch.Generator().manual_seed(0))


class Remembering(nn.Module):
    """Any network at all: it takes images and returns a number each, and remembers what it was given."""

    def forward(self, images: Tensor) -> Tensor:
        self.given = images
        return images.mean((1, 2, 3))


def fresh_mask() -> InputMask:
    torch.manual_seed(1)
    return GlobalAttention.fit(IMAGES, hidden=4)


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
