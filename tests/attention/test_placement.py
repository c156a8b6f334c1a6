"""Attention goes where it is told to, and nothing else of the backbone changes."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import timm
import torch
from timm.models.resnet import BasicBlock, Bottleneck, ResNet
from torch import Tensor, nn

from foveola.attention import insert
from foveola.attention.placement import Followed, places_in, residual_blocks, stages_of
from foveola.attention.probing import outputs_of, shapes_of
from foveola.errors import FoveolaError
from foveola.models.small_cnn import small_cnn

IMAGE = torch.zeros(1, 3, 48, 40)
IMAGES = torch.randn(2, 3, 48, 40, generator=torch.Generator().manual_seed(0))
BLOCKS = ["layer1.0", "layer2.0", "layer2.1", "layer3.0", "layer4.0"]
STAGES = ["layer1", "layer2", "layer3", "layer4"]


def resnet(kind: Any = BasicBlock, **options: Any) -> Any:
    """A small ResNet with as many different sizes as it can have."""
    torch.manual_seed(1)
    return ResNet(kind, (1, 2, 1, 1), num_classes=3, channels=(8, 12, 16, 20), **options).eval()


class Times(nn.Module):
    """Multiplies, and remembers what it was made for."""

    def __init__(self, channels: int, size: tuple[int, int], factor: float = 2.0) -> None:
        super().__init__()
        self.channels, self.size, self.factor = channels, size, factor

    def forward(self, features: Tensor) -> Tensor:
        assert features.shape[1:] == (self.channels, *self.size)
        return self.factor * features


def times(factor: float) -> Any:
    return lambda channels, size: Times(channels, size, factor)


@pytest.mark.parametrize(("kind", "channels"), [(BasicBlock, 8), (Bottleneck, 32)])
def test_in_blocks_it_stands_behind_the_last_norm_and_before_the_shortcut(kind: Any, channels: int) -> None:
    network = resnet(kind)
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.2)
    block = copy.deepcopy(network.layer1[0])
    assert insert(network, times(0.0), IMAGE, at="blocks") == BLOCKS
    assert (network.layer1[0].se.channels, network.layer1[0].se.size) == (channels, (12, 10))
    assert network.layer2[1].se.size == (6, 5)
    features = torch.randn(2, 64, 12, 10)
    shortcut = features if block.downsample is None else block.downsample(features)
    torch.testing.assert_close(network.layer1[0](features.clone()), torch.relu(shortcut))
    assert not torch.allclose(block(features.clone()), torch.relu(shortcut))


def test_behind_stages_it_takes_what_they_put_out() -> None:
    network, twin = resnet(), resnet()
    assert insert(network, times(2.0), IMAGE, at="stages") == STAGES
    sizes = [getattr(network, stage).attention.size for stage in STAGES]
    assert sizes == [(12, 10), (6, 5), (3, 3), (2, 2)]
    assert [getattr(network, stage).attention.channels for stage in STAGES] == [8, 12, 16, 20]
    features = torch.randn(2, 8, 12, 10)
    torch.testing.assert_close(network.layer2(features.clone()), 2 * twin.layer2(features.clone()))
    assert network(IMAGES).shape == (2, 3)


@pytest.mark.parametrize(
    ("make", "expected"), [(resnet, BLOCKS), (lambda: small_cnn(3, 3), ["block1", "block2", "block3"])]
)
def test_by_itself_it_takes_blocks_where_there_are_some_and_stages_elsewhere(make: Any, expected: list[str]) -> None:
    network = make()
    assert insert(network, times(1.0), IMAGE) == expected
    assert network(IMAGES).shape == (2, 3)


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("layer2", ["layer2"]),
        (" layer3 ,layer1.0", ["layer3", "layer1.0"]),
        ("layer2,layer2.1", ["layer2", "layer2.1"]),
        ("layer2.1,layer2", ["layer2.1", "layer2"]),
        ("layer1,layer1", ["layer1"]),
        ("conv1", ["conv1"]),
    ],
)
def test_behind_modules_that_are_named(at: str, expected: list[str]) -> None:
    network = resnet()
    assert insert(network, times(3.0), IMAGE, at=at) == expected
    assert sum(isinstance(module, Times) for module in network.modules()) == len(expected)
    assert sum(isinstance(module, Followed) for module in network.modules()) == len(expected)
    assert network(IMAGES).shape == (2, 3)


def test_a_layer_that_does_nothing_changes_nothing() -> None:
    expected = resnet()(IMAGES)
    for at in ("blocks", "stages", "layer2,layer2.1"):
        network = resnet()
        insert(network, times(1.0), IMAGE, at=at)
        torch.testing.assert_close(network(IMAGES), expected)


@pytest.mark.parametrize("training", [True, False])
def test_looking_for_sizes_leaves_no_trace(training: bool) -> None:
    network = resnet().train(training)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    assert shapes_of(network, ["layer1", "layer4.0.bn2"], IMAGES) == {"layer1": (8, 12, 10), "layer4.0.bn2": (20, 2, 2)}
    assert list(outputs_of(network, ["layer2", "conv1"], IMAGES)) == ["conv1", "layer2"]
    assert network.training == training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert not any(module._forward_hooks for module in network.modules())


def test_hooks_go_when_the_backbone_fails() -> None:
    network = resnet()
    with pytest.raises(RuntimeError):
        shapes_of(network, ["layer1"], torch.zeros(1, 5, 48, 40))
    assert not any(module._forward_hooks for module in network.modules())


@pytest.mark.parametrize(
    ("make", "stages"),
    [
        (resnet, STAGES),
        (lambda: small_cnn(1, 2), ["block1", "block2", "block3"]),
        (lambda: nn.Sequential(nn.Flatten(), nn.Linear(4, 2)), []),
        (lambda: timm.create_model("mobilenetv3_small_050"), [f"blocks.{index}" for index in (0, 1, 3, 5)]),
        (lambda: timm.create_model("vgg11"), [f"features.{index}" for index in (1, 4, 9, 14, 19)]),
        (
            lambda: timm.create_model("densenet121"),
            [*(f"features.denseblock{number}" for number in (1, 2, 3)), "features.norm5"],
        ),
    ],
)  # fmt: skip
def test_stages_are_those_that_timm_names_or_children_with_convolutions(make: Any, stages: list[str]) -> None:
    found = stages_of(make(), torch.zeros(1, 1 if stages == ["block1", "block2", "block3"] else 3, 64, 72))
    assert found == stages or (not stages and not found)


def test_blocks_are_those_of_timm_that_take_attention() -> None:
    assert residual_blocks(resnet()) == BLOCKS
    assert residual_blocks(small_cnn(3, 2)) == []


@pytest.mark.parametrize(
    ("make", "at", "message"),
    [
        (resnet, "layer9", "a known stage, got 'layer9', in .* `at`; choose among layer1, layer2, layer3, layer4"),
        (resnet, "layer1,", "expected a known stage, got '', in the arm's setting `at`"),
        (resnet, "fc", r"expected features B x C x H x W, got an output of shape \(1, 3\), in the module 'fc'"),
        (lambda: small_cnn(3, 2), "blocks", "a backbone with residual blocks that take attention, got a Sequential"),
        (lambda: nn.Sequential(nn.Flatten(), nn.Linear(5760, 2)), "auto", "a backbone with stages that are known"),
        (
            lambda: resnet(block_args={"attn_layer": "se"}), "blocks",
            "expected residual blocks without attention of their own, got SEModule in 'layer1.0', in --backbone; ",
        ),
    ],
)  # fmt: skip
def test_where_it_cannot_go_is_said(make: Any, at: str, message: str) -> None:
    with pytest.raises(FoveolaError, match=message):
        insert(make(), times(1.0), IMAGE, at=at)


def test_a_module_that_is_not_used_is_no_place() -> None:
    network = resnet()
    network.spare = nn.Conv2d(3, 4, 1)
    assert places_in(network, "spare", IMAGE) == ["spare"]
    with pytest.raises(FoveolaError, match="got nothing, in the module 'spare' of the backbone; name another module"):
        insert(network, times(1.0), IMAGE, at="spare")
