"""The arm of the Residual Attention Network."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from foveola.attention import ARMS, SimAM, attach
from foveola.attention.networks.residual_attention import Enlarged, ResidualAttentionSettings


@pytest.mark.parametrize(("size", "given"), [(28, 224), (64, 224), (224, 224), (256, 256)])
def test_smaller_images_are_enlarged_when_asked_for(size: int, given: int) -> None:
    assert ResidualAttentionSettings(enlarge=True).backbone_size(size) == given
    assert ResidualAttentionSettings().backbone_size(size) == size
    assert ARMS["plain"].configure({}).backbone_size(size) == size


def test_images_are_enlarged_bilinearly() -> None:
    ramp = torch.arange(12.0)[:, None] + 100 * torch.arange(10.0)
    enlarged = Enlarged(nn.Identity(), side=36)(ramp.expand(2, 3, 12, 10))
    assert enlarged.shape == (2, 3, 36, 36)
    inside = slice(6, -6)
    steps = enlarged[..., inside, inside].diff(dim=2), enlarged[..., inside, inside].diff(dim=3)
    torch.testing.assert_close(steps[0], torch.full_like(steps[0], 12 / 36), atol=1e-3, rtol=0)
    torch.testing.assert_close(steps[1], torch.full_like(steps[1], 100 * 10 / 36), atol=1e-3, rtol=0)


def test_the_arm_brings_its_backbone_and_wraps_it_only_when_asked_to() -> None:
    arm, backbone, image = ARMS["resattnet92"], nn.Identity(), torch.zeros(1, 3, 64, 64)
    assert arm.backbone == "resattnet92"
    assert arm.adapt(backbone, image, arm.configure({})) is backbone
    assert isinstance(arm.adapt(backbone, image, arm.configure({"enlarge": True})), Enlarged)


def test_maps_are_called_as_without_the_enlargement() -> None:
    network = nn.Sequential(nn.Conv2d(3, 8, 3), SimAM(8))
    images = torch.rand(2, 3, 12, 10)
    _, maps = attach(Enlarged(network, side=16))(images, return_maps=True)
    assert {place: tuple(values.shape) for place, values in maps.items()} == {"1": (2, 14, 14)}
