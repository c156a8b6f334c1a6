"""A test of the contract: mechanisms with one mistake each, and the check that has to see it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from foveola.attention import AttentionLayer, Mechanism
from foveola.attention.algebra import Operator, Pointwise, Pooling, SelfAttention
from foveola.attention.arm import Row
from foveola.attention.recording import emit
from foveola.contract import LAYER
from foveola.contract.subject import Subject, drawn


class Gate(Mechanism):
    """Without a mistake: a convolution under a sigmoid."""

    def __init__(self, channels: int, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.score = nn.Conv2d(channels, 1, 3, padding=1, device=device, dtype=dtype)

    def operator(self, features: Tensor, *context: Any) -> Operator:
        return Pointwise(torch.sigmoid(self.score(features)))


class Context(Mechanism):
    """Without a mistake: a softmax over positions, and what it gathers is added."""

    def __init__(self, channels: int, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.score = nn.Conv2d(channels, 1, 1, bias=False, device=device, dtype=dtype)
        self.change = nn.Conv2d(channels, channels, 1, device=device, dtype=dtype)

    def operator(self, features: Tensor, *context: Any) -> Operator:
        scores = self.score(features)
        return Pooling(scores.flatten(2).softmax(2).view_as(scores))

    def fuse(self, features: Tensor, attended: Tensor) -> Tensor:
        changed: Tensor = self.change(attended)
        return features + changed


class Pairs(Mechanism):
    """Without a mistake: self-attention whose values start at zero."""

    def __init__(self, channels: int, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.queries, self.keys = (nn.Conv2d(channels, 4, 1, bias=False, device=device, dtype=dtype) for _ in range(2))
        self.strength = nn.Parameter(torch.zeros((), device=device, dtype=dtype))

    def operator(self, features: Tensor, *context: Any) -> Operator:
        return SelfAttention(self.queries(features)[:, None], self.keys(features)[:, None], 0.5)

    def fuse(self, features: Tensor, attended: Tensor) -> Tensor:
        return features + self.strength * attended


class Channels(AttentionLayer):
    """Without a mistake: weights of channels, which have no map."""

    def __init__(self, channels: int, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.score = nn.Conv2d(channels, channels, 1, device=device, dtype=dtype)

    def forward(self, features: Tensor) -> Tensor:
        weighed: Tensor = features * torch.sigmoid(self.score(features.mean((2, 3), keepdim=True)))
        return weighed


class SwappedAxes(Gate):
    def operator(self, features: Tensor, *context: Any) -> Operator:
        weights = torch.sigmoid(self.score(features))
        return Pointwise(weights.transpose(2, 3).reshape(weights.shape))


class MixedSamples(Gate):
    def operator(self, features: Tensor, *context: Any) -> Operator:
        return super().operator(features - features.mean(0, keepdim=True))


class Unbounded(Gate):
    def operator(self, features: Tensor, *context: Any) -> Operator:
        return Pointwise(self.score(features))


class UnevenRows(Context):
    def operator(self, features: Tensor, *context: Any) -> Operator:
        return Pooling(torch.sigmoid(self.score(features)))


class NotFinite(Gate):
    def operator(self, features: Tensor, *context: Any) -> Operator:
        scores = self.score(features).exp()
        return Pointwise(scores / (1 + scores))


class DeadParameter(Gate):
    def __init__(self, channels: int, device: Any = None, dtype: Any = None) -> None:
        super().__init__(channels, device, dtype)
        self.unused = nn.Parameter(torch.zeros(channels))


class CancelledParameter(Context):
    """A bias below a softmax changes nothing."""

    def __init__(self, channels: int, device: Any = None, dtype: Any = None) -> None:
        super().__init__(channels, device, dtype)
        self.score = nn.Conv2d(channels, 1, 1)


class KeptMap(Gate):
    def operator(self, features: Tensor, *context: Any) -> Operator:
        operator = super().operator(features)
        self.last = operator.received()
        return operator


class KeptBuffer(Gate):
    def __init__(self, channels: int, device: Any = None, dtype: Any = None) -> None:
        super().__init__(channels, device, dtype)
        self.register_buffer("seen", torch.zeros(()))

    def operator(self, features: Tensor, *context: Any) -> Operator:
        self.seen: Tensor = self.seen + 1
        return super().operator(features)


class Delay:
    """Gives the mean of what it was called with before."""

    __slots__ = ("mean",)

    def __init__(self) -> None:
        self.mean = torch.zeros(())

    def __call__(self, features: Tensor) -> Tensor:
        before, self.mean = self.mean, features.mean().detach()
        return before


class Drifting(Gate):
    """It remembers what it saw where nobody looks for it."""

    def __init__(self, channels: int, device: Any = None, dtype: Any = None) -> None:
        super().__init__(channels, device, dtype)
        self.shift: Any = Delay()

    def operator(self, features: Tensor, *context: Any) -> Operator:
        return super().operator(features + self.shift(features))


class ShownIsNotUsed(Gate):
    def forward(self, features: Tensor, *context: Any) -> Tensor:
        operator = self.operator(features)
        emit(self, Pointwise(operator.received()[:, None].square()))
        return operator.apply(features)


class Silent(Gate):
    def forward(self, features: Tensor, *context: Any) -> Tensor:
        return self.operator(features).apply(features)


class WrongRow(Gate):
    def operator(self, features: Tensor, *context: Any) -> Operator:
        weights = torch.sigmoid(self.score(features))
        return Pooling(weights / weights.sum((2, 3), keepdim=True))


class Doubled(Operator):
    """An operator whose matrix is not what it applies."""

    def __init__(self, weights: Tensor) -> None:
        self.inner = Pointwise(weights / 2)

    def apply(self, values: Tensor) -> Tensor:
        return 2 * self.inner.apply(values)

    def dense(self) -> Tensor:
        return self.inner.dense()

    def received(self) -> Tensor:
        return self.inner.received()


class WrongMatrix(Gate):
    def operator(self, features: Tensor, *context: Any) -> Operator:
        return Doubled(torch.sigmoid(self.score(features)))


class HookLeftBehind(Gate):
    def forward(self, features: Tensor, *context: Any) -> Tensor:
        self.score.register_forward_hook(lambda *_: None)
        return super().forward(features)


class OtherShape(Gate):
    def fuse(self, features: Tensor, attended: Tensor) -> Tensor:
        return attended[:, 1:]


class StateLost(Gate):
    def __init__(self, channels: int, device: Any = None, dtype: Any = None) -> None:
        super().__init__(channels, device, dtype)
        self.shift = torch.randn(()).item()

    def operator(self, features: Tensor, *context: Any) -> Operator:
        return super().operator(features + self.shift)


class Uncopyable(Gate):
    def __init__(self, channels: int, device: Any = None, dtype: Any = None) -> None:
        super().__init__(channels, device, dtype)
        self.squash: Any = lambda scores: torch.sigmoid(scores)

    def operator(self, features: Tensor, *context: Any) -> Operator:
        return Pointwise(self.squash(self.score(features)))


class OwnPrecision(Gate):
    def fuse(self, features: Tensor, attended: Tensor) -> Tensor:
        return attended.float()


class WrongGradient(Gate):
    def operator(self, features: Tensor, *context: Any) -> Operator:
        return super().operator(features.detach())


class NoKeywords(Gate):
    def __init__(self, channels: int) -> None:
        super().__init__(channels)


class Stray(nn.Module):
    """Its parameters are no layer's of attention."""

    def __init__(self, channels: int, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(channels, 1, 1))

    def forward(self, features: Tensor) -> Tensor:
        return features * self.scale


