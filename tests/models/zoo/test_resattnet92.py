"""The Residual Attention Network against pytorchcv, its published size, and bad input."""

from __future__ import annotations

import sys
from typing import Any

import pytest
import torch
from pytorchcv.models import resattnet as library
from torch import nn

from foveola.attention import ARMS, Attended
from foveola.foundation.errors import FoveolaError
from foveola.models import BackboneSettings, ImageShape, arm_network, build_backbone
from foveola.models.zoo.resattnet92 import AttentionBlock, resattnet92


def test_it_has_the_published_number_of_parameters() -> None:
    with torch.device("meta"):
        large, small = resattnet92(channels=3, classes=1000), resattnet92(channels=3, classes=5)
    assert sum(parameter.numel() for parameter in large.parameters()) == 52_466_344
    assert sum(parameter.numel() for parameter in small.parameters()) == 50_427_589
    assert sum(isinstance(module, AttentionBlock) for module in large.modules()) == 6


@pytest.mark.parametrize("training", [True, False])
def test_a_block_gives_the_numbers_of_pytorchcv_and_its_mask(training: bool) -> None:
    torch.manual_seed(0)
    theirs = library.AttBlock(32, 32, hourglass_depth=2, att_scales=[1, 2, 1]).train(training)
    features = torch.randn(2, 32, 16, 12)
    masks: list[torch.Tensor] = []
    handle = theirs.middle_block.register_forward_hook(lambda _, __, output: masks.append(output))
    expected = theirs(features)
    handle.remove()
    output, maps = Attended(nn.Sequential(AttentionBlock(theirs)), None)(features, return_maps=True)
    torch.testing.assert_close(output, expected, atol=1e-4, rtol=1e-4)
    assert list(maps) == ["0"]
    torch.testing.assert_close(maps["0"], masks[0].mean(1), atol=1e-5, rtol=1e-5)


def test_the_arm_runs_on_small_images_that_it_enlarges() -> None:
    torch.manual_seed(0)
    arm = ARMS["resattnet92"]
    network = arm_network(
        arm,
        arm.configure({"enlarge": True}),
        BackboneSettings(pretrained=False),
        ImageShape(channels=1, size=28, classes=3),
    )
    with torch.no_grad():
        logits, maps = Attended(network.eval(), None)(torch.randn(1, 1, 28, 28), return_maps=True)
    assert logits.shape == (1, 3)
    assert [tuple(map.shape) for map in maps.values()] == [(1, 56, 56)] + 2 * [(1, 28, 28)] + 3 * [(1, 14, 14)]
    assert all(0 <= map.min() < map.max() <= 1 for map in maps.values())


@pytest.mark.parametrize(
    ("size", "remedy"),
    [
        (64, "give --image-size 224, or --set resattnet92.enlarge=true with the arm resattnet92"),
        (256, "give --image-size 224"),
    ],
)
def test_another_size_is_refused(size: int, remedy: str) -> None:
    shape = ImageShape(channels=3, size=size, classes=3)
    arm = ARMS["resattnet92"]
    message = f"expected images of 224 x 224 px, got {size} x {size}, in the backbone resattnet92; {remedy}"
    with pytest.raises(FoveolaError) as caught:
        build_backbone(BackboneSettings(name="resattnet92", pretrained=False), shape)
    assert str(caught.value) == message
    with pytest.raises(FoveolaError) as caught:
        arm_network(arm, arm.configure({"enlarge": size > 224}), BackboneSettings(), shape)
    assert str(caught.value) == message


def test_a_missing_extra_is_named(monkeypatch: Any) -> None:
    monkeypatch.setitem(sys.modules, "pytorchcv.models.resattnet", None)
    with pytest.raises(FoveolaError, match=r'run `pip install "foveola\[baselines\]"`'):
        resattnet92(channels=3, classes=5)
