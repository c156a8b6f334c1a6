"""CBAM: weights of channels, then one weight a position."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import torch
from jaxtyping import Float
from pydantic import Field
from timm.layers.cbam import ChannelAttn, SpatialAttn
from torch import Tensor, nn

from foveola.attention.algebra.operators import Pointwise
from foveola.attention.arm import ARMS, Arm, LayerSettings
from foveola.attention.mechanism import Mechanism
from foveola.attention.recording import emit
from foveola.foundation.settings import Searched


class Cbam(Mechanism):
    """``y = a z``: z are the features with their channels weighed, a is one weight a position.

        z = x * sigmoid(MLP(mean x) + MLP(max x))                 over positions
        a = sigmoid(BN(conv7x7([mean z; max z])))                 over channels

    The map is a. It weighs positions alone; the weights of channels that come before it are g, what it is applied to.

    Source: Woo et al. 2018, arXiv:1807.06521, equations 1 to 3, by the two parts of timm's `CbamModule`, whose output
    and whose names of weights are the same. Like the authors' code and unlike equation 3 it has a batch norm in the
    spatial half.

    Args:
        channels: Of the features.
        reduction: The paper's r.
        kernel: Side of the spatial convolution, odd.
        device: Where the parameters are made.
        dtype: Their type.

    Example:
        >>> Cbam(32)(torch.rand(2, 32, 12, 10)).shape
        torch.Size([2, 32, 12, 10])
    """

    def __init__(
        self, channels: int, reduction: int = 16, kernel: int = 7, *, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__()
        self.channel: nn.Module = ChannelAttn(
            channels, rd_channels=max(channels // reduction, 1), device=device, dtype=dtype
        )
        self.spatial: Any = SpatialAttn(kernel, device=device, dtype=dtype)

    def operator(self, features: Float[Tensor, "b c h w"], *context: Any) -> Pointwise:
        """Returns the spatial gate, in 0..1."""
        return self._gate(self.channel(features))

    def value_map(self, features: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Returns the features with their channels weighed."""
        weighed: Tensor = self.channel(features)
        return weighed

    def forward(self, features: Float[Tensor, "b c h w"], *context: Any) -> Float[Tensor, "b c h w"]:
        """Returns the features, their channels and then their positions weighed; the former are weighed once."""
        weighed = self.value_map(features)
        return emit(self, self._gate(weighed)).apply(weighed)

    def _gate(self, weighed: Float[Tensor, "b c h w"]) -> Pointwise:
        described = torch.cat([weighed.mean(1, keepdim=True), weighed.amax(1, keepdim=True)], dim=1)
        return Pointwise(self.spatial.gate(self.spatial.conv(described)))


class CbamSettings(LayerSettings):
    """Settings of the arm ``cbam``; see `Cbam`."""

    reduction: Annotated[int, Searched(2, 32, log=True)] = Field(16, ge=1)
    kernel: Literal[3, 5, 7, 9] = 7


def _layer(channels: int, size: tuple[int, int], settings: CbamSettings) -> Cbam:
    return Cbam(channels, settings.reduction, settings.kernel)


ARMS.add(Arm("cbam", "CBAM: weights of channels, then of positions", CbamSettings, "pointwise", layer=_layer))
