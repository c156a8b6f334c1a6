"""The self-attention block: every position sees a mean of others, weighted by how alike they are."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from jaxtyping import Float
from pydantic import Field, model_validator
from torch import Tensor

from foveola.attention.algebra.operators import Operator
from foveola.attention.arm import ARMS, Arm
from foveola.attention.blocks.affinities import Affinity, AffinityKind
from foveola.attention.blocks.residual import ResidualBlock, ResidualSettings

FINE = 2048
"""Above so many positions keys and values are averaged over windows of 2 x 2, if nothing else is said."""


class SelfAttentionBlock(ResidualBlock):
    """``y_i = x_i + gamma W_o sum_j S_ij v_j`` with ``v = W_v x``: A is S, whose rows sum to 1.

    The map says how much each position is looked at by all: 1 everywhere where nothing is preferred.

    Source: the self-attention half of joint attention (Zhang, Dong, Li, ISBI 2022), reconstructed from the abstract
    without the paper; see `JointAttention`. What the kinds of S are taken from stands in `Affinity`.

    Args:
        channels: Of the features.
        kind: Of S; see `Affinity`.
        stride: See `Affinity`.
        passes: See `Affinity`.
        residual: See `ResidualBlock`.
        residual_start: See `ResidualBlock`.
        device: Where the parameters are made.
        dtype: Their type.

    Example:
        >>> import torch
        >>> features = torch.rand(2, 8, 12, 10)
        >>> torch.equal(SelfAttentionBlock(8)(features), features)
        True
    """

    def __init__(
        self,
        channels: int,
        kind: AffinityKind = "nonlocal",
        stride: int = 1,
        passes: int = 2,
        residual: bool = True,
        residual_start: float = 0.0,
        *,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(channels, residual, residual_start, device=device, dtype=dtype)
        self.pairs = Affinity(channels, kind, stride, passes, device=device, dtype=dtype)

    def operator(self, features: Float[Tensor, "b c h w"], *context: Any) -> Operator:
        """Returns S."""
        operator: Operator = self.pairs(features)
        return operator


class SelfAttentionSettings(ResidualSettings):
    """Settings of the arm ``self``; see `SelfAttentionBlock`.

    Attributes:
        kind: Of the weights between positions; see `foveola.attention.blocks.affinities.Affinity`.
        stride: Side of the windows over which keys and values are averaged, not for ``crisscross``; ``auto``: 2 where
            the features have more than 2048 positions, for the size that the network is made for, and 1 elsewhere.
        passes: How many times criss-cross attention is applied.
    """

    kind: AffinityKind = "nonlocal"
    stride: Literal["auto"] | Annotated[int, Field(ge=1)] = "auto"
    passes: int = Field(2, ge=1)

    @model_validator(mode="after")
    def _looks_at_all_where_keys_are_coarse(self) -> SelfAttentionSettings:
        if self.kind == "crisscross" and self.stride not in ("auto", 1):
            raise ValueError("a stride of 1 where only the own row and column are looked at, or another kind")
        return self

    def stride_at(self, size: tuple[int, int]) -> int:
        """Returns the side of the windows for features of such a height and width."""
        return (2 if size[0] * size[1] > FINE else 1) if self.stride == "auto" else self.stride


def _layer(channels: int, size: tuple[int, int], settings: SelfAttentionSettings) -> SelfAttentionBlock:
    return SelfAttentionBlock(
        channels, settings.kind, settings.stride_at(size), settings.passes, settings.residual, settings.residual_start
    )


ARMS.add(
    Arm(
        "self",
        "self-attention between positions, added to the features",
        SelfAttentionSettings,
        "self-attention",
        layer=_layer,
    )
)
