"""Linear operators on the positions of a feature map: the one formula behind every spatial attention mechanism.

Each mechanism computes ``y_i = fuse(x_i, sum_j A(i, j; x) g(x_j))`` over the H W positions of a feature map, and they
differ in A. An operator is one such A for each image of a batch. It can be applied, written out as a matrix for tests
and study, and asked how much each position is used, which is the map that a person looks at:

    received_j = sum_i A(i, j)

the column sums. For a gate that is the gate, for a softmax that pools the softmax, and for self-attention 1 everywhere
if nothing is preferred.
"""

from __future__ import annotations

import functools
import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from jaxtyping import Float, Real
from torch import Tensor
from torch.nn import functional

CHUNK = 256
"""Rows of a self-attention matrix that are held at a time when only their sum is wanted."""


class Operator(ABC):
    """A matrix A over positions for every image, and every head where channels are treated in several groups."""

    @abstractmethod
    def apply(self, values: Real[Tensor, "b c h w"]) -> Float[Tensor, "b c i j"]:
        """Returns ``sum_j A(i, j) values_j`` without writing A out where there is a faster way."""

    @abstractmethod
    def dense(self) -> Float[Tensor, "b heads rows columns"]:
        """Returns A; ``b`` is 1 where all images share it, and ``rows`` is 1 where it pools."""

    @abstractmethod
    def received(self, rows: Float[Tensor, "#b i j"] | None = None) -> Float[Tensor, "b h w"] | Float[Tensor, "h w"]:
        """Returns the column sums of A, averaged over heads: one map an image, or one for all that share A.

        Args:
            rows: What each row counts in the sums, ``sum_i rows_i A(i, j)``; 1 for every row where it is ``None``. The
                sums of a product of two operators are those of the second with rows that count the sums of the first.
        """


