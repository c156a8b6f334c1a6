"""Criss-cross attention against a loop over positions."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from foveola.attention.algebra import CrissCross, Product

IMAGES, CHANNELS, HEIGHT, WIDTH = 2, 3, 5, 4


def drawn(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def slow_matrix(queries: np.ndarray, keys: np.ndarray, scale: float) -> np.ndarray:
    _, height, width = queries.shape
    matrix = np.zeros((height * width, height * width))
    for i, (row, column) in enumerate(np.ndindex(height, width)):
        seen = [j for j, (y, x) in enumerate(np.ndindex(height, width)) if y == row or x == column]
        assert len(seen) == height + width - 1
        scores = np.array([scale * queries[:, row, column] @ keys[:, j // width, j % width] for j in seen])
        exponents = np.exp(scores - scores.max())
        matrix[i, seen] = exponents / exponents.sum()
    return matrix


@pytest.mark.parametrize(("height", "width"), [(5, 4), (4, 5), (1, 3), (3, 1), (1, 1)])
def test_it_is_the_softmax_over_the_own_row_and_column(height: int, width: int) -> None:
    queries, keys = drawn(IMAGES, 6, height, width), drawn(IMAGES, 6, height, width, seed=1)
    values, operator = drawn(IMAGES, CHANNELS, height, width, seed=2), CrissCross.of(queries, keys, 0.7)
    applied, received, dense = operator.apply(values), operator.received(), operator.dense()
    rows = drawn(IMAGES, height, width, seed=3)
    for image in range(IMAGES):
        matrix = slow_matrix(queries[image].numpy(), keys[image].numpy(), 0.7)
        np.testing.assert_allclose(dense[image, 0], matrix, atol=1e-12)
        np.testing.assert_allclose(received[image].flatten(), matrix.sum(0), atol=1e-12)
        np.testing.assert_allclose(
            operator.received(rows)[image].flatten(), rows[image].flatten().numpy() @ matrix, atol=1e-12
        )
        for channel in range(CHANNELS):
            expected = matrix @ values[image, channel].flatten().numpy()
            np.testing.assert_allclose(applied[image, channel].flatten(), expected, atol=1e-12)


def test_after_two_passes_every_position_reaches_every_other() -> None:
    once = CrissCross.of(drawn(IMAGES, 6, HEIGHT, WIDTH), drawn(IMAGES, 6, HEIGHT, WIDTH, seed=1), 1.0)
    assert (once.dense() == 0).any()
    twice = Product(once, once).dense()
    assert (twice > 0).all()
    torch.testing.assert_close(twice.sum(3), torch.ones(IMAGES, 1, HEIGHT * WIDTH, dtype=torch.float64))


def test_its_weights_are_in_single_precision_and_values_keep_their_type() -> None:
    queries, keys = (drawn(IMAGES, 6, HEIGHT, WIDTH, seed=seed, dtype=torch.bfloat16) for seed in (0, 1))
    operator = CrissCross.of(queries, keys, 0.5)
    assert operator.rows.dtype == operator.received().dtype == torch.float32
    assert operator.apply(drawn(IMAGES, CHANNELS, HEIGHT, WIDTH, dtype=torch.bfloat16)).dtype == torch.bfloat16
