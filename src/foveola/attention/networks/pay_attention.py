"""One level of Learn to Pay Attention: the features at the positions that agree with a global vector."""

from __future__ import annotations

from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from foveola.attention.algebra.operators import Pooling
from foveola.attention.mechanism import Mechanism
from foveola.attention.networks.compatibility import Additive, Compatibility, DotProduct, Parametrised

Score = Literal["additive", "dp", "pc"]
Normaliser = Literal["softmax", "sigmoid"]
Projected = Literal["query", "features"]


class PayAttention(Mechanism):
    """Pools the features l where they agree with the query g: ``sum_i a_i l_i`` with ``a = softmax_i(c(l_i, g))``.

    Source: Jetley, Lord, Lee and Torr 2018, arXiv:1804.02391, and the authors' code. The sigmoid instead of the softmax
    is from re-implementations; its weights are divided by the number of positions.

    `DotProduct` and `Parametrised` compare vectors of one dimension. Where those of l and g differ, one of them is
    projected; where l is, the values that are pooled are the projected ones. `Additive` projects g itself.

    Args:
        channels: Of the features.
        query_channels: Dimensions of the query; ``None`` for as many as there are channels.
        score: ``additive``, ``dp`` or ``pc``.
        normaliser: ``softmax`` over all positions, or ``sigmoid``.
        project: Which of the two is projected where dimensions differ: the ``query`` by a linear layer, or the
            ``features`` by a 1 x 1 convolution; both with a bias.
        hidden: Dimensions in which ``additive`` compares.
        bias: Whether ``pc`` has a bias.
        normalise_query: Whether the query goes through batch norm, ReLU and dropout first where dimensions differ.
        dropout: The probability of that dropout.
        place: Where the features come from, which is what the map is called.

    Attributes:
        channels: Of the attended vector.

    Example:
        >>> attention = PayAttention(8, 6, score="dp")
        >>> attention(torch.rand(2, 8, 12, 10), torch.rand(2, 6)).shape
        torch.Size([2, 8, 1, 1])
    """

    def __init__(
        self,
        channels: int,
        query_channels: int | None = None,
        *,
        score: Score = "additive",
        normaliser: Normaliser = "softmax",
        project: Projected = "query",
        hidden: int | None = None,
        bias: bool = False,
        normalise_query: bool = False,
        dropout: float = 0.0,
        place: str | None = None,
    ) -> None:
        super().__init__()
        query_channels = channels if query_channels is None else query_channels
        differ, lifts = channels != query_channels, channels != query_channels and project == "features"
        self.lift = nn.Conv2d(channels, query_channels, 1) if lifts else nn.Identity()
        self.channels = query_channels if lifts else channels
        match: list[nn.Module] = []
        if differ and normalise_query:
            match += [nn.BatchNorm1d(query_channels), nn.ReLU(), nn.Dropout(dropout)]
        if differ and not lifts and score != "additive":
            match.append(nn.Linear(query_channels, channels))
        self.match = nn.Sequential(*match)
        self.score = _score(score, self.channels, query_channels, hidden, bias)
        self.normaliser, self.place = normaliser, place

    def operator(self, features: Float[Tensor, "b c h w"], *context: Any) -> Pooling:
        """Returns the weights of the positions.

        Args:
            features: As `forward` pools them: behind their projection, if any.
            *context: The query, ``B x Q``.
        """
        (query,) = context
        scores = self.score(features, self.match(query))
        scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
        if self.normaliser == "softmax":
            return Pooling(scores.flatten(2).softmax(2).view_as(scores))
        return Pooling(torch.sigmoid(scores) / scores[0, 0].numel())

    def forward(self, features: Float[Tensor, "b c h w"], *context: Any) -> Float[Tensor, "b k 1 1"]:
        """Returns the attended vector of features ``B x C x H x W`` and a query ``B x Q``."""
        return super().forward(self.lift(features), *context)


def _score(name: Score, channels: int, query_channels: int, hidden: int | None, bias: bool) -> Compatibility:
    if name == "additive":
        return Additive(channels, query_channels, hidden)
    return DotProduct() if name == "dp" else Parametrised(channels, bias=bias)
