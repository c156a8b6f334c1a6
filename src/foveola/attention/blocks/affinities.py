"""Weights between pairs of positions, by how alike their features are: what self-attention mixes positions with."""

from __future__ import annotations

from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from foveola.attention.algebra.compositions import Product, WindowMeans
from foveola.attention.algebra.criss_cross import CrissCross
from foveola.attention.algebra.operators import Operator, SelfAttention

AffinityKind = Literal["nonlocal", "danet", "crisscross"]


class Affinity(nn.Module):
    """``S_ij = softmax_j(scale <W_q x_i, W_k x_j> + bias_j)`` with an eighth of the channels inside.

    - ``nonlocal``: over all positions, scale 1 / sqrt(inner channels).
    - ``danet``: over all positions, scale 1.
    - ``crisscross``: over the own row and column, scale 1; ``S S`` for two passes, after which all reach all.

    W_k has no bias, which the softmax cancels.

    Sources: Wang et al. 2018, arXiv:1711.07971, equations 1 and 3, embedded Gaussian, with the scale of mmcv; Fu et al.
    2019, arXiv:1809.02983, equation 1; Huang et al. 2019, arXiv:1811.11721, section 3.2. Deviations: keys and values
    are averaged over windows, where non-local takes the maximum; and passes repeat the same S, where criss-cross
    attention computes it anew from what the pass before put out.

    Args:
        channels: Of the features.
        kind: Of weights.
        stride: Side of the windows over which keys and values are averaged; only where all positions are looked at.
        passes: How many times criss-cross attention is applied.
        device: Where the parameters are made.
        dtype: Their type.

    Example:
        >>> Affinity(16, stride=2)(torch.rand(2, 16, 12, 10)).apply(torch.ones(2, 5, 12, 10)).shape
        torch.Size([2, 5, 12, 10])
    """

    def __init__(
        self,
        channels: int,
        kind: AffinityKind = "nonlocal",
        stride: int = 1,
        passes: int = 2,
        *,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        inner, made = max(channels // 8, 1), {"device": device, "dtype": dtype}
        self.kind, self.stride, self.passes = kind, stride, passes
        self.scale = inner**-0.5 if kind == "nonlocal" else 1.0
        self.query = nn.Conv2d(channels, inner, 1, **made)
        self.key = nn.Conv2d(channels, inner, 1, bias=False, **made)

    def forward(self, features: Float[Tensor, "b c h w"], bias: Float[Tensor, "b 1 h w"] | None = None) -> Operator:
        """Returns S for features and what is added to all scores of a key.

        The bias is one more channel of the keys, which all queries have as 1, and is averaged over windows with them.
        A position whose bias is ``-inf`` is not looked at.
        """
        queries, keys = self.query(features), self.key(features)
        if bias is not None:
            queries = torch.cat([queries, torch.ones_like(queries[:, :1])], dim=1)
            keys = torch.cat([keys, bias.to(keys.dtype) / self.scale], dim=1)
        if self.kind == "crisscross":
            once = CrissCross.of(queries, keys, self.scale)
            operator: Operator = once
            for _ in range(self.passes - 1):
                operator = Product(once, operator)
            return operator
        if self.stride == 1:
            return SelfAttention(queries[:, None], keys[:, None], self.scale)
        windows = WindowMeans(features.shape[2], features.shape[3], self.stride)
        return Product(SelfAttention(queries[:, None], windows.apply(keys)[:, None], self.scale), windows)
