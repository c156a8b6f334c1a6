"""The non-local block: every position sees a mean of all, weighted by how alike they are."""

from __future__ import annotations

from typing import Any

from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from foveola.attention.algebra.operators import SelfAttention
from foveola.attention.arm import ARMS, Arm, LayerSettings
from foveola.attention.mechanism import Mechanism


class NonLocal(Mechanism):
    """``y_i = x_i + W_z sum_j softmax_j(scale <W_q x_i, W_k x_j>) W_v x_j``.

    W_z starts at 0, so that a block changes nothing when it is put into a trained network. The map says how much each
    position is looked at by all: 1 everywhere where nothing is preferred.

    Source: Wang et al. 2018, arXiv:1711.07971, equations 1, 3 and 6, embedded Gaussian. Deviations: scores are divided
    by the root of the inner channels, as in mmcv (the paper does not scale); no pooling of keys and values; no bias in
    W_k, which the softmax cancels, nor in W_v, which is one of W_z because rows sum to 1; and no batch norm behind W_z.
    What comes out of W_z differs little between positions, so that a batch norm blows up rounding: in bfloat16 the
    output of a network could be off by twice its size. timm's `NonLocalAttn` has one, an eighth of the channels, and
    another scale.

    Args:
        channels: Of the features.
        reduction: Channels over inner channels.
        scale: What scores are multiplied by; ``None`` for 1 over the root of the inner channels.
        device: Where the parameters are made.
        dtype: Their type.

    Example:
        >>> import torch
        >>> features = torch.rand(2, 16, 12, 10)
        >>> torch.equal(NonLocal(16)(features), features)
        True
    """

    def __init__(
        self, channels: int, reduction: int = 2, scale: float | None = None, *, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__()
        inner, made = max(channels // reduction, 1), {"device": device, "dtype": dtype}
        self.scale = inner**-0.5 if scale is None else scale
        self.query = nn.Conv2d(channels, inner, 1, **made)
        self.key = nn.Conv2d(channels, inner, 1, bias=False, **made)
        self.value = nn.Conv2d(channels, inner, 1, bias=False, **made)
        self.output = nn.Conv2d(inner, channels, 1, **made)
        for parameter in self.output.parameters():
            nn.init.zeros_(parameter)

    def operator(self, features: Float[Tensor, "b c h w"], *context: Any) -> SelfAttention:
        """Returns the softmax of the scores between all positions."""
        return SelfAttention(self.query(features)[:, None], self.key(features)[:, None], self.scale)

    def value_map(self, features: Float[Tensor, "b c h w"]) -> Float[Tensor, "b inner h w"]:
        """Returns ``W_v x``."""
        values: Tensor = self.value(features)
        return values

    def fuse(
        self, features: Float[Tensor, "b c h w"], attended: Float[Tensor, "b inner h w"]
    ) -> Float[Tensor, "b c h w"]:
        """Returns the features with the projection of what was attended added."""
        projected: Tensor = self.output(attended)
        return features + projected


class NonLocalSettings(LayerSettings):
    """Settings of the arm ``nonlocal``, behind every stage; see `NonLocal`."""

    at: str = "stages"
    reduction: int = Field(2, ge=1)


def _layer(channels: int, size: tuple[int, int], settings: NonLocalSettings) -> NonLocal:
    return NonLocal(channels, settings.reduction)


ARMS.add(
    Arm(
        "nonlocal",
        "non-local block: self-attention between positions",
        NonLocalSettings,
        "self-attention",
        layer=_layer,
    )
)
