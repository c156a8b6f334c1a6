"""The stem: the resolution before the first block."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from foveola.models import BackboneSettings, ImageShape, backbone_design
from foveola.models.stem import SMALL, shrink_less

FIRST_BLOCK = {"resnet18": "layer1", "densenet121": "features.denseblock1", "googlenet": "conv2"}
KERNEL = {"resnet18": "conv1", "densenet121": "features.conv0", "googlenet": "conv1.conv"}


def design(name: str, size: int, **options: Any) -> nn.Module:
    settings = BackboneSettings(name=name, **{"pretrained": False, **options})
    return backbone_design(settings, ImageShape(channels=3, size=size, classes=5)).eval()


@torch.no_grad()
def sides_before(block: str, network: nn.Module, size: int) -> tuple[int, int]:
    """Returns the height and the width of what the first block sees."""
    seen: list[torch.Size] = []
    handle = network.get_submodule(block).register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape))
    network(torch.zeros(1, 3, size, size))
    handle.remove()
    return seen[0][-2], seen[0][-1]


@pytest.mark.parametrize("name", FIRST_BLOCK)
def test_small_images_keep_their_resolution(name: str) -> None:
    small, standard = design(name, 64), design(name, 64, stem="standard")
    assert sides_before(FIRST_BLOCK[name], standard, 64) == (16, 16)
    assert sides_before(FIRST_BLOCK[name], small, 64) == (64, 64)


@pytest.mark.parametrize("name", FIRST_BLOCK)
def test_the_border_is_64_pixels(name: str) -> None:
    assert SMALL == 64
    quarter = 16 if name == "googlenet" else 17
    assert sides_before(FIRST_BLOCK[name], design(name, 65), 65) == (quarter, quarter)
    assert sides_before(FIRST_BLOCK[name], design(name, 65, stem="small"), 65) == (65, 65)


@pytest.mark.parametrize("name", FIRST_BLOCK)
@pytest.mark.parametrize(("pretrained", "side"), [(False, 3), (True, 7)])
def test_only_a_pretrained_kernel_is_kept(name: str, pretrained: bool, side: int) -> None:
    network = design(name, 48, pretrained=pretrained)
    convolution = network.get_submodule(KERNEL[name])
    assert isinstance(convolution, nn.Conv2d)
    assert convolution.kernel_size == (side, side)
    assert convolution.stride == (1, 1)
    assert sides_before(FIRST_BLOCK[name], network, 48) == (48, 48)


def test_the_new_kernel_is_drawn_as_he_et_al_draw_it() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 400, 7, stride=2, padding=3, bias=False))
    shrink_less(network, ("0",), keep_kernel=False)
    assert network[0].weight.shape == (400, 3, 3, 3)
    assert network[0].weight.std().item() == pytest.approx((2 / (9 * 400)) ** 0.5, rel=0.03)


@pytest.mark.parametrize("name", ["vgg11", "vit_tiny_patch16_224"])
def test_a_first_convolution_that_does_not_halve_stays(name: str) -> None:
    with torch.device("meta"):
        small, standard = (str(design(name, 224, stem=stem)) for stem in ("small", "standard"))
    assert small == standard


def test_parallel_first_convolutions_change_together() -> None:
    with torch.no_grad():
        features = design("repvgg_a0", 40).forward_features(torch.zeros(1, 3, 40, 40))
        standard = design("repvgg_a0", 40, stem="standard").forward_features(torch.zeros(1, 3, 40, 40))
    assert features.shape[-2:] == (3, 3)
    assert standard.shape[-2:] == (2, 2)
