"""How many parameters each mechanism adds, against published tables."""

from __future__ import annotations

import pytest
import timm
import torch
from torch import nn

from foveola.attention import ARMS


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(
    ("arm", "resnet18", "resnet50"),
    [
        ("se", 89_080, 2_530_992),
        ("srm", 7_680, 60_416),
        ("sge", 1_024, 2_048),
        ("ge", 0, 0),
        ("simam", 0, 0),
    ],
)
def test_in_every_residual_block(arm: str, resnet18: int, resnet50: int) -> None:
    for name, expected in (("resnet18", resnet18), ("resnet50", resnet50)):
        network = timm.create_model(name)
        before = count(network)
        adapted = ARMS[arm].adapt(network, torch.zeros(1, 3, 32, 64), ARMS[arm].configure({}))
        assert count(adapted) - before == expected


@pytest.mark.parametrize(("arm", "timms"), [("cbam", "cbam"), ("coord", "coord"), ("eca", "eca")])
def test_as_many_as_timms_own_network_has(arm: str, timms: str) -> None:
    theirs = timm.create_model("resnet50", block_args={"attn_layer": timms})
    adapted = ARMS[arm].adapt(timm.create_model("resnet50"), torch.zeros(1, 3, 32, 64), ARMS[arm].configure({}))
    assert count(adapted) == count(theirs)
