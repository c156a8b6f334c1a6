"""A mask multiplies every channel of every image by one map."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from foveola.attention import FixedMask, InputMask, SigmoidMask


@settings(deadline=None, max_examples=20, derandomize=True)
@given(st.integers(1, 4), st.integers(1, 3), st.integers(1, 6), st.integers(1, 6))
def test_each_intensity_is_multiplied_by_the_weight_of_its_pixel(
    count: int, channels: int, height: int, width: int
) -> None:
    generator = torch.Generator().manual_seed(count)
    images = torch.randn(count, channels, height, width, generator=generator)
    values = torch.rand(height, width, generator=generator)
    expected = np.zeros(images.shape, np.float32)
    for n, c, y, x in np.ndindex(expected.shape):
        expected[n, c, y, x] = images[n, c, y, x] * values[y, x]
    np.testing.assert_array_equal(FixedMask(values)(images).numpy(), expected)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16])
def test_whole_numbers_are_not_rounded_away(dtype: torch.dtype) -> None:
    mask = SigmoidMask(12, 10)
    images = torch.full((2, 1, 12, 10), 101, dtype=dtype)
    assert torch.equal(mask(images).detach(), torch.full((2, 1, 12, 10), 50.5))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_floating_point_images_keep_their_type(dtype: torch.dtype) -> None:
    images = torch.ones(2, 1, 12, 10, dtype=dtype)
    masked = FixedMask(torch.full((12, 10), 0.25))(images)
    assert masked.dtype == dtype
    assert masked.unique().tolist() == [0.25]


def test_images_are_left_as_they_were() -> None:
    images = torch.rand(2, 3, 12, 10)
    before = images.clone()
    FixedMask(torch.zeros(12, 10))(images)
    assert torch.equal(images, before)


def test_a_mask_without_weights_cannot_be_made() -> None:
    with pytest.raises(TypeError, match="abstract"):
        InputMask()  # type: ignore[abstract]
