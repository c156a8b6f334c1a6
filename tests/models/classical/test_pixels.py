"""The pixels of an image as features."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from foveola.attention import ARMS
from foveola.foundation.errors import FoveolaError
from foveola.models import BackboneSettings, ImageShape, arm_network
from foveola.models.classical.pixels import Pixels, pixel_values

PIXEL_ARMS = ["logistic-regression", "svm"]


def test_an_image_is_flattened_as_it_is() -> None:
    images = torch.rand(5, 3, 6, 6)
    expected = images.numpy().reshape(5, -1)
    assert np.array_equal(Pixels(6)(images), expected)
    assert np.array_equal(Pixels(6)(images.contiguous(memory_format=torch.channels_last)), expected)
    assert np.array_equal(pixel_values(Pixels(6), list(images.split(2))), expected)


def test_a_larger_one_is_averaged_over_areas() -> None:
    images = torch.rand(2, 3, 12, 12)
    slowly = np.zeros((2, 3, 6, 6))
    for index in np.ndindex(2, 3, 12, 12):
        image, channel, row, column = index
        slowly[image, channel, row // 2, column // 2] += images[index].item() / 4
    assert np.allclose(Pixels(6)(images), slowly.reshape(2, -1), atol=1e-6)


@pytest.mark.parametrize("name", PIXEL_ARMS)
@pytest.mark.parametrize(("size", "features"), [(64, 10 * 10), (7, 7 * 7)])
def test_the_network_looks_at_no_more_pixels_than_it_is_told(name: str, size: int, features: int) -> None:
    arm, shape = ARMS[name], ImageShape(channels=1, size=10, classes=3)
    network = arm_network(arm, arm.configure({"size": size}), BackboneSettings(name="resnet18"), shape)
    assert network.get_buffer("standardise.mean").shape == (features,)
    assert network.eval()(torch.rand(2, 1, 10, 10)).shape == (2, 3)


@pytest.mark.parametrize("name", PIXEL_ARMS)
def test_a_size_of_nothing_is_refused(name: str) -> None:
    with pytest.raises(FoveolaError, match=r"got 0, in the settings of arm .*\.size"):
        ARMS[name].configure({"size": 0})
