"""Joint attention: a gate that keeps every position in its place, and self-attention that brings the whole image."""

from __future__ import annotations

from typing import Any, Literal

import torch
from jaxtyping import Float
from pydantic import Field, field_validator, model_validator
from torch import Tensor, nn

from foveola.attention.algebra.compositions import Product, SideBySide
from foveola.attention.algebra.operators import Operator, Pointwise, Sum
from foveola.attention.arm import ARMS, Arm
from foveola.attention.blocks.affinities import Affinity, AffinityKind
from foveola.attention.blocks.gate_functions import GateName, gate_function
from foveola.attention.blocks.pointwise import PointwiseAttention
from foveola.attention.blocks.residual import ResidualBlock
from foveola.attention.blocks.self_attention import SelfAttentionBlock, SelfAttentionSettings

Joining = Literal["additive", "row", "key", "mix", "concat", "sequential"]
Coefficients = Literal["learned", "balanced", "fixed"]
Order = Literal["point-first", "self-first"]
Variant = Joining | Literal["scale"]


class JointAttention(ResidualBlock):
    """``y = x + gamma W_o (A v)`` with ``v = W_v x`` and A made of a gate and of self-attention.

    With ``a = sigmoid(point(x))`` and S the softmax of the scores between positions, A is, by variant:

    - ``additive`` (J1): ``alpha diag(a) + beta S``. The diagonal keeps places, S brings context.
    - ``row`` (J2): ``diag(a) S``. Context only where the gate opens.
    - ``key`` (J3): ``A_ij = S_ij a_j / sum_m S_im a_m``, the softmax of the scores plus ``log a_j``. Positions are
      looked at where the gate opens, and rows sum to 1.
    - ``mix`` (J4): ``diag(l a) + diag(1 - l) S`` with ``l_i = sigmoid(w x_i)``. Every position chooses.
    - ``concat`` (J5): ``y_i = x_i + gamma W_o [a_i v_i; sum_j S_ij v_j]``. Two matrices for two copies of the values,
      which is one operator with two heads; its map is the mean of both.
    - ``sequential`` (J6): ``S' diag(a)``, with S' of the gated features a x (``point-first``); or ``diag(a') S``, with
      a' of what self-attention puts out, S v, which is computed twice then (``self-first``).

    A is applied and never written out: ``alpha (a v) + beta SDPA(Q, K, v)``. With beta = 0 and alpha = 1 it is
    `PointwiseAttention`, with alpha = 0 and beta = 1 `SelfAttentionBlock`. The map is what each position receives, the
    column sums of A.

    Source: Zhang, Dong, Li, *Joint Attention for Medical Image Segmentation*, ISBI 2022,
    doi:10.1109/ISBI52829.2022.9761624; reconstructed from the abstract, without the paper and without published code.
    The abstract says: one formula covers spatial attention mechanisms; in it point-wise attention localises better and
    self-attention learns more global features; the joint module uses both. How it joins them is not known: the variants
    are proposals, and ``additive`` the most literal reading. Relatives: J3 adds a term for the key alone, as E3 of Zhu
    et al. 2019, arXiv:1904.05873; J5 puts two maps together as DANet (arXiv:1809.02983) does with positions and
    channels; J6 follows the order of CBAM (arXiv:1807.06521).

    Args:
        channels: Of the features.
        variant: See above.
        point: What point is; see `gate_function`.
        kind: Of S; see `Affinity`.
        stride: See `Affinity`. For ``key`` the logarithms of a are averaged with the keys.
        passes: See `Affinity`.
        coefficients: Of ``additive``: ``learned``, two free numbers; ``balanced``, a softmax of two logits, so that
            they sum to 1; ``fixed``.
        alpha: Where alpha starts, or stays where it is fixed.
        beta: The same of beta. Balanced coefficients start in the ratio of both, which are positive then.
        order: Of ``sequential``.
        residual: See `ResidualBlock`.
        residual_start: See `ResidualBlock`.
        device: Where the parameters are made.
        dtype: Their type.

    Example:
        >>> features = torch.rand(2, 8, 12, 10)
        >>> torch.equal(JointAttention(8)(features), features)
        True
    """

    def __init__(
        self,
        channels: int,
        variant: Joining = "additive",
        point: GateName = "conv",
        kind: AffinityKind = "nonlocal",
        stride: int = 1,
        passes: int = 2,
        coefficients: Coefficients = "learned",
        alpha: float = 0.5,
        beta: float = 0.5,
        order: Order = "point-first",
        residual: bool = True,
        residual_start: float = 0.0,
        *,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        made = {"device": device, "dtype": dtype}
        super().__init__(channels, residual, residual_start, maps=2 if variant == "concat" else 1, **made)
        self.variant, self.order = variant, order
        self.point = gate_function(point, channels, **made)
        self.pairs = Affinity(channels, kind, stride, passes, **made)
        self.share = nn.Conv2d(channels, 1, 1, bias=False, **made) if variant == "mix" else None
        self.fixed, self.balanced = (alpha, beta), coefficients == "balanced"
        self.weights: nn.Parameter | None = None
        if variant == "additive" and coefficients != "fixed":
            start = torch.tensor([alpha, beta], **made)
            self.weights = nn.Parameter(start.log() if self.balanced else start)

    def take_signal(self, channels: int) -> None:
        """Prepares for the features of a decoder, which come as the context and have so many channels."""
        self.point.take_signal(channels)

    def value_map(self, features: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d h w"]:
        """Returns ``W_v x``, twice for ``concat``."""
        values = super().value_map(features)
        return torch.cat([values, values], dim=1) if self.variant == "concat" else values

    def operator(self, features: Float[Tensor, "b c h w"], *context: Any) -> Operator:
        """Returns A for features and, as the context, those of a decoder if there are any."""
        if self.variant == "sequential" and self.order == "self-first":
            pairs: Operator = self.pairs(features)
            return Product(Pointwise(self.point(pairs.apply(self.value_map(features)), *context)), pairs)
        gate = Pointwise(self.point(features, *context))
        if self.variant == "sequential":
            return Product(self.pairs(gate.apply(features)), gate)
        if self.variant == "key":
            smallest = torch.finfo(gate.weights.dtype).tiny  # a gate that has rounded to 0 has a logarithm too
            attended: Operator = self.pairs(features, gate.weights.clamp(min=smallest).log())
            return attended
        pairs = self.pairs(features)
        if self.variant == "row":
            return Product(gate, pairs)
        if self.variant == "concat":
            return SideBySide((gate, pairs))
        if self.share is not None:
            local = torch.sigmoid(self.share(features))
            return Sum(((1.0, Pointwise(local * gate.weights)), (1.0, Product(Pointwise(1 - local), pairs))))
        alpha, beta = self.coefficients()
        halves: tuple[tuple[float | Tensor, Operator], ...] = ((alpha, gate), (beta, pairs))
        # what is fixed at 0 is left out, and not added as zeros: the other half is its own block to the last bit
        return Sum(tuple(half for half in halves if isinstance(half[0], Tensor) or half[0]) or halves)

    def coefficients(self) -> tuple[float | Float[Tensor, ""], float | Float[Tensor, ""]]:
        """Returns alpha and beta of ``additive``, numbers where they are fixed."""
        if self.weights is None:
            return self.fixed
        alpha, beta = self.weights.softmax(0) if self.balanced else self.weights
        return alpha, beta


NUMBERED: dict[str, Variant] = {
    "J1": "additive",
    "J2": "row",
    "J3": "key",
    "J4": "mix",
    "J5": "concat",
    "J6": "sequential",
    "J7": "scale",
}


class JointSettings(SelfAttentionSettings):
    """Settings of the arm ``joint``; see `JointAttention`.

    Attributes:
        variant: How both are joined, in words or as J1 to J7. ``scale`` (J7) is self-attention where the features are
            coarse and a gate where they are fine: in spirit the layout of CA-Net (Gu et al. 2021, arXiv:2009.10549),
            which joins them across scales.
        point: What gives each position its weight; see `foveola.attention.blocks.gate_functions.gate_function`.
        coefficients: Of ``additive``: ``learned``, ``balanced`` or ``fixed``.
        alpha: Where the coefficient of the gate starts, or stays.
        beta: Where that of self-attention starts, or stays.
        order: Of ``sequential``.
        coarse: Of ``scale``: the largest number of positions at which it is self-attention, for the size that the
            network is made for.
    """

    variant: Variant = "additive"
    point: GateName = "conv"
    coefficients: Coefficients = "learned"
    alpha: float = Field(0.5, ge=0)
    beta: float = Field(0.5, ge=0)
    order: Order = "point-first"
    coarse: int = Field(32 * 32, ge=1)

    @field_validator("variant", mode="before")
    @classmethod
    def _by_number(cls, value: Any) -> Any:
        return NUMBERED.get(value, value) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _has_use_for_its_coefficients(self) -> JointSettings:
        if self.variant != "additive" and (self.coefficients, self.alpha, self.beta) != ("learned", 0.5, 0.5):
            raise ValueError("no coefficients, alpha and beta where the variant is not additive, which alone has them")
        if self.coefficients == "balanced" and 0 in (self.alpha, self.beta):
            raise ValueError("alpha and beta above 0 where they are balanced, or coefficients fixed")
        return self


def _layer(channels: int, size: tuple[int, int], settings: JointSettings) -> ResidualBlock:
    residual, start = settings.residual, settings.residual_start
    kind, stride, passes = settings.kind, settings.stride_at(size), settings.passes
    if settings.variant != "scale":
        return JointAttention(
            channels,
            settings.variant,
            settings.point,
            kind,
            stride,
            passes,
            settings.coefficients,
            settings.alpha,
            settings.beta,
            settings.order,
            residual,
            start,
        )
    if size[0] * size[1] <= settings.coarse:
        return SelfAttentionBlock(channels, kind, stride, passes, residual, start)
    return PointwiseAttention(channels, settings.point, residual, start)


ARMS.add(
    Arm("joint", "a gate and self-attention in one matrix, added to the features", JointSettings, "sum", layer=_layer)
)
