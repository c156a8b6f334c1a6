"""Weights between pairs of positions against their formulas, and what they do when positions are moved or left out."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from foveola.attention.blocks.affinities import Affinity, AffinityKind

CHANNELS, HEIGHT, WIDTH = 24, 5, 4


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def made(kind: AffinityKind = "nonlocal", stride: int = 1, passes: int = 2) -> Affinity:
    torch.manual_seed(0)
    return Affinity(CHANNELS, kind, stride, passes).double()


def softmax(scores: np.ndarray) -> np.ndarray:
    exponents = np.exp(scores - scores.max())
    return np.asarray(exponents / exponents.sum())


def asked(pairs: Affinity, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Queries and keys of an image, a row a position."""
    state = {name: tensor.numpy() for name, tensor in pairs.state_dict().items()}
    positions = image.reshape(CHANNELS, -1).T
    return positions @ state["query.weight"][:, :, 0, 0].T + state["query.bias"], positions @ state["key.weight"][
        :, :, 0, 0
    ].T


def windows(height: int, width: int, side: int) -> np.ndarray:
    """The matrix of means over windows."""
    rows = []
    for top in range(0, height, side):
        for left in range(0, width, side):
            window = np.zeros((height, width))
            window[top : top + side, left : left + side] = 1
            rows.append(window.ravel() / window.sum())
    return np.array(rows)


def slow(pairs: Affinity, image: np.ndarray, bias: np.ndarray | None = None) -> np.ndarray:
    """S for one image, row by row."""
    queries, keys = asked(pairs, image)
    added = np.zeros(len(keys)) if bias is None else bias.ravel()
    scale = 3**-0.5 if pairs.kind == "nonlocal" else 1.0
    if pairs.kind == "crisscross":
        matrix = np.zeros((len(keys), len(keys)))
        for i in range(len(keys)):
            near = [j for j in range(len(keys)) if j // WIDTH == i // WIDTH or j % WIDTH == i % WIDTH]
            matrix[i, near] = softmax(keys[near] @ queries[i] + added[near])
        return np.linalg.matrix_power(matrix, pairs.passes)
    means = windows(HEIGHT, WIDTH, pairs.stride)
    return np.array([softmax(scale * means @ keys @ query + means @ added) @ means for query in queries])


KINDS: list[tuple[AffinityKind, int, int]] = [
    ("nonlocal", 1, 2),
    ("nonlocal", 2, 2),
    ("danet", 1, 2),
    ("danet", 3, 2),
    ("crisscross", 1, 1),
    ("crisscross", 1, 2),
    ("crisscross", 1, 3),
]


@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize(("kind", "stride", "passes"), KINDS)
def test_it_is_the_softmax_of_its_scores(kind: AffinityKind, stride: int, passes: int, biased: bool) -> None:
    pairs, features = made(kind, stride, passes), drawn(2, CHANNELS, HEIGHT, WIDTH)
    bias = drawn(2, 1, HEIGHT, WIDTH, seed=1) if biased else None
    operator, values = pairs(features, bias), drawn(2, 7, HEIGHT, WIDTH, seed=2)
    dense, applied = operator.dense().detach().numpy(), operator.apply(values).detach().numpy()
    for image in range(2):
        expected = slow(pairs, features[image].numpy(), None if bias is None else bias[image].numpy())
        np.testing.assert_allclose(dense[image, 0], expected, atol=1e-10)
        np.testing.assert_allclose(expected.sum(1), 1)
        received = operator.received()[image].detach().numpy()
        np.testing.assert_allclose(received.ravel(), expected.sum(0), atol=1e-6)
        for channel in range(7):
            np.testing.assert_allclose(
                applied[image, channel].ravel(), expected @ values[image, channel].flatten().numpy(), atol=1e-10
            )


@pytest.mark.parametrize("kind", ["nonlocal", "danet"])
def test_positions_that_are_exchanged_come_out_exchanged(kind: AffinityKind) -> None:
    pairs, features, values = made(kind), drawn(2, CHANNELS, HEIGHT, WIDTH), drawn(2, 7, HEIGHT, WIDTH, seed=1)
    order = torch.randperm(HEIGHT * WIDTH, generator=torch.Generator().manual_seed(3))

    def exchanged(tensor: Tensor) -> Tensor:
        return tensor.flatten(2)[:, :, order].reshape(tensor.shape)

    apart = pairs(exchanged(features)).apply(exchanged(values))
    torch.testing.assert_close(apart, exchanged(pairs(features).apply(values)))


@pytest.mark.parametrize(("kind", "stride"), [("nonlocal", 1), ("danet", 1), ("nonlocal", 2)])
def test_padding_with_a_bias_of_minus_infinity_is_not_looked_at(kind: AffinityKind, stride: int) -> None:
    pairs, features, values = made(kind, stride), drawn(2, CHANNELS, 4, 6), drawn(2, 7, 4, 6, seed=1)
    bias = torch.zeros(2, 1, 4, 6, dtype=torch.float64)
    bias[:, :, :, 4:] = -torch.inf
    operator = pairs(features, bias)
    inside = pairs(features[..., :4]).apply(values[..., :4])
    torch.testing.assert_close(operator.apply(values)[..., :4], inside)
    assert operator.received()[..., 4:].count_nonzero() == 0
