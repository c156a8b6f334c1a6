"""Spatial group-wise enhance: positions that look like the mean of their group of channels are kept."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from foveola.attention.algebra.operators import Pointwise
from foveola.attention.arm import ARMS, Arm, LayerSettings
from foveola.attention.mechanism import Mechanism


class SpatialGroupEnhance(Mechanism):
    """``a = sigmoid(weight * standardised(<mean(x), x_i>) + bias)``: one weight a position and group of channels.

    The products with the mean of the group are standardised over the positions of each image. The map is the mean of
    the weights over groups.

    Source: Li et al. 2019, arXiv:1905.09646, equations 1 to 5. As in the authors' code the standard deviation is the
    unbiased one plus 1e-5, and all weights start at sigmoid(1). At a single position nothing is standardised: it is 0.

    Args:
        channels: Of the features.
        groups: The paper's G. Where it does not divide the channels, the largest smaller number that does is taken.
        device: Where the parameters are made.
        dtype: Their type.

    Example:
        >>> SpatialGroupEnhance(40, groups=64).groups, SpatialGroupEnhance(112, groups=64).groups
        (40, 56)
    """

    def __init__(self, channels: int, groups: int = 64, *, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.groups = next(number for number in range(groups, 0, -1) if channels % number == 0)
        self.weight = nn.Parameter(torch.zeros(self.groups, device=device, dtype=dtype))
        self.bias = nn.Parameter(torch.ones(self.groups, device=device, dtype=dtype))

    def operator(self, features: Float[Tensor, "b c h w"], *context: Any) -> Pointwise:
        """Returns the weights, in 0..1, of each group."""
        products = features * features.mean((2, 3), keepdim=True)
        likeness = products.reshape(len(products), self.groups, -1, *products.shape[2:]).sum(2)
        centred = likeness - likeness.mean((2, 3), keepdim=True)
        correction = min(1, features.shape[2] * features.shape[3] - 1)
        standardised = centred / (likeness.std((2, 3), correction=correction, keepdim=True) + 1e-5)
        return Pointwise(torch.sigmoid(standardised * self.weight[:, None, None] + self.bias[:, None, None]))


class SpatialGroupEnhanceSettings(LayerSettings):
    """Settings of the arm ``sge``; see `SpatialGroupEnhance`."""

    groups: int = Field(64, ge=1)


def _layer(channels: int, size: tuple[int, int], settings: SpatialGroupEnhanceSettings) -> SpatialGroupEnhance:
    return SpatialGroupEnhance(channels, settings.groups)


ARMS.add(
    Arm("sge", "spatial group-wise enhance: weights by group", SpatialGroupEnhanceSettings, "pointwise", layer=_layer)
)
