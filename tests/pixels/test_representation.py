"""What goes for every pixel representation: images are checked on the way in."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from foveola.foundation.errors import FoveolaError
from foveola.pixels import compressed_representation, exact_representation, pixel_representation
from foveola.pixels.representation import checked_batches, image_size


class Source:
    """Batches that can be gone through again and again; counts how many were read."""

    def __init__(self, *batches: Any) -> None:
        self.batches, self.read = batches, 0

    def __iter__(self) -> Iterator[Any]:
        for batch in self.batches:
            self.read += 1
            yield batch


MAKERS: dict[str, Callable[[Any], object]] = {
    "checked_batches": lambda images: list(checked_batches(images)),
    "exact": exact_representation,
    "compressed": lambda images: compressed_representation(images, 2),
    "auto": pixel_representation,
    "auto over budget": lambda images: pixel_representation(images, dim=2, memory_mib=1e-6),
}


def spoiled(value: float) -> Tensor:
    images = torch.rand(5, 3, 12, 10)
    images[4, 1, 11, 9] = value
    return images


BAD = {
    "three dimensions": (Source(torch.rand(7, 12, 10)), r"as B x C x H x W, got the shape \(7, 12, 10\), in"),
    "five dimensions": (Source(torch.rand(7, 3, 2, 12, 10)), r"got the shape \(7, 3, 2, 12, 10\)"),
    "another height": (
        Source(torch.rand(7, 3, 12, 10), torch.rand(2, 3, 11, 10)),
        r"images of one size \(3, 12, 10\), got \(3, 11, 10\), in image 7; resize",
    ),
    "height and width swapped": (Source(torch.rand(7, 3, 12, 10), torch.rand(2, 3, 10, 12)), r"got \(3, 10, 12\)"),
    "another number of channels": (Source(torch.rand(7, 3, 12, 10), torch.rand(2, 1, 12, 10)), r"got \(1, 12, 10\)"),
    "NaN": (Source(torch.rand(7, 3, 12, 10), spoiled(math.nan)), "got NaN or infinity, in the images 7 to 11"),
    "infinity": (Source(spoiled(-math.inf)), "in the images 0 to 4; replace or remove them"),
    "no batches": (Source(), "expected at least one image, got none, in the training images"),
    "empty batches": (Source(torch.zeros(0, 3, 12, 10)), "expected at least one image, got none"),
    "arrays": (Source(np.zeros((7, 3, 12, 10))), "tensors B x C x H x W, got a ndarray"),
    "images with labels": (Source((torch.rand(7, 3, 12, 10), torch.arange(7))), "got a tuple, .*without labels"),
    "a generator": (
        (batch for batch in [torch.rand(7, 3, 12, 10)]),
        "images that can be gone through more than once, got a generator, .* pass a tensor or a list of batches",
    ),
    "an iterator": (iter([torch.rand(7, 3, 12, 10)]), "got a list_iterator"),
}


@pytest.mark.parametrize("maker", MAKERS)
@pytest.mark.parametrize("bad", BAD)
def test_bad_images_are_refused_by_every_representation_in_one_sentence(bad: str, maker: str) -> None:
    images, message = BAD[bad]
    with pytest.raises(FoveolaError, match=message):
        MAKERS[maker](images)


@settings(deadline=None, max_examples=20, derandomize=True)
@given(st.integers(1, 150), st.integers(1, 3), st.integers(1, 6), st.integers(1, 6))
def test_a_tensor_is_cut_into_batches_that_make_it_up(count: int, channels: int, height: int, width: int) -> None:
    images = torch.arange(count * channels * height * width).reshape(count, channels, height, width)
    batches = list(checked_batches(images))
    assert max(len(batch) for batch in batches) <= 64
    assert all(batch.dtype == torch.float32 for batch in batches)
    assert torch.equal(torch.cat(batches), images.float())


def test_batches_of_another_floating_point_type_stay_as_they_are() -> None:
    batch = torch.rand(7, 3, 12, 10, dtype=torch.float64)
    (checked,) = checked_batches([batch])
    assert checked is batch


def test_image_size_is_height_and_width_and_looks_at_one_batch_only() -> None:
    source = Source(torch.rand(7, 3, 12, 10), spoiled(math.nan))
    assert image_size(source) == (12, 10)
    assert source.read == 1
    assert image_size(torch.zeros(5, 1, 9, 14, dtype=torch.uint8)) == (9, 14)
    with pytest.raises(FoveolaError, match="got a generator"):
        image_size(batch for batch in [torch.rand(7, 3, 12, 10)])
