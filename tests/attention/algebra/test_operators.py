"""Every operator is the matrix that it stands for: applied, written out, and asked what each position received."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from foveola.attention.algebra import Operator, Pointwise, Pooling, SelfAttention, Shared, Sum

HEIGHT, WIDTH, CHANNELS, IMAGES = 4, 3, 6, 2
N = HEIGHT * WIDTH


def drawn(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def attention(heads: int = 2, depth: int = 5, keys: tuple[int, int] = (HEIGHT, WIDTH)) -> SelfAttention:
    return SelfAttention(drawn(IMAGES, heads, depth, HEIGHT, WIDTH), drawn(IMAGES, heads, depth, *keys, seed=1), 0.7)


def gate(groups: int) -> Pointwise:
    return Pointwise(drawn(IMAGES, groups, HEIGHT, WIDTH, seed=2))


OPERATORS: dict[str, Callable[[], Operator]] = {
    "shared": lambda: Shared(drawn(HEIGHT, WIDTH)),
    **{f"pointwise, {groups}": lambda groups=groups: gate(groups) for groups in (1, 2, 3, CHANNELS)},  # type: ignore[misc]
    "pooling": lambda: Pooling(drawn(IMAGES, 1, HEIGHT, WIDTH)),
    "pooling, 3": lambda: Pooling(drawn(IMAGES, 3, HEIGHT, WIDTH)),
    "self-attention": lambda: attention(heads=1),
    "self-attention, 2 heads, shallow": lambda: attention(heads=2, depth=1),
    "self-attention, deep": lambda: attention(heads=3, depth=7),
    "self-attention, coarse keys": lambda: attention(keys=(2, 2)),
    "sum": lambda: Sum(((0.3, gate(1)), (torch.tensor(1.7), attention()))),
    "sum, groups and heads": lambda: Sum(((-2.0, gate(3)), (0.5, attention(heads=2)), (1.0, Shared(drawn(4, 3))))),
    "sum of sums": lambda: Sum(((2.0, Sum(((0.5, gate(2)), (1.5, gate(6))))), (0.1, Shared(drawn(4, 3, seed=8))))),
}
every_operator = pytest.mark.parametrize("make", OPERATORS.values(), ids=OPERATORS)


def values_for(operator: Operator, seed: int = 3) -> Tensor:
    keys = operator.keys.shape[-2:] if isinstance(operator, SelfAttention) else (HEIGHT, WIDTH)
    return drawn(IMAGES, CHANNELS, *keys, seed=seed)


def slow_matrix(operator: Operator, image: int, channel: int) -> np.ndarray:
    """A for one image and channel, entry by entry after the table of operators."""
    if isinstance(operator, Sum):
        parts = [float(weight) * slow_matrix(term, image, channel) for weight, term in operator.terms]
        return np.asarray(sum(parts))
    if isinstance(operator, SelfAttention):
        queries, keys = operator.queries.detach().numpy()[image], operator.keys.detach().numpy()[image]
        head = channel // (CHANNELS // len(queries))
        matrix = np.zeros((queries[0, 0].size, keys[0, 0].size))
        for i, (y, x) in enumerate(np.ndindex(queries.shape[2:])):
            scores = [
                operator.scale * queries[head, :, y, x] @ keys[head, :, v, u] for v, u in np.ndindex(keys.shape[2:])
            ]
            exponents = np.exp(np.array(scores) - max(scores))
            matrix[i] = exponents / exponents.sum()
        return matrix
    weights = operator.weights.detach().numpy()  # type: ignore[attr-defined]
    if not isinstance(operator, Shared):
        weights = weights[image, channel // (CHANNELS // weights.shape[1])]
    row = np.array([weights[y, x] for y, x in np.ndindex(HEIGHT, WIDTH)])
    return row[None] if isinstance(operator, Pooling) else np.diag(row)


@every_operator
def test_applied_it_is_the_sum_over_positions(make: Callable[[], Operator]) -> None:
    operator = make()
    values = values_for(operator)
    applied = operator.apply(values).numpy()
    for image, channel in np.ndindex(IMAGES, CHANNELS):
        expected = slow_matrix(operator, image, channel) @ values[image, channel].flatten().numpy()
        np.testing.assert_allclose(applied[image, channel].reshape(-1), expected, rtol=1e-6)


@every_operator
def test_written_out_it_is_the_matrix(make: Callable[[], Operator]) -> None:
    operator = make()
    dense = operator.dense().expand(IMAGES, -1, -1, -1).numpy()
    for image, channel in np.ndindex(IMAGES, CHANNELS):
        head = channel // (CHANNELS // dense.shape[1])
        np.testing.assert_allclose(dense[image, head], slow_matrix(operator, image, channel), rtol=1e-6, atol=1e-12)


@every_operator
def test_received_are_the_column_sums_averaged_over_channels(make: Callable[[], Operator]) -> None:
    operator = make()
    received = operator.received()
    assert received.shape[-2:] == values_for(operator).shape[-2:]
    received = received.expand(IMAGES, *received.shape[-2:])
    for image in range(IMAGES):
        sums = [slow_matrix(operator, image, channel).sum(0) for channel in range(CHANNELS)]
        np.testing.assert_allclose(received[image].flatten(), np.mean(sums, 0), rtol=1e-6)


@every_operator
def test_rows_count_in_what_is_received_as_they_are_told_to(make: Callable[[], Operator]) -> None:
    operator = make()
    rows = drawn(IMAGES, *((1, 1) if isinstance(operator, Pooling) else (HEIGHT, WIDTH)), seed=4)
    received = operator.received(rows)
    for image in range(IMAGES):
        counts = rows[image].flatten().numpy()
        sums = [counts @ slow_matrix(operator, image, channel) for channel in range(CHANNELS)]
        np.testing.assert_allclose(received[image].flatten(), np.mean(sums, 0), rtol=1e-6)


def test_only_what_images_share_is_one_map_for_all() -> None:
    for name, make in OPERATORS.items():
        assert make().received().ndim == (2 if name == "shared" else 3), name


sizes = st.integers(1, 5)


@settings(deadline=None, max_examples=40, derandomize=True)
@given(images=st.integers(1, 3), heads=st.integers(1, 3), depth=sizes, width=sizes, grids=st.tuples(*[sizes] * 4))
def test_self_attention_of_any_shape_is_its_matrix(
    images: int, heads: int, depth: int, width: int, grids: tuple[int, int, int, int]
) -> None:
    height, broad, rows, columns = grids
    operator = SelfAttention(
        drawn(images, heads, depth, height, broad), drawn(images, heads, depth, rows, columns), 0.4
    )
    values = drawn(images, heads * width, rows, columns, seed=5)
    dense = operator.dense()
    expected = torch.einsum("bhij,bhcj->bhci", dense, values.reshape(images, heads, width, -1))
    torch.testing.assert_close(operator.apply(values), expected.reshape(images, heads * width, height, broad))
    torch.testing.assert_close(dense.sum(-1), torch.ones_like(dense[..., 0]))
    torch.testing.assert_close(operator.received().sum((1, 2)), torch.full((images,), 1.0 * height * broad).double())


@settings(deadline=None, max_examples=40, derandomize=True)
@given(images=st.integers(1, 3), groups=st.integers(1, 3), each=st.integers(1, 3), height=sizes, width=sizes)
def test_gates_and_pools_of_any_shape_are_their_matrices(
    images: int, groups: int, each: int, height: int, width: int
) -> None:
    weights, values = drawn(images, groups, height, width), drawn(images, groups * each, height, width, seed=1)
    for operator in (Pointwise(weights), Pooling(weights), Shared(weights[0, 0])):
        dense = operator.dense()
        matrices = dense.expand(images, groups, *dense.shape[2:]).repeat_interleave(each, 1)
        expected = (matrices @ values.flatten(2)[..., None])[..., 0]
        torch.testing.assert_close(operator.apply(values).flatten(2), expected)
        received = dense.sum(2).mean(1).reshape(-1, height, width)
        torch.testing.assert_close(operator.received().expand(len(received), -1, -1), received)


def test_more_rows_than_fit_a_chunk_are_all_counted() -> None:
    queries, keys = drawn(2, 1, 4, 23, 29), drawn(2, 1, 4, 5, 7)
    operator = SelfAttention(queries, keys, 0.5)
    torch.testing.assert_close(operator.received().flatten(1), operator.dense().sum(2)[:, 0])
    rows = drawn(2, 23, 29, seed=2)
    counted = (rows.flatten(1)[:, None] @ operator.dense()[:, 0])[:, 0]
    torch.testing.assert_close(operator.received(rows).flatten(1), counted)


def leaves(operator: Operator) -> list[Tensor]:
    """The tensors that an operator is made of."""
    if isinstance(operator, Sum):
        return [leaf for weight, term in operator.terms for leaf in (weight, *leaves(term)) if isinstance(leaf, Tensor)]
    return [operator.queries, operator.keys] if isinstance(operator, SelfAttention) else [operator.weights]  # type: ignore[attr-defined]


@every_operator
def test_gradients_are_those_of_finite_differences(make: Callable[[], Operator]) -> None:
    operator = make()
    values, own = values_for(operator), leaves(operator)
    for leaf in own:
        leaf.data = leaf.data.double()
    tensors = [values, *own]
    for tensor in tensors:
        tensor.requires_grad_()
    directions = [torch.randn_like(tensor) for tensor in tensors]
    output = operator.apply(values)
    weights = torch.randn_like(output)
    gradients = torch.autograd.grad((output * weights).sum(), tensors)
    slope = sum((gradient * direction).sum() for gradient, direction in zip(gradients, directions, strict=True))
    ends = []
    with torch.no_grad():
        for step in (1e-5, -2e-5):
            for tensor, direction in zip(tensors, directions, strict=True):
                tensor += step * direction
            ends.append((operator.apply(values) * weights).sum())
    torch.testing.assert_close(slope, (ends[0] - ends[1]) / 2e-5, rtol=1e-6, atol=1e-8)


def test_coefficients_of_a_sum_learn() -> None:
    alpha, beta = torch.nn.Parameter(torch.tensor(0.2)), torch.nn.Parameter(torch.tensor(0.9))
    operator = Sum(((alpha, gate(1)), (beta, attention())))
    values = values_for(operator)
    operator.apply(values).sum().backward()  # type: ignore[no-untyped-call]
    assert alpha.grad is not None
    assert beta.grad is not None
    assert alpha.grad.item() == pytest.approx((gate(1).apply(values)).sum().item())
    assert beta.grad.item() == pytest.approx((attention().apply(values)).sum().item())


@every_operator
def test_half_precision_agrees(make: Callable[[], Operator]) -> None:
    operator = make()
    values = values_for(operator)
    expected, received = operator.apply(values), operator.received().clone()
    for leaf in leaves(operator):
        leaf.data = leaf.data.to(torch.bfloat16) if leaf.ndim else leaf.data
    half = operator.apply(values.to(torch.bfloat16))
    assert half.dtype == torch.bfloat16
    torch.testing.assert_close(half.double(), expected, rtol=0.05, atol=0.08)
    torch.testing.assert_close(operator.received().double(), received, rtol=0.05, atol=0.05)


def test_a_map_of_many_rows_is_summed_in_single_precision() -> None:
    """In bfloat16 sums near 1 come in steps of 1/128, and a map that differs by less would look flat."""
    queries, keys = drawn(1, 1, 4, 24, 20, dtype=torch.float32), drawn(1, 1, 4, 24, 20, seed=1, dtype=torch.float32)
    half = SelfAttention(queries.bfloat16(), keys.bfloat16(), 0.02).received()
    assert half.dtype == torch.float32
    assert torch.unique(half).numel() > 400


@pytest.mark.parametrize(
    "make", [lambda: gate(1), lambda: gate(2), lambda: Shared(drawn(4, 3)), lambda: Pooling(drawn(2, 3, 4, 3))]
)
def test_whole_numbers_are_weighed_without_rounding(make: Callable[[], Operator]) -> None:
    operator, values = make(), torch.arange(2 * 6 * 12).reshape(2, 6, 4, 3)
    torch.testing.assert_close(operator.apply(values), operator.apply(values.double()))


class Largest(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes the largest number of elements of any tensor that an operation makes, forward or backward."""

    elements = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        output = function(*args, **(kwargs or {}))
        self.elements = max(
            [self.elements, *(leaf.numel() for leaf in tree_leaves(output) if isinstance(leaf, Tensor))]
        )
        return output


