"""What a backbone is made for, and the backbones of our own."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from foveola.foundation.errors import FoveolaError
from foveola.foundation.settings import validated
from foveola.models import (
    OWN_BACKBONES,
    OWN_SEGMENTERS,
    BackboneSettings,
    ImageShape,
    backbone_names,
    segmenter_names,
)


@pytest.mark.parametrize("name", OWN_BACKBONES)
def test_a_backbone_of_our_own_is_listed_and_says_which_modules_read_and_classify(name: str) -> None:
    assert name in backbone_names()
    shape = ImageShape(channels=1, size=224, classes=5)
    design = OWN_BACKBONES[name].build(shape, BackboneSettings(name=name))
    heads = [design.network.get_submodule(head) for head in design.head]
    assert heads
    assert all(head.weight.shape[0] == 5 for head in heads if isinstance(head, nn.Linear | nn.Conv2d))
    first = [design.network.get_submodule(layer) for layer in design.first]
    assert bool(first) == any(isinstance(module, nn.Conv2d) for module in design.network.modules())
    assert all(isinstance(layer, nn.Conv2d) and layer.in_channels == 1 for layer in first)


@pytest.mark.parametrize("values", [{"channels": 0}, {"size": 0}, {"classes": 1}])
def test_shapes_that_cannot_be_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ImageShape(**{"channels": 3, "size": 32, "classes": 2, **values})


@pytest.mark.parametrize("name", OWN_SEGMENTERS)
@pytest.mark.parametrize("channels", [1, 3])
def test_a_network_of_our_own_for_pixels_says_which_modules_read_and_classify(name: str, channels: int) -> None:
    assert name not in OWN_BACKBONES
    assert name in segmenter_names()
    shape = ImageShape(channels=channels, size=224, classes=5, per_pixel=True)
    with torch.device("meta"):
        design = OWN_SEGMENTERS[name].build(shape, BackboneSettings(name=name))
    (head,), (first,) = ([design.network.get_submodule(part) for part in parts] for parts in design[1:])
    assert isinstance(head, nn.Conv2d)
    assert isinstance(first, nn.Conv2d)
    assert (head.out_channels, first.in_channels) == (5, channels)


def test_a_shape_is_for_whole_images_unless_it_says_otherwise() -> None:
    assert not ImageShape(channels=3, size=32, classes=2).per_pixel


@pytest.mark.parametrize("blocks", ["2,3,4,3", [2, 3, 4, 3], (2, 3, 4, 3), "2, 3, 4, 3"])
def test_blocks_are_given_as_numbers_or_as_written_on_the_command_line(blocks: Any) -> None:
    settings = validated(BackboneSettings, {"name": "denseunet", "growth": "8", "blocks": blocks}, "backbone")
    assert (settings.growth, settings.blocks) == (8, (2, 3, 4, 3))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"name": "resnet18", "growth": 8},
            "no such setting for the backbone 'resnet18', as denseunet alone has it, got 8, in backbone.growth; change",
        ),
        ({"blocks": (2, 3, 4, 3)}, r"no such setting for the backbone 'resnet18'.* in backbone\.blocks; change it"),
        (
            {"name": "denseunet", "width": 8},
            r"for the backbone 'denseunet', as small-unet alone has it, got 8, in backbone\.width",
        ),
        ({"name": "denseunet", "growth": 0}, r"greater than or equal to 1, got 0, in backbone\.growth"),
        ({"name": "denseunet", "blocks": "2,3,4"}, r"in backbone\.blocks"),
        ({"name": "denseunet", "blocks": "2,0,4,3"}, r"at least one layer in every block.* in backbone\.blocks"),
        ({"name": "denseunet", "blocks": "a,b,c,d"}, r"got 'a', in backbone\.blocks\.0"),
    ],
)
def test_growth_and_blocks_that_cannot_be_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(FoveolaError, match=message):
        validated(BackboneSettings, values, "backbone")
