"""One level of Learn to Pay Attention, against its equations written slowly."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from foveola.attention.algebra.operators import Pooling
from foveola.attention.networks.pay_attention import PayAttention
from foveola.attention.recording import named_maps, recording

SCORES, NORMALISERS = ("additive", "dp", "pc"), ("softmax", "sigmoid")
every_score = pytest.mark.parametrize("score", SCORES)
every_normaliser = pytest.mark.parametrize("normaliser", NORMALISERS)
dimensions = pytest.mark.parametrize(
    ("query_channels", "project"), [(8, "query"), (6, "query"), (6, "features"), (11, "query"), (11, "features")]
)


def draw(*sizes: int, seed: int = 0) -> Tensor:
    return torch.randn(*sizes, generator=torch.Generator().manual_seed(seed))


def build(query_channels: int = 8, **options: Any) -> PayAttention:
    torch.manual_seed(1)
    return PayAttention(8, query_channels, **options).double().eval()


def maps_of(attention: PayAttention, features: Tensor, query: Tensor) -> Tensor:
    with recording() as emitted:
        attention(features, query)
    (weights,) = named_maps(attention, emitted).values()
    return weights


def slow_attention(attention: PayAttention, features: Tensor, query: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """The map and the attended vector, one image and one position at a time."""
    state = {name: value.numpy() for name, value in attention.state_dict().items()}
    maps, vectors = [], []
    for image, asked in zip(features.numpy(), query.numpy(), strict=True):
        g = asked
        if "match.0.weight" in state:
            g = state["match.0.weight"] @ g + state["match.0.bias"]
        _, height, width = image.shape
        scores, values = np.zeros((height, width)), {}
        for row in range(height):
            for column in range(width):
                local = image[:, row, column]
                if "lift.weight" in state:
                    local = state["lift.weight"][:, :, 0, 0] @ local + state["lift.bias"]
                values[row, column] = local
                if "score.local.weight" in state:
                    mixed = state["score.local.weight"][:, :, 0, 0] @ local + state["score.query.weight"] @ g
                    mixed = np.tanh(mixed + state["score.query.bias"])
                    scores[row, column] = state["score.weigh.weight"][0, :, 0, 0] @ mixed
                elif "score.weigh.weight" in state:
                    scores[row, column] = state["score.weigh.weight"][0] @ (local + g)
                    scores[row, column] += state.get("score.weigh.bias", np.zeros(1))[0]
                else:
                    scores[row, column] = sum(l * q for l, q in zip(local, g, strict=True))  # noqa: E741
        if attention.normaliser == "softmax":
            weights = np.exp(scores) / np.exp(scores).sum()
        else:
            weights = 1 / (1 + np.exp(-scores)) / (height * width)
        maps.append(weights)
        vectors.append(sum(weights[place] * local for place, local in values.items()))
    return np.array(maps), np.array(vectors)


@every_score
@every_normaliser
@dimensions
@pytest.mark.parametrize("bias", [True, False])
def test_computes_the_equations(score: Any, normaliser: Any, query_channels: int, project: Any, bias: bool) -> None:
    attention = build(query_channels, score=score, normaliser=normaliser, project=project, bias=bias)
    features, query = draw(2, 8, 5, 3).double(), draw(2, query_channels, seed=1).double()
    with torch.no_grad():
        weights, attended = maps_of(attention, features, query), attention(features, query)
    maps, vectors = slow_attention(attention, features, query)
    assert weights.shape == (2, 5, 3)
    assert attended.shape == (2, attention.channels, 1, 1)
    assert attention.channels == (query_channels if project == "features" else 8)
    np.testing.assert_allclose(weights, maps, rtol=1e-10)
    np.testing.assert_allclose(attended[:, :, 0, 0], vectors, rtol=1e-10, atol=1e-12)


@every_score
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000), spread=st.floats(0.01, 30))
def test_a_softmax_map_sums_to_one(score: Any, seed: int, spread: float) -> None:
    features, query = spread * draw(2, 8, 5, 3, seed=seed).double(), draw(2, 6, seed=seed + 1).double()
    weights = maps_of(build(6, score=score), features, query)
    assert weights.min() >= 0
    torch.testing.assert_close(weights.sum((1, 2)), torch.ones(2).double())


@every_score
@every_normaliser
def test_uniform_scores_give_the_mean(score: Any, normaliser: Any) -> None:
    attention = build(6, score=score, normaliser=normaliser)
    with torch.no_grad():
        for parameter in attention.parameters():
            parameter.zero_()
    features = draw(2, 8, 12, 10).double()
    mean = features.mean((2, 3)) * (1 if normaliser == "softmax" else 0.5)
    torch.testing.assert_close(attention(features, draw(2, 6).double())[:, :, 0, 0], mean)


@every_normaliser
@every_score
@pytest.mark.parametrize("query_channels", [8, 6])
def test_only_pc_with_a_softmax_does_not_listen_to_the_query(score: Any, normaliser: Any, query_channels: int) -> None:
    """``<u, l_i + g> = <u, l_i> + <u, g>``, and a softmax over i takes no notice of what is added at every i."""
    attention = build(query_channels, score=score, normaliser=normaliser)
    features = draw(2, 8, 12, 10).double()
    query = draw(2, query_channels, seed=1).double().requires_grad_()
    weights = maps_of(attention, features, query)
    moved = maps_of(attention, features, 3 * query + 1)
    (gradient,) = torch.autograd.grad(attention(features, query).square().sum(), query)
    relative = ((moved - weights).abs() / weights).max()
    if (score, normaliser) == ("pc", "softmax"):
        assert relative < 1e-12
        assert gradient.abs().max() < 1e-12
    else:
        assert relative > 0.01
        assert gradient.abs().max() > 1e-4


@every_score
@every_normaliser
@pytest.mark.parametrize("project", ["query", "features"])
def test_gradients_are_those_of_finite_differences(score: Any, normaliser: Any, project: Any) -> None:
    attention = build(6, score=score, normaliser=normaliser, project=project, hidden=3)
    features, query = draw(2, 8, 4, 3).double().requires_grad_(), draw(2, 6).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda *inputs: attention(*inputs), (features, query), fast_mode=True)


@every_normaliser
@every_score
@pytest.mark.parametrize("normalise_query", [True, False])
def test_every_parameter_learns_but_of_pc_with_a_softmax(score: Any, normaliser: Any, normalise_query: bool) -> None:
    attention = build(6, score=score, normaliser=normaliser, normalise_query=normalise_query).train()
    attention(draw(5, 8, 12, 10).double(), draw(5, 6).double()).square().sum().backward()
    dead = [name for name, parameter in attention.named_parameters() if parameter.grad.abs().max() < 1e-12]  # type: ignore[union-attr]
    inert = (score, normaliser) == ("pc", "softmax")
    assert dead == [name for name, _ in attention.named_parameters() if inert and name.startswith("match")]


@every_score
@every_normaliser
def test_half_precision_and_channels_last_agree(score: Any, normaliser: Any) -> None:
    attention = build(6, score=score, normaliser=normaliser).float()
    features, query = draw(2, 8, 12, 10), draw(2, 6, seed=1)
    expected = attention(features, query)
    torch.testing.assert_close(attention(features.to(memory_format=torch.channels_last), query), expected)
    half = attention.bfloat16()
    given, asked = features.bfloat16(), query.bfloat16()
    assert half(given, asked).dtype == torch.bfloat16
    torch.testing.assert_close(half(given, asked).float(), expected, rtol=0.05, atol=0.05)
    if normaliser == "softmax":
        torch.testing.assert_close(maps_of(half, given, asked).sum((1, 2)), torch.ones(2))


@every_score
def test_samples_do_not_mix_and_one_alone_is_as_in_a_batch(score: Any) -> None:
    attention = build(6, score=score)
    features, query = draw(5, 8, 12, 10).double(), draw(5, 6, seed=1).double()
    alone = [attention(features[index : index + 1], query[index : index + 1]) for index in range(5)]
    torch.testing.assert_close(attention(features, query), torch.cat(alone))


@pytest.mark.parametrize(
    ("options", "count"),
    [
        ({"score": "dp"}, 6 * 8 + 8),
        ({"score": "dp", "project": "features"}, 6 * 8 + 6),
        ({"score": "dp", "normalise_query": True}, 2 * 6 + 6 * 8 + 8),
        ({"score": "pc"}, 6 * 8 + 8 + 8),
        ({"score": "pc", "bias": True, "project": "features"}, 6 * 8 + 6 + 7),
        ({"score": "additive"}, 8 * 8 + 6 * 8 + 8 + 8),
        ({"score": "additive", "hidden": 3}, 8 * 3 + 6 * 3 + 3 + 3),
        ({"score": "additive", "hidden": 3, "project": "features"}, 6 * 8 + 6 + 6 * 3 + 6 * 3 + 3 + 3),
    ],
)
def test_has_the_parameters_that_it_says(options: dict[str, Any], count: int) -> None:
    assert sum(parameter.numel() for parameter in PayAttention(8, 6, **options).parameters()) == count


def test_additive_compares_in_128_dimensions_at_most() -> None:
    convolutions = [PayAttention(channels).score.local for channels in (20, 300)]
    assert [layer.out_channels for layer in convolutions if isinstance(layer, nn.Conv2d)] == [20, 128]


def test_its_operator_pools_and_its_map_is_called_after_its_place() -> None:
    attention, features, query = PayAttention(8, place="layer3"), draw(2, 8, 12, 10), draw(2, 8)
    model = nn.ModuleList([attention])
    with recording() as emitted:
        attended = model[0](features, query)
    ((_, operator),) = emitted
    assert isinstance(operator, Pooling)
    assert list(named_maps(model, emitted)) == ["layer3"]
    assert torch.equal(attended, operator.apply(features))
    torch.testing.assert_close(attended[:, :, 0, 0], (features * operator.weights).sum((2, 3)))
