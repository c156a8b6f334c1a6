"""Operators made of operators are the matrices that they stand for."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from foveola.attention.algebra import Operator, Pointwise, Product, SelfAttention, Shared, SideBySide, Sum, WindowMeans

IMAGES, CHANNELS, HEIGHT, WIDTH = 2, 6, 5, 7


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def gate(groups: int = 1) -> Pointwise:
    return Pointwise(drawn(IMAGES, groups, HEIGHT, WIDTH, seed=2).sigmoid())


def attention(heads: int = 1, keys: tuple[int, int] = (HEIGHT, WIDTH)) -> SelfAttention:
    return SelfAttention(drawn(IMAGES, heads, 4, HEIGHT, WIDTH), drawn(IMAGES, heads, 4, *keys, seed=1), 0.6)


COMPOSED: dict[str, Callable[[], Operator]] = {
    "gate, then attention": lambda: Product(attention(), gate()),
    "attention, then gate": lambda: Product(gate(), attention(heads=3)),
    "attention, then a gate for all images": lambda: Product(Shared(drawn(HEIGHT, WIDTH)), attention()),
    "groups, then attention": lambda: Product(attention(), gate(groups=2)),
    "coarse keys": lambda: Product(attention(keys=(3, 4)), WindowMeans(HEIGHT, WIDTH, 2)),
    "means": lambda: WindowMeans(HEIGHT, WIDTH, 3),
    "side by side": lambda: SideBySide((gate(), attention())),
    "a sum of products": lambda: Sum(((0.5, gate()), (2.0, Product(gate(), attention())))),
}
every = pytest.mark.parametrize("make", COMPOSED.values(), ids=COMPOSED)


@every
def test_applied_and_received_agree_with_what_is_written_out(make: Callable[[], Operator]) -> None:
    operator, values = make(), drawn(IMAGES, CHANNELS, HEIGHT, WIDTH, seed=3)
    dense = operator.dense().double().expand(IMAGES, -1, -1, -1)
    grouped = values.reshape(IMAGES, dense.shape[1], -1, HEIGHT * WIDTH)
    expected = torch.einsum("bhij,bhcj->bhci", dense, grouped).flatten(1, 2)
    torch.testing.assert_close(operator.apply(values).flatten(2), expected)
    received = operator.received().double().flatten(1)
    torch.testing.assert_close(received.expand(IMAGES, -1), dense.sum(2).mean(1))
    rows = drawn(IMAGES, *((2, 3) if isinstance(operator, WindowMeans) else (HEIGHT, WIDTH)), seed=4)
    counted = torch.einsum("bi,bhij->bj", rows.flatten(1), dense) / dense.shape[1]
    torch.testing.assert_close(operator.received(rows).flatten(1), counted)


def test_a_product_is_the_second_matrix_after_the_first() -> None:
    product = Product(gate(), attention()).dense()[:, 0].numpy()
    gates, matrix = gate().weights.flatten(1).numpy(), attention().dense()[:, 0].numpy()
    for image, i, j in np.ndindex(product.shape):
        assert product[image, i, j] == pytest.approx(gates[image, i] * matrix[image, i, j], abs=1e-12)


@pytest.mark.parametrize(("height", "width", "side"), [(5, 7, 2), (5, 7, 3), (4, 6, 2), (1, 3, 2), (2, 3, 5)])
def test_windows_at_the_border_are_means_of_what_lies_inside(height: int, width: int, side: int) -> None:
    values = drawn(IMAGES, 3, height, width)
    means = WindowMeans(height, width, side).apply(values)
    assert means.shape[2:] == (-(-height // side), -(-width // side))
    for row, column in np.ndindex(*means.shape[2:]):
        window = values[:, :, side * row : side * (row + 1), side * column : side * (column + 1)]
        torch.testing.assert_close(means[:, :, row, column], window.mean((2, 3)))
    received = WindowMeans(height, width, side).received()
    assert received.sum() == pytest.approx(means[0, 0].numel())


def test_each_operator_side_by_side_has_channels_of_its_own() -> None:
    values = drawn(IMAGES, CHANNELS, HEIGHT, WIDTH, seed=3)
    output = SideBySide((gate(), attention())).apply(values)
    torch.testing.assert_close(output[:, :3], gate().apply(values[:, :3]))
    torch.testing.assert_close(output[:, 3:], attention().apply(values[:, 3:]))
