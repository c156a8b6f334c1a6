"""What a backbone is made for, and the backbones of our own."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError
from torch import nn

from foveola.models import OWN_BACKBONES, ImageShape, backbone_names


@pytest.mark.parametrize("name", OWN_BACKBONES)
def test_a_backbone_of_our_own_is_listed_and_says_which_modules_read_and_classify(name: str) -> None:
    assert name in backbone_names()
    design = OWN_BACKBONES[name](ImageShape(channels=1, size=224, classes=5))
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
