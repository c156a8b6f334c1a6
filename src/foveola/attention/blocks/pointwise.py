"""The pointwise block: every position is weighed by itself."""

from __future__ import annotations

from typing import Any

from jaxtyping import Float
from torch import Tensor

from foveola.attention.algebra.operators import Pointwise
from foveola.attention.arm import ARMS, Arm
from foveola.attention.blocks.gate_functions import GateName, gate_function
from foveola.attention.blocks.residual import ResidualBlock, ResidualSettings


class PointwiseAttention(ResidualBlock):
    """``y_i = x_i + gamma W_o a_i v_i`` with ``v = W_v x`` and ``a = sigmoid(point(x))``: A is diag(a).

    A keeps every position where it is. The map is a.

    Source: the point-wise half of joint attention (Zhang, Dong, Li, ISBI 2022), reconstructed from the abstract
    without the paper; see `JointAttention`. What the point functions are taken from stands in their docstrings.

    Args:
        channels: Of the features.
        point: What point is; see `gate_function`.
        residual: See `ResidualBlock`.
        residual_start: See `ResidualBlock`.
        device: Where the parameters are made.
        dtype: Their type.

    Example:
        >>> import torch
        >>> features = torch.rand(2, 8, 12, 10)
        >>> torch.equal(PointwiseAttention(8)(features), features)
        True
    """

    def __init__(
        self,
        channels: int,
        point: GateName = "conv",
        residual: bool = True,
        residual_start: float = 0.0,
        *,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(channels, residual, residual_start, device=device, dtype=dtype)
        self.point = gate_function(point, channels, device=device, dtype=dtype)

    def take_signal(self, channels: int) -> None:
        """Prepares for the features of a decoder, which come as the context and have so many channels."""
        self.point.take_signal(channels)

    def operator(self, features: Float[Tensor, "b c h w"], *context: Any) -> Pointwise:
        """Returns the gate, in 0..1, for features and, as the context, those of a decoder if there are any."""
        return Pointwise(self.point(features, *context))


class PointwiseSettings(ResidualSettings):
    """Settings of the arm ``pointwise``; see `PointwiseAttention`.

    Attributes:
        point: What gives each position its weight; see `foveola.attention.blocks.gate_functions.gate_function`.
    """

    point: GateName = "conv"


def _layer(channels: int, size: tuple[int, int], settings: PointwiseSettings) -> PointwiseAttention:
    return PointwiseAttention(channels, settings.point, settings.residual, settings.residual_start)


ARMS.add(Arm("pointwise", "a gate a position, added to the features", PointwiseSettings, "pointwise", layer=_layer))
