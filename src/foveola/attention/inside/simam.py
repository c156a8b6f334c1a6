"""SimAM: positions that differ from their channel's mean are kept, without parameters."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from foveola.attention.algebra.operators import Pointwise
from foveola.attention.arm import ARMS, Arm, LayerSettings
from foveola.attention.mechanism import Mechanism


class SimAM(Mechanism):
    """``y = x * sigmoid(d / (4 (v + floor)) + 0.5)``, one weight a position and channel, without parameters.

    d is the squared distance from the mean of the channel and v the sum of d over the ``H W - 1`` other positions (at
    a single position, d itself, which is 0). The map is the mean of the weights over channels; all are above 0.62.

    Source: Yang et al. 2021, *SimAM: A Simple, Parameter-Free Attention Module*, ICML, equations 5 and 6, with
    the variance of the authors' code.

    Args:
        channels: Of the features; any number will do.
        floor: The paper's lambda.
        device: Not used: there are no parameters.
        dtype: Not used either.

    Example:
        >>> SimAM(8)(torch.rand(2, 8, 12, 10)).shape
        torch.Size([2, 8, 12, 10])
    """

    def __init__(self, channels: int, floor: float = 1e-4, *, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.floor = floor

    def operator(self, features: Float[Tensor, "b c h w"], *context: Any) -> Pointwise:
        """Returns the weights, in 0.62..1."""
        distance = (features - features.mean((2, 3), keepdim=True)).square()
        others = max(features.shape[2] * features.shape[3] - 1, 1)
        variance = distance.sum((2, 3), keepdim=True) / others
        return Pointwise(torch.sigmoid(distance / (4 * (variance + self.floor)) + 0.5))


class SimAMSettings(LayerSettings):
    """Settings of the arm ``simam``; see `SimAM`."""

    floor: float = Field(1e-4, gt=0)


def _layer(channels: int, size: tuple[int, int], settings: SimAMSettings) -> SimAM:
    return SimAM(channels, settings.floor)


ARMS.add(Arm("simam", "SimAM: weights without parameters", SimAMSettings, "pointwise", layer=_layer))