SOUND: dict[type[nn.Module], Row] = {
    Gate: "pointwise",
    Context: "pooling",
    Pairs: "self-attention",
    Channels: "channels",
}
MUTANTS: dict[type[nn.Module], tuple[str, str]] = {
    SwappedAxes: ("knows_height_from_width", "rows and columns"),
    MixedSamples: ("keeps_samples_apart", "not close"),
    Unbounded: ("keeps_its_weights_in_range", "not within 0 and 1"),
    UnevenRows: ("keeps_its_weights_in_range", "miss a sum of 1"),
    NotFinite: ("keeps_its_weights_in_range", "not finite"),
    DeadParameter: ("learns_with_every_parameter", "never a gradient for unused"),
    CancelledParameter: ("learns_with_every_parameter", r"never a gradient for score\.bias"),
    KeptMap: ("leaves_nothing_behind", "leaves something on KeptMap"),
    KeptBuffer: ("leaves_nothing_behind", "leaves something on KeptBuffer"),
    Drifting: ("answers_alike_twice", "not equal"),
    ShownIsNotUsed: ("applies_what_it_says", "not close"),
    Silent: ("applies_what_it_says", "used 1 times, and said 0 times"),
    WrongRow: ("is_the_operator_it_is_said_to_be", "said to be 'pointwise', and is a Pooling"),
    WrongMatrix: ("is_its_matrix", "not close"),
    HookLeftBehind: ("leaves_nothing_behind", "score"),
    OtherShape: ("keeps_the_shape", r"\(2, 8, 12, 10\) come out as \(2, 7, 12, 10\)"),
    StateLost: ("goes_through_its_state", "not equal"),
    OwnPrecision: ("agrees_in_other_formats", "torch.float64 in, torch.float32 out"),
    Uncopyable: ("can_be_copied", "cannot be copied"),
    WrongGradient: ("has_the_gradients_of_small_steps", "the slope is"),
    NoKeywords: ("is_made_as_timm_makes_it", "cannot be made with channels, device=None"),
    Stray: ("owns_its_parameters", "outside of any AttentionLayer: scale"),
}


def subject(layer: Callable[[int], nn.Module], row: Row = "pointwise") -> Subject:
    return Subject(lambda: layer(8), drawn(2, 8, 12, 10), row)


@pytest.mark.parametrize("check", LAYER)
@pytest.mark.parametrize("layer", SOUND)
def test_what_has_no_mistake_passes(layer: type[nn.Module], check: str) -> None:
    LAYER[check](subject(layer, SOUND[layer]))


@pytest.mark.parametrize("layer", MUTANTS)
def test_every_mistake_is_seen_by_the_check_that_looks_for_it(layer: type[nn.Module]) -> None:
    check, message = MUTANTS[layer]
    row: Row = "pooling" if issubclass(layer, Context) else "pointwise"
    with pytest.raises(AssertionError, match=message):
        LAYER[check](subject(layer, row))


def test_every_check_has_a_mistake_to_see() -> None:
    assert set(LAYER) == {check for check, _ in MUTANTS.values()}
