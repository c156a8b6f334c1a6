"""Criss-cross attention: every position looks at its own row and column."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Real
from torch import Tensor

from foveola.attention.algebra.operators import Operator


@dataclass(frozen=True)
class CrissCross(Operator):
    """A softmax over the H + W - 1 positions of the own row and column: ``A_ij = softmax_j(scale q_i . k_j)``.

    It holds H + W numbers a position, and never a matrix between all positions. Applied twice, every position reaches
    every other. `CrissCross.of` makes it from queries and keys.

    Source: Huang et al. 2019, arXiv:1811.11721, the affinity and the aggregation of section 3.2.

    Attributes:
        columns: Weights of the positions in the own column, by their row g; the own position has its weight in
            ``rows``, and 0 here.
        rows: Weights of the positions in the own row, by their column v.

    Example:
        >>> queries, keys = torch.randn(2, 4, 12, 10), torch.randn(2, 4, 12, 10)
        >>> CrissCross.of(queries, keys, scale=0.5).apply(torch.ones(2, 8, 12, 10)).shape
        torch.Size([2, 8, 12, 10])
    """

    columns: Float[Tensor, "b h w g"]
    rows: Float[Tensor, "b h w v"]

    @classmethod
    def of(cls, queries: Float[Tensor, "b d h w"], keys: Float[Tensor, "b d h w"], scale: float) -> CrissCross:
        """Returns the softmax of the scores, computed in at least single precision."""
        height = queries.shape[2]
        own = torch.eye(height, dtype=torch.bool, device=queries.device)[:, None]
        in_column = torch.einsum("bdhw,bdgw->bhwg", queries, keys).masked_fill(own, -torch.inf)
        in_row = torch.einsum("bdhw,bdhv->bhwv", queries, keys)
        scores = scale * torch.cat([in_column, in_row], dim=3)
        weights = scores.softmax(dim=3, dtype=torch.promote_types(scores.dtype, torch.float32))
        return cls(weights[..., :height], weights[..., height:])

    def apply(self, values: Real[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Returns the mean of the values of the own row and column, weighted, in the values' own type."""
        along_columns = torch.einsum("bhwg,bcgw->bchw", self.columns.to(values.dtype), values)
        return along_columns + torch.einsum("bhwv,bchv->bchw", self.rows.to(values.dtype), values)

    def dense(self) -> Float[Tensor, "b 1 n n"]:
        """Returns the matrix, which is 0 between positions that share neither row nor column."""
        height, width = self.rows.shape[1:3]
        same_column, same_row = torch.eye(width).to(self.rows), torch.eye(height).to(self.rows)
        matrix = torch.einsum("bhwg,wv->bhwgv", self.columns, same_column)
        matrix = matrix + torch.einsum("bhwv,hg->bhwgv", self.rows, same_row)
        return matrix.flatten(3).flatten(1, 2)[:, None]

    def received(self, rows: Float[Tensor, "#b h w"] | None = None) -> Float[Tensor, "b h w"]:
        """Returns the column sums."""
        counts = self.rows.new_ones(self.rows.shape[:3]) if rows is None else rows.to(self.rows)
        from_column = torch.einsum("bhwg,bhw->bgw", self.columns, counts)
        return from_column + torch.einsum("bhwv,bhw->bhv", self.rows, counts)
