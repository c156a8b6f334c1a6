"""Style-based recalibration: one weight a channel from its mean and its standard deviation. No map."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from foveola.attention.arm import ARMS, Arm, LayerSettings
from foveola.attention.mechanism import AttentionLayer
from foveola.foundation.errors import FoveolaError


class StyleRecalibration(AttentionLayer):
    """``y = x * sigmoid(BN(w1 mean(x) + w2 sd(x)))``, each channel for itself; the same weight at all positions.

    Source: Lee et al. 2019, arXiv:1903.10829, sections 3.1 and 3.2, with what the authors' code adds: the unbiased
    variance plus 1e-5 under the root, and w = 0 at the start, which makes every weight 0.5. At a single position,
    where there is no unbiased variance, it is 0.

    Args:
        channels: Of the features.
        device: Where the parameters are made.
        dtype: Their type.

    Example:
        >>> sum(p.numel() for p in StyleRecalibration(64).parameters())
        256
    """

    def __init__(self, channels: int, *, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(channels, 2, device=device, dtype=dtype))
        self.norm = nn.BatchNorm1d(channels, device=device, dtype=dtype)

    def forward(self, features: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Returns the features, their channels weighed.

        Raises:
            FoveolaError: For a batch of one image in training, which has no batch statistics.
        """
        if self.training and len(features) == 1:
            raise FoveolaError(
                "at least 2 images a batch in training",
                "1",
                "attention that normalises over the batch",
                "give another --batch-size",
            )
        positions = features.flatten(2)
        variance = positions.var(2, correction=min(1, positions.shape[2] - 1))
        styles = torch.stack([positions.mean(2), (variance + 1e-5).sqrt()], dim=2)
        weights = torch.sigmoid(self.norm((styles * self.weight).sum(2)))
        return features * weights[:, :, None, None]


class StyleRecalibrationSettings(LayerSettings):
    """Settings of the arm ``srm``: no weight decay, as its authors trained it."""

    weight_decay: float | None = Field(0.0, ge=0)


def _layer(channels: int, size: tuple[int, int], settings: StyleRecalibrationSettings) -> StyleRecalibration:
    return StyleRecalibration(channels)


ARMS.add(
    Arm("srm", "style-based recalibration: weights of channels", StyleRecalibrationSettings, "channels", layer=_layer)
)
