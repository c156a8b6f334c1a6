"""GateName functions: what gives each position a weight of its own, in 0..1, from its features."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Literal

import torch
from jaxtyping import Float
from timm.layers.cbam import SpatialAttn
from torch import Tensor, nn
from torch.nn import functional

from foveola.attention.inside.ppcr import PyramidPixelContext

GateName = Literal["conv", "cbam", "ppcr", "gate", "scse"]


class GateFunction(nn.Module, ABC):
    """``a = sigmoid(point(x))``, one weight a position: subclasses say what point is."""

    @abstractmethod
    def forward(
        self, features: Float[Tensor, "b c h w"], signal: Float[Tensor, "b d i j"] | None = None
    ) -> Float[Tensor, "b 1 h w"]:
        """Returns a for features and, where there is one, the coarser features of a decoder."""

    def take_signal(self, channels: int) -> None:
        """Prepares for a signal of so many channels."""


class ConvolutionGate(GateFunction):
    """``point(x) = w ReLU(BN(W x)) + b``, with half as many channels inside: each position by itself.

    Source: proposed here, after the scores of `SignalGate`.

    Example:
        >>> ConvolutionGate(8)(torch.rand(2, 8, 12, 10)).shape
        torch.Size([2, 1, 12, 10])
    """

    def __init__(self, channels: int, *, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        inner, made = max(channels // 2, 1), {"device": device, "dtype": dtype}
        self.inner = nn.Conv2d(channels, inner, 1, bias=False, **made)
        self.norm = nn.BatchNorm2d(inner, **made)
        self.score = nn.Conv2d(inner, 1, 1, **made)

    def forward(
        self, features: Float[Tensor, "b c h w"], signal: Float[Tensor, "b d i j"] | None = None
    ) -> Float[Tensor, "b 1 h w"]:
        """Returns a."""
        return torch.sigmoid(self.score(functional.relu(self.norm(self.inner(features)))))


class CbamGate(GateFunction):
    """``point(x) = BN(conv7x7([mean x; max x]))``, mean and max over channels: the spatial half of CBAM.

    Source: Woo et al. 2018, arXiv:1807.06521, equation 3, by timm's `SpatialAttn`, whose batch norm the authors' code
    has and the equation has not.

    Example:
        >>> CbamGate(8)(torch.rand(2, 8, 12, 10)).shape
        torch.Size([2, 1, 12, 10])
    """

    def __init__(self, channels: int, *, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.spatial: Any = SpatialAttn(7, device=device, dtype=dtype)

    def forward(
        self, features: Float[Tensor, "b c h w"], signal: Float[Tensor, "b d i j"] | None = None
    ) -> Float[Tensor, "b 1 h w"]:
        """Returns a."""
        described = torch.cat([features.mean(1, keepdim=True), features.amax(1, keepdim=True)], dim=1)
        return torch.sigmoid(self.spatial.conv(described))


class ContextGate(GateFunction):
    """The gate of `PyramidPixelContext` with its default settings, from means over groups of channels; starts at 0.5.

    Source: see there; it is reconstructed.

    Raises:
        FoveolaError: If there are fewer than four channels.

    Example:
        >>> ContextGate(8)(torch.rand(2, 8, 12, 10)).unique().tolist()
        [0.5]
    """

    def __init__(self, channels: int, *, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.contexts = PyramidPixelContext(channels, device=device, dtype=dtype)

    def forward(
        self, features: Float[Tensor, "b c h w"], signal: Float[Tensor, "b d i j"] | None = None
    ) -> Float[Tensor, "b 1 h w"]:
        """Returns a."""
        return self.contexts.operator(features).weights


class SignalGate(GateFunction):
    """``point(x) = psi ReLU(W_x x + W_g g)``: coarser features g of a decoder gate finer ones x.

    W_g g is resized bilinearly to the grid of x. Where there is no decoder, g is x.

    Source: the attention gate, Schlemper et al. 2019, arXiv:1808.08114, equation 1. Deviation: W_x takes no steps, so
    that a has the resolution of x; `AttentionGate` keeps to the authors' code.

    Example:
        >>> point = SignalGate(8)
        >>> point.take_signal(16)
        >>> point(torch.rand(2, 8, 12, 10), torch.rand(2, 16, 3, 2)).shape
        torch.Size([2, 1, 12, 10])
    """

    def __init__(self, channels: int, *, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        inner, made = max(channels // 2, 1), {"device": device, "dtype": dtype}
        self.of_features = nn.Conv2d(channels, inner, 1, bias=False, **made)
        self.of_signal = nn.Conv2d(channels, inner, 1, **made)
        self.score = nn.Conv2d(inner, 1, 1, **made)

    def take_signal(self, channels: int) -> None:
        """Makes W_g anew for a signal of so many channels."""
        weight = self.of_signal.weight
        self.of_signal = nn.Conv2d(channels, len(weight), 1, device=weight.device, dtype=weight.dtype)

    def forward(
        self, features: Float[Tensor, "b c h w"], signal: Float[Tensor, "b d i j"] | None = None
    ) -> Float[Tensor, "b 1 h w"]:
        """Returns a."""
        question = self.of_signal(features if signal is None else signal)
        if question.shape[2:] != features.shape[2:]:
            question = functional.interpolate(question, features.shape[2:], mode="bilinear")
        return torch.sigmoid(self.score(functional.relu(self.of_features(features) + question)))


class LinearGate(GateFunction):
    """``point(x) = w x + b``: the spatial half of scSE.

    Source: Roy et al. 2018, arXiv:1803.02579, the spatial squeeze (section 2.2), with a bias as in
    segmentation-models-pytorch.

    Example:
        >>> LinearGate(8)(torch.rand(2, 8, 12, 10)).shape
        torch.Size([2, 1, 12, 10])
    """

    def __init__(self, channels: int, *, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.score = nn.Conv2d(channels, 1, 1, device=device, dtype=dtype)

    def forward(
        self, features: Float[Tensor, "b c h w"], signal: Float[Tensor, "b d i j"] | None = None
    ) -> Float[Tensor, "b 1 h w"]:
        """Returns a."""
        return torch.sigmoid(self.score(features))


_POINTS: dict[GateName, type[GateFunction]] = {
    "conv": ConvolutionGate,
    "cbam": CbamGate,
    "ppcr": ContextGate,
    "gate": SignalGate,
    "scse": LinearGate,
}


def gate_function(name: GateName, channels: int, *, device: Any = None, dtype: Any = None) -> GateFunction:
    """Returns a new point function for features of so many channels.

    Args:
        name: ``conv``, `ConvolutionGate`; ``cbam``, `CbamGate`; ``ppcr``, `ContextGate`; ``gate``, `SignalGate`;
            ``scse``, `LinearGate`.
        channels: Of the features.
        device: Where the parameters are made.
        dtype: Their type.

    Example:
        >>> gate_function("scse", 8)(torch.rand(2, 8, 12, 10)).shape
        torch.Size([2, 1, 12, 10])
    """
    made: Any = _POINTS[name]  # the base says nothing of how it is made
    point: GateFunction = made(channels, device=device, dtype=dtype)
    return point
