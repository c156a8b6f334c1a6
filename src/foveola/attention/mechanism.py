"""What a spatial attention mechanism is: something that computes its operator from the features."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from torch import Tensor, nn

from foveola.attention.algebra.operators import Operator
from foveola.attention.recording import emit


class AttentionLayer(nn.Module):
    """A layer whose parameters are attention's: they can have a learning rate and a weight decay of their own.

    Subclass this for layers that weigh channels, which have no map; `Mechanism` for those that weigh positions.
    """


class Mechanism(AttentionLayer, ABC):
    """``y_i = fuse(x_i, sum_j A(i, j; x) g(x_j))``: subclasses say what A is, and g and fuse where they do something.

    The operator that `forward` applies is the one that is emitted, so the map that is shown is the map that was used.

    Attributes:
        place: Where the features come from, for a mechanism that stands elsewhere in the model; what its map is called.

    Example:
        >>> import torch
        >>> from foveola.attention.algebra import Pointwise
        >>> class ContrastGate(Mechanism):
        ...     def operator(self, features: Tensor) -> Pointwise:
        ...         return Pointwise(torch.sigmoid(features.std(1, keepdim=True)))
        >>> ContrastGate()(torch.rand(2, 8, 12, 10)).shape
        torch.Size([2, 8, 12, 10])
    """

    place: str | None = None

    @abstractmethod
    def operator(self, features: Tensor, *context: Any) -> Operator:
        """Returns A for these features (``B x C x H x W``) and whatever else the mechanism is called with."""

    def value_map(self, features: Tensor) -> Tensor:
        """Returns g(x), which A is applied to: the features themselves unless a subclass says otherwise."""
        return features

    def fuse(self, features: Tensor, attended: Tensor) -> Tensor:
        """Returns y from x and what attention made of it: the latter alone unless a subclass says otherwise."""
        return attended

    def forward(self, features: Tensor, *context: Any) -> Tensor:
        """Returns y, and emits the operator that made it."""
        operator = emit(self, self.operator(features, *context))
        return self.fuse(features, operator.apply(self.value_map(features)))
