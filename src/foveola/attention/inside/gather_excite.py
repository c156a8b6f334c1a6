"""Gather-excite: each channel is weighed, neighbourhood by neighbourhood, by what it is on average there."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from foveola.attention.algebra.operators import Pointwise
from foveola.attention.arm import ARMS, Arm, LayerSettings
from foveola.attention.mechanism import Mechanism


class GatherExcite(Mechanism):
    """``y = x * enlarge(sigmoid(pool(x)))``: one weight a position and channel, without parameters.

    Means are taken over windows of ``2 extent - 1`` positions at steps of ``extent`` and enlarged by nearest
    neighbours. The map is the mean of the weights over channels. Where one window covers all positions it is flat.

    Source: Hu et al. 2018, arXiv:1810.12348, section 3.1 (GE without parameters). The numbers are those of timm's
    `GatherExcite` without its MLP, which keeps its weights to itself; timm's variants with parameters cannot be built
    (timm 1.0.31).

    Args:
        channels: Of the features; any number will do.
        extent: The paper's e, even.
        device: Not used: there are no parameters.
        dtype: Not used either.

    Example:
        >>> GatherExcite(8, extent=2)(torch.rand(2, 8, 12, 10)).shape
        torch.Size([2, 8, 12, 10])
    """

    def __init__(self, channels: int, extent: int = 4, *, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.extent = extent

    def operator(self, features: Float[Tensor, "b c h w"], *context: Any) -> Pointwise:
        """Returns the weights, in 0..1."""
        gathered = functional.avg_pool2d(
            features, 2 * self.extent - 1, stride=self.extent, padding=self.extent - 1, count_include_pad=False
        )
        return Pointwise(functional.interpolate(torch.sigmoid(gathered), features.shape[2:]))


class GatherExciteSettings(LayerSettings):
    """Settings of the arm ``ge``; see `GatherExcite`."""

    extent: int = Field(4, ge=2, multiple_of=2)


def _layer(channels: int, size: tuple[int, int], settings: GatherExciteSettings) -> GatherExcite:
    return GatherExcite(channels, settings.extent)


ARMS.add(
    Arm("ge", "gather-excite: weights of channels by neighbourhood", GatherExciteSettings, "pointwise", layer=_layer)
)
