"""Classifiers of the attended vectors of several levels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

Fusion = Literal["mean", "logit_sum", "logprob_sum"]


class ConcatHead(nn.Module):
    """One linear classifier of all vectors side by side.

    Example:
        >>> ConcatHead([4, 6], 3)([torch.rand(2, 4), torch.rand(2, 6)]).shape
        torch.Size([2, 3])
    """

    def __init__(self, channels: Sequence[int], classes: int) -> None:
        super().__init__()
        self.classify = nn.Linear(sum(channels), classes)

    def forward(self, vectors: Sequence[Float[Tensor, "b _"]]) -> Float[Tensor, "b classes"]:
        """Returns logits."""
        logits: Tensor = self.classify(torch.cat(list(vectors), dim=1))
        return logits


class IndependentHead(nn.Module):
    """A linear classifier of each vector; what they say is put together.

    ``mean``
        The mean of their probabilities, as the paper describes it. The logits are its logarithm, so their softmax is
        that mean, and their cross entropy its negative log-likelihood.
    ``logit_sum``
        The sum of their logits, as in the authors' code with three levels.
    ``logprob_sum``
        The sum of their log-probabilities, as in the authors' code with two levels: a geometric mean.

    Args:
        channels: Dimensions of each vector.
        classes: Number of logits.
        fusion: How they are put together.

    Example:
        >>> logits = IndependentHead([4, 6], 3)([torch.rand(2, 4), torch.rand(2, 6)])
        >>> logits.exp().sum(1).allclose(torch.ones(2))
        True
    """

    def __init__(self, channels: Sequence[int], classes: int, fusion: Fusion = "mean") -> None:
        super().__init__()
        self.classify = nn.ModuleList(nn.Linear(count, classes) for count in channels)
        self.fusion = fusion

    def forward(self, vectors: Sequence[Float[Tensor, "b _"]]) -> Float[Tensor, "b classes"]:
        """Returns logits."""
        logits = torch.stack([layer(vector) for layer, vector in zip(self.classify, vectors, strict=True)])
        if self.fusion == "logit_sum":
            return logits.sum(0)
        logarithms = logits.log_softmax(2)
        return logarithms.sum(0) if self.fusion == "logprob_sum" else logarithms.logsumexp(0) - math.log(len(vectors))
