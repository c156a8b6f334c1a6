"""Compatibility: how well the features at each position agree with a query vector."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor, nn

LARGEST = 128
"""Dimensions in which `Additive` compares unless more are asked for."""


class Compatibility(nn.Module, ABC):
    """A score for each position i, from its features l_i and the query g."""

    @abstractmethod
    def forward(self, features: Float[Tensor, "b c h w"], query: Float[Tensor, "b q"]) -> Float[Tensor, "b 1 h w"]:
        """Returns the scores."""


class DotProduct(Compatibility):
    """``<l_i, g>``, without a scale (Jetley et al. 2018, "dp"). It has no parameters.

    Example:
        >>> DotProduct()(torch.ones(2, 8, 12, 10), torch.full((2, 8), 0.5)).unique().tolist()
        [4.0]
    """

    def forward(self, features: Float[Tensor, "b c h w"], query: Float[Tensor, "b c"]) -> Float[Tensor, "b 1 h w"]:
        """Returns the scores."""
        return torch.einsum("bchw,bc->bhw", features, query)[:, None]


class Parametrised(Compatibility):
    """``<u, l_i + g>`` with a learned u (Jetley et al. 2018, "pc").

    It is computed as ``<u, l_i> + <u, g>``. The second term is the same at every position, so a softmax over positions
    takes no notice of it: there, g neither changes the map nor learns from it.

    Args:
        channels: Of the features, and dimensions of the query.
        bias: Whether a learned number is added, as in the authors' code; a softmax takes no notice of that either.
    """

    def __init__(self, channels: int, *, bias: bool = False) -> None:
        super().__init__()
        self.weigh = nn.Linear(channels, 1, bias=bias)

    def forward(self, features: Float[Tensor, "b c h w"], query: Float[Tensor, "b c"]) -> Float[Tensor, "b 1 h w"]:
        """Returns the scores."""
        local = torch.einsum("bchw,c->bhw", features, self.weigh.weight[0])[:, None]
        scores: Tensor = local + self.weigh(query)[:, :, None, None]
        return scores


class Additive(Compatibility):
    """``<u, tanh(W_l l_i + W_g g)>`` with learned u, W_l and W_g: what the parametrised score is meant to be.

    The tanh lets g decide which features count, and bounds the scores by the sum of |u|.

    Source: Bahdanau et al. 2015, arXiv:1409.0473, appendix A.1.2, with a bias beside W_g.

    Args:
        channels: Of the features.
        query_channels: Dimensions of the query, which need not be those of the features.
        hidden: Dimensions in which they are compared; ``None`` for as many as there are channels, but 128 at most.
    """

    def __init__(self, channels: int, query_channels: int, hidden: int | None = None) -> None:
        super().__init__()
        hidden = min(channels, LARGEST) if hidden is None else hidden
        self.local = nn.Conv2d(channels, hidden, 1, bias=False)
        self.query = nn.Linear(query_channels, hidden)
        self.weigh = nn.Conv2d(hidden, 1, 1, bias=False)

    def forward(self, features: Float[Tensor, "b c h w"], query: Float[Tensor, "b q"]) -> Float[Tensor, "b 1 h w"]:
        """Returns the scores."""
        scores: Tensor = self.weigh(torch.tanh(self.local(features) + self.query(query)[:, :, None, None]))
        return scores
