"""Where the levels of a backbone are."""

from __future__ import annotations

import pytest
import timm
import torch
import torchvision
from torch import nn

from foveola.attention.hosts.backbone_levels import chosen_levels, levels_of
from foveola.foundation.errors import FoveolaError
from foveola.models.zoo.resnet_att import resnet_att
from foveola.models.zoo.small_cnn import small_cnn
from foveola.models.zoo.vgg_att import vgg_att

IMAGE = torch.zeros(1, 3, 96, 64)


def resnet() -> nn.Module:
    return timm.create_model("resnet10t", num_classes=3)


def test_stages_of_timm_are_levels() -> None:
    expected = {
        "act1": (64, 48, 32),
        "layer1": (64, 24, 16),
        "layer2": (128, 12, 8),
        "layer3": (256, 6, 4),
        "layer4": (512, 3, 2),
    }
    assert levels_of(timm.create_model("resnet18"), IMAGE) == expected


def test_a_pool_behind_the_last_convolution_is_no_level() -> None:
    levels = levels_of(timm.create_model("vgg11", num_classes=3), IMAGE)
    assert list(levels) == [f"features.{index}" for index in (1, 4, 9, 14, 19)]


@pytest.mark.parametrize(
    ("build", "size", "expected"),
    [
        (
            lambda: small_cnn(3, 5),
            (36, 28),
            {"block1.2": (16, 36, 28), "block2.2": (32, 18, 14), "block3.2": (64, 9, 7)},
        ),
        (
            lambda: torchvision.models.googlenet(weights=None, init_weights=False, aux_logits=False),
            (96, 64),
            {
                "conv1": (64, 48, 32),
                "conv3": (192, 24, 16),
                "inception3b": (480, 12, 8),
                "inception4e": (832, 6, 4),
                "inception5b": (1024, 3, 2),
            },
        ),
        (
            lambda: timm.create_model("vgg11_bn"),
            (96, 96),
            {
                "features.2": (64, 96, 96),
                "features.6": (128, 48, 48),
                "features.13": (256, 24, 24),
                "features.20": (512, 12, 12),
                "features.27": (512, 6, 6),
            },
        ),
        (
            lambda: vgg_att(3, 5, 32),
            (32, 32),
            {"block3": (256, 32, 32), "block4": (512, 16, 16), "block5": (512, 8, 8)},
        ),
        (
            lambda: resnet_att(3, 5, 36, depth=11),
            (36, 36),
            {"stage1": (64, 36, 36), "stage2": (128, 18, 18), "stage3": (256, 9, 9)},
        ),
    ],
    ids=["small-cnn", "googlenet", "vgg11_bn", "vgg-att", "resnet-att"],
)
def test_the_last_features_of_each_resolution_are_a_level(build: object, size: object, expected: object) -> None:
    with torch.device("meta"):
        levels = levels_of(build(), torch.zeros(1, 3, *size))  # type: ignore[operator, misc]
    assert levels == expected


def test_levels_are_counted_from_the_deepest() -> None:
    network = resnet()
    assert list(chosen_levels(network, IMAGE, 1)) == ["layer4"]
    assert list(chosen_levels(network, IMAGE, 3)) == ["layer2", "layer3", "layer4"]


def test_levels_go_by_name_where_they_are_named() -> None:
    assert chosen_levels(resnet(), IMAGE, "layer3, layer1.0.conv1") == {
        "layer3": (256, 6, 4),
        "layer1.0.conv1": (64, 24, 16),
    }


@pytest.mark.parametrize(
    ("name", "wanted", "message"),
    [
        ("resnet10t", "layer5", "a known stage, got 'layer5', in the arm's setting `levels`; choose among "),
        ("resnet10t", "x", "got 'x', in the arm's setting `levels`; choose among .*layer1, layer2, layer3, layer4"),
        ("resnet10t", "", "a known stage, got ''"),
        ("resnet10t", "layer4,layer4", "stages that are distinct, got layer4,layer4, in the arm's setting `levels`"),
        ("resnet10t", 9, "at most 5 levels: .*layer1, layer2, layer3, layer4, got 9, .*; take fewer, or name modules"),
        ("resnet10t", "layer4,fc", "features B x C x H x W, got an output of shape .*'fc'"),
        ("test_vit", 3, "whose stages put out features B x C x H x W, got a VisionTransformer, in --backbone"),
    ],
)
def test_levels_that_are_not_there_are_named(name: str, wanted: int | str, message: str) -> None:
    network = timm.create_model(name, num_classes=3)
    image = torch.zeros(1, 3, 160, 160) if name == "test_vit" else IMAGE
    with pytest.raises(FoveolaError, match=message):
        chosen_levels(network, image, wanted)


def test_channels_that_come_last_are_no_features() -> None:
    with torch.device("meta"):
        network = timm.create_model("swin_tiny_patch4_window7_224")
        with pytest.raises(FoveolaError, match="got a SwinTransformer, in --backbone; choose a CNN"):
            chosen_levels(network, torch.zeros(1, 3, 224, 224), 2)


def test_looking_leaves_nothing_behind() -> None:
    network = resnet().train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    levels_of(network, IMAGE)
    assert network.training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert not any(module._forward_hooks for module in network.modules())
