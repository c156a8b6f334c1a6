"""y = fuse(x, A g(x)), and the A that is emitted is the one that was applied."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from foveola.attention import AttentionLayer, Mechanism, recording
from foveola.attention.algebra import Operator, Pointwise, Pooling

FEATURES = torch.randn(2, 4, 12, 10, generator=torch.Generator().manual_seed(0))


class Gate(Mechanism):
    def operator(self, features: Tensor, *context: Any) -> Operator:
        return Pointwise(torch.sigmoid(features.mean(1, keepdim=True)))


class Everything(Gate):
    """Values, a way to fuse, and a context that shifts the scores."""

    def operator(self, features: Tensor, *context: Any) -> Operator:
        (shift,) = context
        return Pooling(torch.sigmoid(features.mean(1, keepdim=True) + shift))

    def value_map(self, features: Tensor) -> Tensor:
        return 3 * features[:, :2]

    def fuse(self, features: Tensor, attended: Tensor) -> Tensor:
        return features.flip(1) - attended.repeat(1, 2, 1, 1)


def test_alone_it_is_the_operator_on_the_features() -> None:
    torch.testing.assert_close(Gate()(FEATURES), FEATURES * torch.sigmoid(FEATURES.mean(1, keepdim=True)))


def test_values_fusion_and_context_take_part() -> None:
    weights = torch.sigmoid(FEATURES.mean(1) + 0.7)
    pooled = torch.stack([(3 * FEATURES[:, channel % 2] * weights).sum((1, 2)) for channel in range(4)], dim=1)
    torch.testing.assert_close(Everything()(FEATURES, 0.7), FEATURES.flip(1) - pooled[:, :, None, None])


def test_what_is_emitted_is_what_was_applied() -> None:
    mechanism = Everything()
    with recording() as emitted:
        output = mechanism(FEATURES, -0.2)
    ((module, operator),) = emitted
    assert module is mechanism
    assert torch.equal(output, mechanism.fuse(FEATURES, operator.apply(mechanism.value_map(FEATURES))))


def test_a_mechanism_has_to_say_what_its_operator_is() -> None:
    class Nothing(Mechanism):
        pass

    with pytest.raises(TypeError, match=r"abstract method '?operator"):
        Nothing()  # type: ignore[abstract]


def test_layers_without_a_map_are_layers_of_attention_too() -> None:
    assert issubclass(Mechanism, AttentionLayer)
    assert not issubclass(AttentionLayer, Mechanism)
    assert issubclass(AttentionLayer, nn.Module)