@dataclass(frozen=True)
class Shared(Operator):
    """One weight per position, the same for every image: A is one diagonal matrix.

    Attributes:
        weights: ``H x W``.

    Example:
        >>> Shared(torch.full((12, 10), 0.5)).apply(torch.ones(2, 3, 12, 10)).unique().tolist()
        [0.5]
    """

    weights: Float[Tensor, "h w"]

    def apply(self, values: Real[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Returns the values times the weights, in the values' own type where that is a floating-point one."""
        return values * _in_type_of(values, self.weights)

    def dense(self) -> Float[Tensor, "1 1 n n"]:
        """Returns the diagonal matrix."""
        return torch.diag(self.weights.flatten())[None, None]

    def received(self, rows: Float[Tensor, "#b h w"] | None = None) -> Float[Tensor, "b h w"] | Float[Tensor, "h w"]:
        """Returns the weights."""
        return self.weights if rows is None else rows * self.weights


@dataclass(frozen=True)
class Pointwise(Operator):
    """One weight per position of each image: A is diagonal.

    Attributes:
        weights: ``B x G x H x W``; G is 1 for one weight a position, a divisor of the channels for one a group of
            neighbouring channels, or their number.

    Example:
        >>> Pointwise(torch.full((2, 4, 12, 10), 0.5)).apply(torch.ones(2, 8, 12, 10)).unique().tolist()
        [0.5]
    """

    weights: Float[Tensor, "b g h w"]

    def apply(self, values: Real[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Returns the values times the weights, in the values' own type where that is a floating-point one."""
        weights = _in_type_of(values, self.weights)
        groups, channels = weights.shape[1], values.shape[1]
        if groups in (1, channels):
            return values * weights
        grouped = values.reshape(values.shape[0], groups, -1, *values.shape[2:])
        return (grouped * weights[:, :, None]).flatten(1, 2)

    def dense(self) -> Float[Tensor, "b g n n"]:
        """Returns one diagonal matrix an image and group."""
        return torch.diag_embed(self.weights.flatten(2))

    def received(self, rows: Float[Tensor, "#b h w"] | None = None) -> Float[Tensor, "b h w"]:
        """Returns the weights, averaged over groups."""
        return self.weights.mean(1) if rows is None else rows * self.weights.mean(1)


@dataclass(frozen=True)
class Pooling(Operator):
    """One row: a weighted sum over positions.

    Attributes:
        weights: ``B x G x H x W`` with G as in `Pointwise`; a softmax over positions, or whatever else weighs
            them.

    Example:
        >>> weights = torch.rand(2, 1, 12, 10).flatten(2).softmax(2).unflatten(2, (12, 10))
        >>> Pooling(weights).apply(torch.ones(2, 8, 12, 10)).shape
        torch.Size([2, 8, 1, 1])
    """

    weights: Float[Tensor, "b g h w"]

    def apply(self, values: Real[Tensor, "b c h w"]) -> Float[Tensor, "b c 1 1"]:
        """Returns the weighted sum of each channel."""
        rows = _in_type_of(values, self.weights).flatten(2)
        columns = values.to(rows.dtype).reshape(values.shape[0], rows.shape[1], -1, rows.shape[2])
        return torch.einsum("bgn,bgcn->bgc", rows, columns).flatten(1)[:, :, None, None]

    def dense(self) -> Float[Tensor, "b g 1 n"]:
        """Returns the row of each image and group."""
        return self.weights.flatten(2)[:, :, None]

    def received(self, rows: Float[Tensor, "#b 1 1"] | None = None) -> Float[Tensor, "b h w"]:
        """Returns the weights, averaged over groups."""
        return self.weights.mean(1) if rows is None else rows * self.weights.mean(1)


@dataclass(frozen=True)
class SelfAttention(Operator):
    """Every row a softmax: ``A_ij = softmax_j(scale q_i . k_j)``.

    Applied through ``scaled_dot_product_attention`` in memory that grows with the number of positions and not with its
    square, in the backward pass too. So are the column sums, a chunk of rows at a time; they carry no gradient.

    Attributes:
        queries: ``B x heads x D x H x W``, at the positions that receive.
        keys: ``B x heads x D x h x w``, at the positions that are looked at; those of the queries or a coarser grid.
        scale: What scores are multiplied by, such as 1 / sqrt(D).

    Example:
        >>> queries, keys = torch.randn(2, 2, 4, 12, 10), torch.randn(2, 2, 4, 6, 5)
        >>> operator = SelfAttention(queries, keys, scale=0.5)
        >>> operator.apply(torch.ones(2, 8, 6, 5)).shape, operator.received().shape
        (torch.Size([2, 8, 12, 10]), torch.Size([2, 6, 5]))
    """

    queries: Float[Tensor, "b heads d h w"]
    keys: Float[Tensor, "b heads d i j"]
    scale: float

    def apply(self, values: Real[Tensor, "b c i j"]) -> Float[Tensor, "b c h w"]:
        """Returns the mean of the values at the keys' positions, weighted by each query's row."""
        batch, heads, _, height, width = self.queries.shape
        grouped = values.reshape(batch, heads, -1, *values.shape[2:]).to(self.queries.dtype)
        features = [_tokens(features) for features in (self.queries, self.keys, grouped)]
        depth = max(each.shape[3] for each in features)
        # fused kernels want one depth for all, which zeros give without changing a score, and rows in one piece
        queries, keys, rows = (functional.pad(each, (0, depth - each.shape[3])).contiguous() for each in features)
        attended = functional.scaled_dot_product_attention(queries, keys, rows, scale=self.scale)
        return attended[..., : grouped.shape[2]].transpose(2, 3).reshape(batch, -1, height, width)

    def dense(self) -> Float[Tensor, "b heads rows columns"]:
        """Returns the softmax of all scores."""
        return self._rows(_tokens(self.queries))

    def received(self, rows: Float[Tensor, "#b h w"] | None = None) -> Float[Tensor, "b i j"]:
        """Returns the column sums, averaged over heads, at the keys' positions."""
        alone = SelfAttention(self.queries.detach(), self.keys.detach(), self.scale)
        queries = torch.split(_tokens(alone.queries), CHUNK, dim=2)
        counts = [None] * len(queries) if rows is None else torch.split(rows.detach().flatten(1), CHUNK, dim=1)
        sums = alone._sums(queries[0], counts[0])
        for chunk, count in zip(queries[1:], counts[1:], strict=True):
            sums += alone._sums(chunk, count)  # in place, so that what each chunk needs is used again by the next
        return sums.mean(1).reshape(-1, *self.keys.shape[-2:])

    def _sums(
        self, queries: Float[Tensor, "b heads rows d"], counts: Float[Tensor, "#b rows"] | None
    ) -> Float[Tensor, "b heads columns"]:
        """Returns the sums of rows of A, each counted so often; the products are added up in single precision."""
        part = self._rows(queries)
        return part.sum(2) if counts is None else (counts.to(part)[:, None, None] @ part)[:, :, 0]

    def _rows(self, queries: Float[Tensor, "b heads rows d"]) -> Float[Tensor, "b heads rows columns"]:
        """Returns rows of A, at least in single precision: a sum over many rows needs it."""
        scores: Tensor = self.scale * queries @ self.keys.flatten(3)
        return scores.softmax(dim=-1, dtype=torch.promote_types(scores.dtype, torch.float32))


@dataclass(frozen=True)
class Sum(Operator):
    """A weighted sum of operators on the same positions, such as ``alpha * pointwise + beta * self-attention``.

    Attributes:
        terms: Pairs of a coefficient, a number or a tensor of one, and an operator.

    Example:
        >>> from foveola.attention.algebra import Shared, Sum
        >>> gate = Shared(torch.full((12, 10), 0.5))
        >>> Sum(((2.0, gate), (torch.tensor(1.0), gate))).apply(torch.ones(2, 3, 12, 10)).unique().tolist()
        [1.5]
    """

    terms: tuple[tuple[float | Float[Tensor, ""], Operator], ...]

    def apply(self, values: Real[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        """Returns the weighted sum of what the operators return; no matrix is written out."""
        return self._total([operator.apply(values) for _, operator in self.terms])

    def dense(self) -> Float[Tensor, "b heads rows columns"]:
        """Returns the weighted sum of the matrices, with as many heads as all of them have in common."""
        matrices = [operator.dense() for _, operator in self.terms]
        heads = math.lcm(*(matrix.shape[1] for matrix in matrices))
        return self._total([matrix.repeat_interleave(heads // matrix.shape[1], dim=1) for matrix in matrices])

    def received(self, rows: Float[Tensor, "#b h w"] | None = None) -> Float[Tensor, "b h w"] | Float[Tensor, "h w"]:
        """Returns the weighted sum of the column sums."""
        return self._total([operator.received(rows) for _, operator in self.terms])

    def _total(self, parts: list[Tensor]) -> Tensor:
        weighted = [weight * part for (weight, _), part in zip(self.terms, parts, strict=True)]
        return functools.reduce(torch.add, weighted)


def _tokens(features: Float[Tensor, "b heads d h w"]) -> Float[Tensor, "b heads n d"]:
    """Returns the features as one row a position."""
    return features.flatten(3).transpose(2, 3)


def _in_type_of(values: Real[Tensor, "b c h w"], weights: Float[Tensor, "*any"]) -> Float[Tensor, "*any"]:
    """Returns the weights in the type of the values, in their own where values are whole numbers."""
    return weights.to(values.dtype) if values.is_floating_point() else weights
