"""The global context block: all positions are pooled by attention, and what comes out is added to every one."""

from __future__ import annotations

from typing import Annotated, Any

from jaxtyping import Float
from pydantic import Field
from timm.layers.mlp import ConvMlp
from timm.layers.norm import LayerNorm2d
from torch import Tensor, nn

from foveola.attention.algebra.operators import Pooling
from foveola.attention.arm import ARMS, Arm, LayerSettings
from foveola.attention.mechanism import Mechanism
from foveola.foundation.settings import Searched


class GlobalContext(Mechanism):
    """``y_i = x_i + W_2 ReLU(LN(W_1 sum_j a_j x_j))`` with ``a = softmax(<w, x_j>)`` over positions.

    W_2 starts at 0, so that a block changes nothing when it is put into a trained network. The map is a, which sums
    to 1.

    Source: Cao et al. 2019, arXiv:1904.11492, section 3.4, with layers of timm. timm's own `GlobalContext` with
    ``fuse_add`` gives the same numbers, but keeps a to itself. Deviations: no bias in w, which the softmax cancels; the
    bias of W_2 starts at 0 too; and W_1 has at least 8 rows, because a layer norm of one number lets nothing through.

    Args:
        channels: Of the features.
        reduction: The paper's r.
        device: Where the parameters are made.
        dtype: Their type.

    Example:
        >>> import torch
        >>> features = torch.rand(2, 16, 12, 10)
        >>> torch.equal(GlobalContext(16)(features), features)
        True
    """

    def __init__(self, channels: int, reduction: int = 16, *, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        hidden, made = max(channels // reduction, 8), {"device": device, "dtype": dtype}
        self.score = nn.Conv2d(channels, 1, 1, bias=False, **made)
        self.transform: nn.Module = ConvMlp(channels, hidden, norm_layer=LayerNorm2d, **made)
        for parameter in self.transform.get_submodule("fc2").parameters():
            nn.init.zeros_(parameter)

    def operator(self, features: Float[Tensor, "b c h w"], *context: Any) -> Pooling:
        """Returns the softmax of the scores over positions."""
        scores: Tensor = self.score(features)
        return Pooling(scores.flatten(2).softmax(2).reshape(scores.shape))

    def fuse(self, features: Float[Tensor, "b c h w"], attended: Float[Tensor, "b c 1 1"]) -> Float[Tensor, "b c h w"]:
        """Returns the features with the transformed context added at every position."""
        transformed: Tensor = self.transform(attended)
        return features + transformed


class GlobalContextSettings(LayerSettings):
    """Settings of the arm ``gc``, behind every stage; see `GlobalContext`."""

    at: str = "stages"
    reduction: Annotated[int, Searched(2, 32, log=True)] = Field(16, ge=1)


def _layer(channels: int, size: tuple[int, int], settings: GlobalContextSettings) -> GlobalContext:
    return GlobalContext(channels, settings.reduction)


ARMS.add(Arm("gc", "global context: a pooled vector added everywhere", GlobalContextSettings, "pooling", layer=_layer))
