"""The exact representation is the images with their first two dimensions made one."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from foveola.pixels import exact_representation


@settings(deadline=None, max_examples=20, derandomize=True)
@given(st.integers(1, 9), st.integers(1, 3), st.integers(1, 7), st.integers(1, 7), st.integers(1, 9))
def test_each_pixel_holds_its_intensities_in_all_images(
    count: int, channels: int, height: int, width: int, batch_size: int
) -> None:
    images = torch.randn(count, channels, height, width, generator=torch.Generator().manual_seed(count))
    representation = exact_representation(torch.split(images, batch_size))
    assert representation.features.shape == (count * channels, height, width)
    for image in range(count):
        for channel in range(channels):
            assert torch.equal(representation.features[image * channels + channel], images[image, channel])


def test_it_says_what_it_is() -> None:
    representation = exact_representation(torch.rand(7, 3, 12, 10))
    assert (representation.kind, representation.rows, representation.dim) == ("exact", 21, 21)
    assert (representation.scale, representation.energy) == (1.0, 1.0)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64, torch.float16, torch.bfloat16, torch.float64])
def test_features_are_single_precision_whatever_the_images(dtype: torch.dtype) -> None:
    images = (torch.arange(7 * 3 * 4 * 5) % 200).reshape(7, 3, 4, 5).to(dtype)
    representation = exact_representation(images)
    assert representation.features.dtype == torch.float32
    assert torch.equal(representation.features, images.float().reshape(21, 4, 5))


def test_later_changes_of_the_images_do_not_reach_the_features() -> None:
    images = torch.rand(7, 3, 12, 10)
    features = exact_representation(images).features
    before = features.clone()
    images.zero_()
    assert torch.equal(features, before)
