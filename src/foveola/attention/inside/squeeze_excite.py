"""Squeeze-and-excitation: one weight a channel from what all channels are on average. No map."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field
from timm.layers.squeeze_excite import SEModule
from torch import Tensor, nn

from foveola.attention.arm import ARMS, Arm, LayerSettings
from foveola.attention.mechanism import AttentionLayer
from foveola.foundation.settings import Searched


class SqueezeExcite(AttentionLayer):
    """``y = x * sigmoid(W2 ReLU(W1 mean(x)))``, both layers with biases; the weights are the same at all positions.

    Source: Hu et al. 2018, arXiv:1709.01507, equations 2 to 4, by timm's `SEModule`. Deviation from timm: the hidden
    layer has ``channels / reduction`` channels as published, where timm rounds them to a multiple of 8.

    Args:
        channels: Of the features.
        reduction: The paper's r.
        device: Where the parameters are made.
        dtype: Their type.

    Example:
        >>> sum(p.numel() for p in SqueezeExcite(64).parameters())
        580
    """

    def __init__(self, channels: int, reduction: int = 16, *, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.layer: nn.Module = SEModule(
            channels, rd_channels=max(channels // reduction, 1), device=device, dtype=dtype
        )

    def forward(self, features: Tensor) -> Tensor:
        """Returns the features ``B x C x H x W``, their channels weighed."""
        weighed: Tensor = self.layer(features)
        return weighed


class SqueezeExciteSettings(LayerSettings):
    """Settings of the arm ``se``; see `SqueezeExcite`."""

    reduction: Annotated[int, Searched(2, 32, log=True)] = Field(16, ge=1)


def _layer(channels: int, size: tuple[int, int], settings: SqueezeExciteSettings) -> SqueezeExcite:
    return SqueezeExcite(channels, settings.reduction)


ARMS.add(Arm("se", "squeeze-and-excitation: weights of channels", SqueezeExciteSettings, "channels", layer=_layer))
