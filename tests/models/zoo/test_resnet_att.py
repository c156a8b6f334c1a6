"""The residual network of Learn to Pay Attention."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from foveola.attention import ARMS, Attended
from foveola.foundation.errors import FoveolaError
from foveola.models import BackboneSettings, ImageShape, arm_network
from foveola.models.zoo.resnet_att import PreActivation, resnet_att


def count(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def slow_count(blocks: int, classes: int, channels: int = 3) -> int:
    """Kernels and batch norms, layer by layer after the description."""
    total, before = channels * 16 * 9, 16
    for out in (64, 128, 256):
        width = out // 4
        for block in range(blocks):
            first = before if block == 0 else out
            total += 2 * first + first * width + 2 * width + 9 * width * width + 2 * width + width * out
            total += first * out if block == 0 else 0
        before = out
    total += 2 * 256  # batch norm behind the last stage
    total += 9 * 256 * 256 + 2 * 256  # the convolution of the tail
    return total + 256 * 256 + 256 + classes * 257


@cache
def paper() -> nn.Module:
    """At 32 px and for 10 classes."""
    arm, shape = ARMS["learn-to-pay"], ImageShape(channels=3, size=32, classes=10)
    return arm_network(arm, arm.configure({"preset": "paper-resnet"}), BackboneSettings(name="resnet-att"), shape)


@pytest.mark.parametrize(("depth", "blocks", "classes"), [(164, 18, 10), (20, 2, 7)])
def test_has_the_layers_that_it_says(depth: int, blocks: int, classes: int) -> None:
    with torch.device("meta"):
        network = resnet_att(3, classes, 32, depth=depth)
    assert count(network) == slow_count(blocks, classes)
    convolutions = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    assert all(module.bias is None for module in convolutions)
    assert sum(module.kernel_size == (3, 3) for module in convolutions) == 1 + 3 * blocks + 1


def test_attention_at_two_levels_adds_what_is_described() -> None:
    projected = 2 * 256 + 256 * 128 + 128
    scores, norms, more = 128 + 1 + 256 + 1, 2 * 128 + 2 * 256, 10 * 128
    assert count(paper()) == slow_count(18, 10) + projected + scores + norms + more


@pytest.mark.parametrize(("size", "sides", "left"), [(32, (16, 8), 1), (63, (32, 16), 2), (80, (40, 20), 2)])
def test_maps_and_global_layer_follow_the_size(size: int, sides: tuple[int, ...], left: int) -> None:
    arm = ARMS["learn-to-pay"]
    with torch.device("meta"):
        images = torch.zeros(2, 3, size, size)
        made = arm.adapt(resnet_att(3, 5, size, depth=11), images[:1], arm.configure({"preset": "paper-resnet"}))
        _, maps = Attended(made, None)(images, return_maps=True)
    assert {name: tuple(each.shape) for name, each in maps.items()} == {
        name: (2, side, side) for name, side in zip(("stage2", "stage3"), sides, strict=True)
    }
    assert made.get_submodule("trunk.backbone.fc1.1").in_features == 256 * left**2


def test_the_preset_has_the_published_dropout() -> None:
    shares = {name: module.p for name, module in paper().named_modules() if isinstance(module, nn.Dropout)}
    assert shares == {
        "trunk.backbone.tail.3": 0.4,
        "trunk.backbone.fc1.0": 0.5,
        "levels.0.match.2": 0.5,
        "finish.0.2": 0.3,
        "finish.1.2": 0.3,
    }


def slow_block(block: PreActivation, features: Tensor) -> Tensor:
    def active(norm: nn.Module, values: Tensor) -> Tensor:
        assert isinstance(norm, nn.BatchNorm2d)
        assert norm.running_mean is not None
        assert norm.running_var is not None
        scale = norm.weight / (norm.running_var + norm.eps).sqrt()
        return ((values - norm.running_mean.view(-1, 1, 1)) * scale.view(-1, 1, 1) + norm.bias.view(-1, 1, 1)).relu()

    first = active(block.norm1, features)
    stride = block.conv2.stride[0]
    values = functional.conv2d(first, block.conv1.weight)
    values = functional.conv2d(active(block.norm2, values), block.conv2.weight, padding=1, stride=stride)
    values = functional.conv2d(active(block.norm3, values), block.conv3.weight)
    if block.shortcut is None:
        return features + values
    return functional.conv2d(first[:, :, ::stride, ::stride], block.shortcut.weight) + values


@pytest.mark.parametrize(("channels", "out", "stride"), [(8, 8, 1), (8, 20, 2), (16, 24, 1)])
def test_a_block_normalises_before_it_convolves(channels: int, out: int, stride: int) -> None:
    torch.manual_seed(0)
    block = PreActivation(channels, out, stride)
    for _ in range(3):
        block(torch.randn(7, channels, 12, 10) * 2 + 1)
    block.eval()
    features = torch.randn(2, channels, 12, 10)
    torch.testing.assert_close(block(features), slow_block(block, features))


def test_features_are_taken_raw() -> None:
    torch.manual_seed(0)
    arm = ARMS["learn-to-pay"]
    backbone = resnet_att(1, 3, 32, depth=11)
    images = torch.rand(2, 1, 32, 32)
    raw = nn.Sequential(*list(backbone.eval())[:4])(images)
    network = arm.adapt(backbone, images[:1], arm.configure({"preset": "paper-resnet"})).eval()
    features, g = network.trunk(images)  # type: ignore[operator]
    assert torch.equal(features["stage3"], raw)
    assert raw.min() < 0
    assert g.shape == (2, 256)


def test_small_images_are_refused() -> None:
    with pytest.raises(FoveolaError, match="at least 32 px for 'resnet-att', got 28 px"):
        resnet_att(1, 3, 28)
