"""Images of any size, and the groups of places."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from foveola.models.zoo.segmenter import Segmenter, padded, places


class Strict(Segmenter):
    """Puts out two multiples of the images, and takes no size that is not a multiple of its stride."""

    stride = 8

    def logits(self, images: Tensor) -> Tensor:
        assert images.shape[2] % 8 == 0
        assert images.shape[3] % 8 == 0
        return torch.cat([2 * images, 3 * images], dim=1)


@pytest.mark.parametrize("size", [(50, 70), (16, 24), (3, 41), (1, 1)])
def test_logits_have_the_size_of_the_images_and_stay_where_they_are(size: tuple[int, int]) -> None:
    images = torch.rand(2, 1, *size)
    torch.testing.assert_close(Strict()(images), torch.cat([2 * images, 3 * images], dim=1))


@pytest.mark.parametrize(("size", "multiple"), [((12, 10), 8), ((3, 5), 32), ((1, 7), 4)])
def test_the_border_is_repeated_below_and_on_the_right(size: tuple[int, int], multiple: int) -> None:
    images = np.random.default_rng(0).random((2, 3, *size), dtype=np.float32)
    below, right = (-side % multiple for side in size)
    expected = np.pad(images, ((0, 0), (0, 0), (0, below), (0, right)), mode="edge")
    np.testing.assert_array_equal(padded(torch.from_numpy(images), multiple).numpy(), expected)


def test_images_that_fit_are_not_copied() -> None:
    images = torch.rand(2, 3, 16, 24)
    assert padded(images, 8) is images


def test_padding_keeps_the_memory_format() -> None:
    images = torch.rand(2, 3, 12, 10).to(memory_format=torch.channels_last)
    assert padded(images, 8).is_contiguous(memory_format=torch.channels_last)


def test_groups_of_places() -> None:
    groups = places(["a", "b", "c", "d"], ["skip1", "skip2"])
    assert groups["auto"] == ("bottleneck", "a", "b", "c")
    assert groups["stages"] == ("a", "b", "c", "d")
    assert groups["skips"] == ("skip1", "skip2")
    assert groups["bottleneck"] == ("bottleneck",)
    assert places(["a", "b"], [], attended=1)["auto"] == ("bottleneck", "a")
