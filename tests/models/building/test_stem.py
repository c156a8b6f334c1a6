"""The stem: the resolution before the first block."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from foveola.models import BackboneSettings, ImageShape, backbone_design
from foveola.models.building.stem import SMALL, TINY, shrink_less

FIRST_BLOCK = {"resnet18": "layer1", "densenet121": "features.denseblock1", "googlenet": "conv2"}
KERNEL = {"resnet18": "conv1", "densenet121": "features.conv0", "googlenet": "conv1.conv"}


def design(name: str, size: int, **options: Any) -> nn.Module:
    settings = BackboneSettings(name=name, **{"pretrained": False, **options})
    with torch.device("meta"):  # shapes alone
        return backbone_design(settings, ImageShape(channels=3, size=size, classes=5)).eval()


def sides_before(block: str, network: nn.Module, size: int) -> tuple[int, int]:
    """Returns the height and the width of what the first block sees."""
    seen: list[torch.Size] = []
    handle = network.get_submodule(block).register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape))
    network(torch.zeros(1, 3, size, size, device="meta"))
    handle.remove()
    return seen[0][-2], seen[0][-1]


@pytest.mark.parametrize("name", FIRST_BLOCK)
def test_small_images_keep_their_resolution(name: str) -> None:
    small, standard = design(name, 32), design(name, 32, stem="standard")
    assert sides_before(FIRST_BLOCK[name], standard, 32) == (8, 8)
    assert sides_before(FIRST_BLOCK[name], small, 32) == (32, 32)


@pytest.mark.parametrize("name", FIRST_BLOCK)
def test_images_up_to_64_px_are_pooled_once(name: str) -> None:
    assert (TINY, SMALL) == (32, 64)
    for size, options, side in [
        (36, {}, 18),
        (64, {}, 32),
        (68, {}, 17),
        (68, {"stem": "small"}, 34),
        (64, {"stem": "standard"}, 16),
    ]:
        assert sides_before(FIRST_BLOCK[name], design(name, size, **options), size) == (side, side)


def test_the_border_is_64_px() -> None:
    assert sides_before("layer1", design("resnet18", 65), 65) == (17, 17)
    assert sides_before("layer1", design("resnet18", 33), 33) == (17, 17)


@pytest.mark.parametrize("name", FIRST_BLOCK)
@pytest.mark.parametrize(("pretrained", "side"), [(False, 3), (True, 7)])
def test_only_a_pretrained_kernel_is_kept(name: str, pretrained: bool, side: int) -> None:
    network = design(name, 28, pretrained=pretrained)
    convolution = network.get_submodule(KERNEL[name])
    assert isinstance(convolution, nn.Conv2d)
    assert convolution.kernel_size == (side, side)
    assert convolution.stride == (1, 1)
    assert sides_before(FIRST_BLOCK[name], network, 28) == (28, 28)


def test_the_new_kernel_is_drawn_as_he_et_al_draw_it() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 400, 7, stride=2, padding=3, bias=False))
    shrink_less(network, ("0",), 28, keep_kernel=False)
    weight = network.state_dict()["0.weight"]
    assert weight.shape == (400, 3, 3, 3)
    assert weight.std().item() == pytest.approx((2 / (9 * 400)) ** 0.5, rel=0.03)


@pytest.mark.parametrize("name", ["vgg11", "vit_tiny_patch16_224"])
def test_a_first_convolution_that_does_not_halve_stays(name: str) -> None:
    small, standard = (str(design(name, 224, stem=stem)) for stem in ("small", "standard"))
    assert small == standard


def test_parallel_first_convolutions_change_together() -> None:
    assert sides_before("stages.0", design("repvgg_a0", 40), 40) == (40, 40)
    assert sides_before("stages.0", design("repvgg_a0", 40, stem="standard"), 40) == (20, 20)
