"""Operators made of operators: one after the other, side by side, and means over windows to look at fewer positions."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Real
from torch import Tensor
from torch.nn import functional

from foveola.attention.algebra.operators import Operator


@dataclass(frozen=True)
class Product(Operator):
    """One operator after another: ``A = outer inner``, so that A_ij = sum_k outer_ik inner_kj.

    A gate in front of or behind self-attention is such a product, and so is self-attention to coarser keys, which
    looks at `WindowMeans`. At most one of the two has several heads.

    Attributes:
        outer: What is applied last; its columns are the rows of the other.
        inner: What is applied to the values.

    Example:
        >>> from foveola.attention.algebra import Pointwise
        >>> gate = Pointwise(torch.full((2, 1, 12, 10), 0.5))
        >>> Product(gate, gate).apply(torch.ones(2, 8, 12, 10)).unique().tolist()
        [0.25]
    """

    outer: Operator
    inner: Operator

    def apply(self, values: Real[Tensor, "b c h w"]) -> Float[Tensor, "b c i j"]:
        """Returns what the outer operator makes of what the inner one makes of the values."""
        return self.outer.apply(self.inner.apply(values))

    def dense(self) -> Float[Tensor, "b heads rows columns"]:
        """Returns the product of the matrices."""
        outer = self.outer.dense()
        return outer @ self.inner.dense().to(outer)

    def received(self, rows: Float[Tensor, "#b i j"] | None = None) -> Float[Tensor, "b h w"] | Float[Tensor, "h w"]:
        """Returns the column sums of the inner operator, whose rows count what they receive from the outer one."""
        counts = self.outer.received(rows)
        return self.inner.received(counts if counts.ndim == 3 else counts[None])


@dataclass(frozen=True)
class SideBySide(Operator):
    """Operators that each work on channels of their own: A has a head, or as many heads, for each.

    Attributes:
        parts: The operators, for as many equal groups of neighbouring channels; they have equally many heads.

    Example:
        >>> from foveola.attention.algebra import Pointwise
        >>> gates = [Pointwise(torch.full((2, 1, 12, 10), weight)) for weight in (0.5, 0.25)]
        >>> SideBySide(tuple(gates)).apply(torch.ones(2, 8, 12, 10))[0, :, 0, 0].tolist()
        [0.5, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.25]
    """

    parts: tuple[Operator, ...]

    def apply(self, values: Real[Tensor, "b c h w"]) -> Float[Tensor, "b c i j"]:
        """Returns what each operator makes of its group of channels, one group after the other."""
        groups = values.chunk(len(self.parts), dim=1)
        return torch.cat([part.apply(group) for part, group in zip(self.parts, groups, strict=True)], dim=1)

    def dense(self) -> Float[Tensor, "b heads rows columns"]:
        """Returns the matrices of all operators as heads."""
        return torch.cat([part.dense() for part in self.parts], dim=1)

    def received(self, rows: Float[Tensor, "#b i j"] | None = None) -> Float[Tensor, "b h w"] | Float[Tensor, "h w"]:
        """Returns the mean of the column sums."""
        return torch.stack([part.received(rows) for part in self.parts]).mean(0)


@dataclass(frozen=True)
class WindowMeans(Operator):
    """Means over windows side by side: a row for each window, with the same weight at each of its positions.

    Windows that reach over the lower or right border are means over what lies inside.

    Attributes:
        height: Of the grid that is averaged.
        width: Of it.
        side: Of the windows.

    Example:
        >>> WindowMeans(5, 7, side=2).apply(torch.ones(2, 8, 5, 7)).shape
        torch.Size([2, 8, 3, 4])
    """

    height: int
    width: int
    side: int

    def apply(self, values: Real[Tensor, "b c h w"]) -> Float[Tensor, "b c i j"]:
        """Returns the means of each channel."""
        return functional.avg_pool2d(values, self.side, ceil_mode=True, count_include_pad=False)

    def dense(self) -> Float[Tensor, "1 1 rows columns"]:
        """Returns the matrix, on the CPU and in double precision as nothing says otherwise."""
        positions = self.height * self.width
        each = torch.eye(positions, dtype=torch.float64).reshape(1, positions, self.height, self.width)
        return self.apply(each).flatten(2).mT[:, None]

    def received(self, rows: Float[Tensor, "#b i j"] | None = None) -> Float[Tensor, "b h w"]:
        """Returns at each position the share of what its window counts."""
        high, broad = (-(-length // self.side) for length in (self.height, self.width))
        counts = torch.ones(1, high, broad) if rows is None else rows
        inside = [self._lengths(length).to(counts) for length in (self.height, self.width)]
        shares = counts / (inside[0][:, None] * inside[1])
        spread = shares.repeat_interleave(self.side, dim=1).repeat_interleave(self.side, dim=2)
        return spread[:, : self.height, : self.width]

    def _lengths(self, length: int) -> Float[Tensor, " windows"]:
        """Returns how many positions of a side lie inside each window."""
        return (length - self.side * torch.arange(-(-length // self.side))).clamp(max=self.side).float()
