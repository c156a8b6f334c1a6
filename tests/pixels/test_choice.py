"""Exact while it fits the budget, compressed otherwise, and no image read for nothing."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from foveola.foundation.errors import FoveolaError
from foveola.pixels import compressed_representation, exact_representation, pixel_representation


class Counted:
    """Equal batches that can be gone through again and again; counts how many were read."""

    def __init__(self, batch: Tensor, count: int) -> None:
        self.batch, self.count, self.read = batch, count, 0

    def __iter__(self) -> Iterator[Tensor]:
        for _ in range(self.count):
            self.read += 1
            yield self.batch


@settings(deadline=None, max_examples=20, derandomize=True)
@given(
    st.integers(1, 20),
    st.integers(1, 3),
    st.integers(2, 8),
    st.integers(2, 8),
    st.sampled_from([torch.uint8, torch.float16, torch.float32, torch.float64]),
)
def test_the_border_is_four_bytes_a_value(
    count: int, channels: int, height: int, width: int, dtype: torch.dtype
) -> None:
    images = torch.ones(count, channels, height, width).to(dtype)
    size = 4 * count * channels * height * width
    assert pixel_representation(images, dim=3, memory_mib=size / 2**20).kind == "exact"
    assert pixel_representation(images, dim=3, memory_mib=(size - 1) / 2**20).kind == "compressed"


def test_the_budget_counts_all_batches() -> None:
    batches = [torch.ones(count, 3, 12, 10) for count in (7, 5, 2)]
    size = 4 * 14 * 3 * 12 * 10
    assert pixel_representation(batches, memory_mib=size / 2**20).kind == "exact"
    assert pixel_representation(batches, memory_mib=(size - 1) / 2**20).kind == "compressed"


def test_reading_stops_once_the_budget_is_spent() -> None:
    batch = torch.ones(2, 3, 12, 10)
    alone, chosen = Counted(batch, 40), Counted(batch, 40)
    compressed_representation(alone, 3)
    pixel_representation(chosen, dim=3, memory_mib=5.5 * 4 * batch.numel() / 2**20)
    assert chosen.read == alone.read + 6


def test_kinds_that_are_asked_for_are_made_whatever_the_budget() -> None:
    images = torch.rand(9, 3, 12, 10, generator=torch.Generator().manual_seed(1))
    exact = pixel_representation(images, "exact", memory_mib=1e-9)
    assert torch.equal(exact.features, exact_representation(images).features)
    compressed = pixel_representation(images, "compressed", dim=4, memory_mib=1e9, seed=3)
    assert torch.equal(compressed.features, compressed_representation(images, 4, seed=3).features)


def test_another_kind_is_refused_with_the_nearest_one() -> None:
    unchecked = inspect.unwrap(pixel_representation)
    with pytest.raises(FoveolaError, match="got 'exat', in representation; did you mean 'exact'"):
        unchecked(torch.rand(7, 3, 12, 10), "exat")
