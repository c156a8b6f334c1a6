"""The VGG of Learn to Pay Attention, against the published numbers."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from foveola.attention import ARMS, Attended
from foveola.attention.networks.learn_to_pay import LearnToPay
from foveola.foundation.errors import FoveolaError
from foveola.models import BackboneSettings, ImageShape, arm_network
from foveola.models.zoo.query_network import QueryNetwork
from foveola.models.zoo.vgg_att import vgg_att


def network(arm: str, size: int, classes: int, **values: Any) -> nn.Module:
    """Without numbers in it."""
    chosen = ARMS[arm]
    shape = ImageShape(channels=3, size=size, classes=classes)
    with torch.device("meta"):
        return arm_network(chosen, chosen.configure(values), BackboneSettings(name="vgg-att"), shape)


def count(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize(
    ("values", "ten", "hundred"),
    [
        ({"levels": 1}, 19_714_123, 19_760_293),
        ({"levels": 2}, 19_720_780, 19_813_030),
        ({"levels": 2, "score": "dp"}, 19_719_754, 19_812_004),
        ({"levels": 3}, 19_856_461, 19_971_751),
        ({"levels": 3, "project": "features"}, 19_860_045, 19_998_375),
    ],
)
def test_has_the_published_number_of_parameters(values: dict[str, Any], ten: int, hundred: int) -> None:
    assert count(network("learn-to-pay", 32, 10, preset="paper", **values)) == ten
    assert count(network("learn-to-pay", 32, 100, preset="paper", **values)) == hundred


@pytest.mark.parametrize("arm", ["plain", "learn-to-pay-control"])
@pytest.mark.parametrize(("size", "classes", "expected"), [(32, 10, 19_712_586), (32, 100, 19_758_756)])
def test_without_attention_it_is_the_fair_control(arm: str, size: int, classes: int, expected: int) -> None:
    assert count(network(arm, size, classes)) == expected


@pytest.mark.parametrize(("classes", "expected"), [(3, 32_427_587), (5, 32_430_661), (6, 32_432_198)])
def test_at_224_px_it_has_the_parameters_of_the_network_that_was_compared(classes: int, expected: int) -> None:
    """The count is of one without three biases of scores and that of the projected features, 512."""
    values = {"score": "pc", "project": "features", "tap": "after"}
    assert count(network("learn-to-pay", 224, classes, **values)) == expected + 512


@pytest.mark.parametrize(
    ("size", "sides", "left"),
    [
        (32, (32, 16, 8), 1),
        (64, (64, 32, 16), 2),
        (80, (80, 16, 8), 1),
        (100, (100, 50, 25), 3),
        (224, (224, 112, 56), 7),
    ],
)
def test_maps_and_global_layer_follow_the_size(size: int, sides: tuple[int, ...], left: int) -> None:
    made = network("learn-to-pay", size, 5, preset="paper")
    with torch.device("meta"):
        logits, maps = Attended(made, None)(torch.zeros(2, 3, size, size), return_maps=True)
    assert logits.shape == (2, 5)
    names = [f"block{number}" for number in (3, 4, 5)]
    assert {name: tuple(each.shape) for name, each in maps.items()} == {
        name: (2, side, side) for name, side in zip(names, sides, strict=True)
    }
    layer = made.get_submodule("trunk.backbone.fc1.1")
    assert isinstance(layer, nn.Linear)
    assert layer.in_features == 512 * left**2


def test_all_weights_for_cropped_birds_fit_those_at_32_px() -> None:
    states = [network("learn-to-pay", size, 10, preset="paper").state_dict() for size in (32, 80)]
    shapes = [{name: value.shape for name, value in state.items()} for state in states]
    assert shapes[0] == shapes[1]


def test_after_the_pool_is_what_the_pool_puts_out() -> None:
    made = network("learn-to-pay", 32, 10, preset="paper", tap="after")
    assert isinstance(made, LearnToPay)
    assert made.trunk.shapes == {"block3": (256, 16, 16), "block4": (512, 8, 8), "block5": (512, 4, 4)}


def test_layers_stand_in_the_published_order() -> None:
    with torch.device("meta"):
        made = vgg_att(3, 10, 32)
    assert isinstance(made, QueryNetwork)
    row: list[str] = []
    for module in made.modules():
        if isinstance(module, nn.Conv2d):
            assert (module.kernel_size, module.stride, module.padding) == ((3, 3), (1, 1), (1, 1))
            row.append(str(module.out_channels))
        elif isinstance(module, nn.BatchNorm2d):
            assert module.eps == 1e-3
            row.append("n")
        elif isinstance(module, nn.ReLU | nn.MaxPool2d | nn.Dropout):
            row.append({nn.ReLU: "r", nn.MaxPool2d: "pool", nn.Dropout: "d"}[type(module)])
            row[-1] += str(module.p) if isinstance(module, nn.Dropout) else ""
    expected = (
        "64 n r d0.3 64 n r 128 n r d0.4 128 n r 256 n r d0.4 256 n r d0.4 256 n r pool "
        "512 n r d0.4 512 n r d0.4 512 n r pool 512 n r d0.4 512 n r d0.4 512 n r pool "
        "512 n r d0.4 pool 512 n r d0.4 pool d0.5"
    )
    assert " ".join(row) == expected


def test_weights_are_drawn_as_published() -> None:
    torch.manual_seed(0)
    made = vgg_att(1, 3, 32)
    for number, block in enumerate(("block2", "block5"), start=1):
        convolution, norm = made.get_submodule(f"{block}.0"), made.get_submodule(f"{block}.1")
        assert isinstance(convolution, nn.Conv2d)
        assert isinstance(norm, nn.BatchNorm2d)
        assert convolution.bias is not None
        expected = (2 / (9 * convolution.out_channels)) ** 0.5
        assert abs(convolution.weight.std().item() / expected - 1) < 0.02, number
        assert convolution.bias.abs().max() == 0
        assert norm.weight.min() >= 0
        assert 0.4 < norm.weight.mean() < 0.6


def test_one_image_runs_through() -> None:
    torch.manual_seed(0)
    made = vgg_att(1, 3, 32).eval()
    images = torch.rand(2, 1, 32, 32)
    torch.testing.assert_close(made(images)[:1], made(images[:1]), rtol=1e-4, atol=1e-5)


def test_small_images_are_refused() -> None:
    with pytest.raises(FoveolaError, match="at least 32 px for 'vgg-att', got 28 px, in --image-size; choose a larger"):
        vgg_att(1, 3, 28)
