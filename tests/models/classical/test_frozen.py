"""Features that are computed once."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from foveola.models.classical import frozen
from foveola.models.classical.frozen import FrozenFeatures, remembered_features
from foveola.models.zoo.small_cnn import small_cnn


@pytest.fixture
def network() -> FrozenFeatures:
    torch.manual_seed(2)
    backbone = small_cnn(3, 4)
    backbone(torch.rand(9, 3, 12, 12))
    return FrozenFeatures(backbone, side=12)


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many images went through in each pass."""
    frozen._memory.cache_clear()
    counted: list[int] = []
    forward = FrozenFeatures.forward

    def counting(self: FrozenFeatures, images: Tensor) -> Tensor:
        counted.append(len(images))
        return forward(self, images)

    monkeypatch.setattr(FrozenFeatures, "forward", counting)
    return counted


IMAGES = torch.rand(71, 3, 12, 12, generator=torch.Generator().manual_seed(3))


def test_features_are_those_of_the_backbone(network: FrozenFeatures, passes: list[int]) -> None:
    with torch.no_grad():
        expected = network.backbone(IMAGES)
    assert np.allclose(remembered_features(network, IMAGES), expected, atol=1e-6)


def test_an_image_is_computed_once_whatever_the_batches_and_its_numbers_depend_on_no_other(
    network: FrozenFeatures, passes: list[int]
) -> None:
    some = remembered_features(network, [IMAGES[5:19], IMAGES[40:41]])
    assert passes == [32, 32]
    everything = remembered_features(network, IMAGES)
    assert np.array_equal(some, everything[[*range(5, 19), 40]])
    count = len(passes)
    again = remembered_features(copy.deepcopy(network), list(IMAGES.flip(0).split(9)))
    assert len(passes) == count
    assert np.array_equal(again, everything[::-1])
    frozen._memory.cache_clear()
    assert np.array_equal(remembered_features(network, list(IMAGES.split(50))), everything)


def test_what_they_depend_on_is_computed_anew(network: FrozenFeatures, passes: list[int]) -> None:
    images = IMAGES[:5]
    first = remembered_features(network, images)
    other, wider = copy.deepcopy(network), FrozenFeatures(copy.deepcopy(network.backbone), side=16)
    with torch.no_grad():
        next(other.parameters()).flatten()[3] += 1e-3
    for changed, seen in ((other, images), (wider, images), (network, images + 1e-6)):
        count = len(passes)
        assert not np.array_equal(remembered_features(changed, seen), first)
        assert len(passes) > count
    assert np.array_equal(remembered_features(network, images), first)


def test_it_does_not_learn(network: FrozenFeatures) -> None:
    outer = nn.Sequential(network, nn.Linear(4, 2)).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    outer(IMAGES).sum().backward()
    assert not any(parameter.requires_grad for parameter in network.parameters())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_images_of_another_size_are_resized(network: FrozenFeatures) -> None:
    small = torch.rand(2, 3, 7, 7)
    enlarged = nn.functional.interpolate(small, (12, 12), mode="bilinear")
    assert torch.equal(network(small), network(enlarged))