@pytest.mark.parametrize(("depth", "width"), [(8, 8), (4, 16), (16, 4)])
def test_self_attention_makes_no_tensor_that_grows_with_the_square(depth: int, width: int) -> None:
    side = 64
    queries, keys = (drawn(1, 1, depth, side, side, seed=s, dtype=torch.float32).requires_grad_() for s in (0, 1))
    values = drawn(1, width, side, side, dtype=torch.float32).requires_grad_()
    operator = Sum(((torch.tensor(0.5), SelfAttention(queries, keys, 1 / math.sqrt(depth))),))
    with Largest() as largest:  # type: ignore[no-untyped-call]
        operator.apply(values).sum().backward()  # type: ignore[no-untyped-call]
    assert largest.elements <= 2 * side**2 * max(depth, width)
    with Largest() as largest:  # type: ignore[no-untyped-call]
        operator.received()
    assert largest.elements == 256 * side**2


def test_the_map_of_self_attention_keeps_nothing_for_a_backward_pass() -> None:
    operator = attention()
    operator.queries.requires_grad_()
    assert operator.apply(values_for(operator)).requires_grad
    assert not operator.received().requires_grad
    assert operator.dense().requires_grad


def test_an_operator_without_a_matrix_cannot_be_made() -> None:
    with pytest.raises(TypeError, match="abstract"):
        Operator()  # type: ignore[abstract]
