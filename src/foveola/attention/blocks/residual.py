"""What the pointwise, the self-attention and the joint block have in common: values, projection, residual."""

from __future__ import annotations

from abc import ABC
from typing import Any

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from foveola.attention.arm import LayerSettings
from foveola.attention.mechanism import Mechanism


class ResidualBlock(Mechanism, ABC):
    """``y = x + gamma W_o (A W_v x)``: subclasses say what A is.

    W_v and W_o are 1 x 1 convolutions that keep the number of channels; W_v has no bias, which for rows that sum to 1
    is one of W_o. gamma is one learned number that starts at 0, so that a block changes nothing when it is put into a
    trained network; at the first step it alone has a gradient.

    Source: DANet (Fu et al. 2019, arXiv:1809.02983), equation 2, where gamma is alpha, with the projection W_o of the
    non-local block (Wang et al. 2018, arXiv:1711.07971, equation 6).

    Args:
        channels: Of the features.
        residual: Whether x is added; without, ``y = W_o (A W_v x)`` and there is no gamma.
        residual_start: Where gamma starts.
        maps: How many groups of as many channels A puts out, which W_o mixes.
        device: Where the parameters are made.
        dtype: Their type.
    """

    gamma: nn.Parameter | None

    def __init__(
        self,
        channels: int,
        residual: bool = True,
        residual_start: float = 0.0,
        maps: int = 1,
        *,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        made = {"device": device, "dtype": dtype}
        self.value = nn.Conv2d(channels, channels, 1, bias=False, **made)
        self.output = nn.Conv2d(maps * channels, channels, 1, **made)
        self.gamma = nn.Parameter(torch.full((), residual_start, **made)) if residual else None

    def value_map(self, features: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d h w"]:
        """Returns ``W_v x``."""
        values: Tensor = self.value(features)
        return values

    def fuse(self, features: Float[Tensor, "b c h w"], attended: Float[Tensor, "b d h w"]) -> Float[Tensor, "b c h w"]:
        """Returns the features with gamma times the projection added, or the projection alone without residual."""
        projected: Tensor = self.output(attended)
        return projected if self.gamma is None else features + self.gamma * projected


class ResidualSettings(LayerSettings):
    """What the arms ``pointwise``, ``self`` and ``joint`` can be told; see `ResidualBlock`.

    Attributes:
        at: As in `LayerSettings`; but where images are classified ``auto`` means ``stages``, as these blocks have a
            shortcut of their own.
        residual: Whether the features are added to what attention makes of them.
        residual_start: Where the factor of what is added starts; 0 changes nothing at the first step.
        weight_decay: As in `ArmSettings`; none by default. While the factor is near 0 nothing else has a gradient, and
            Adam, which divides by the size of what it is given, would take the L2 term alone for one: W_v and W_o go to
            0 at the pace of the learning rate, and the factor after them.
    """

    weight_decay: float | None = Field(0.0, ge=0)
    residual: bool = True
    residual_start: float = 0.0

    def place_in(self, backbone: nn.Module) -> str:
        """Returns ``at``, or ``stages`` for ``auto`` where the backbone does not say itself where attention goes."""
        return "stages" if self.at == "auto" and not hasattr(backbone, "attention_places") else self.at
