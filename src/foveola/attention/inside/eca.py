"""Efficient channel attention: one weight a channel from its neighbours among the channels. No map."""

from __future__ import annotations

from typing import Any

from timm.layers.eca import EcaModule
from torch import Tensor, nn

from foveola.attention.arm import ARMS, Arm, LayerSettings
from foveola.attention.mechanism import AttentionLayer


class EfficientChannelAttention(AttentionLayer):
    """``y = x * sigmoid(conv1d(mean(x)))`` along the channels; the weights are the same at all positions.

    Source: Wang et al. 2020, arXiv:1910.03151, section 3.2, by timm's `EcaModule`: the kernel is
    ``(log2 C + 1) / 2``, made odd, and 3 at least.

    Args:
        channels: Of the features.
        device: Where the parameters are made.
        dtype: Their type.

    Example:
        >>> [p.shape for p in EfficientChannelAttention(256).parameters()]
        [torch.Size([1, 1, 5])]
    """

    def __init__(self, channels: int, *, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.layer: nn.Module = EcaModule(channels, device=device, dtype=dtype)

    def forward(self, features: Tensor) -> Tensor:
        """Returns the features ``B x C x H x W``, their channels weighed."""
        weighed: Tensor = self.layer(features)
        return weighed


def _layer(channels: int, size: tuple[int, int], settings: LayerSettings) -> EfficientChannelAttention:
    return EfficientChannelAttention(channels)


ARMS.add(Arm("eca", "efficient channel attention: weights of channels", LayerSettings, "channels", layer=_layer))
