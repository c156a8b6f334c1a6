"""Stacks of images are read by their axes alone, and stretched as the command stretches images."""

from __future__ import annotations

import numpy as np
import pytest

from foveola.data.stored.geometry import prepare
from foveola.data.stored.preprocessing import Preprocessing
from foveola.estimator.array_inputs import channels_first, square_side, squares
from foveola.foundation.errors import InputError

RNG = np.random.default_rng(6)


def test_a_grey_stack_gets_an_axis() -> None:
    stack = RNG.random((7, 12, 10))
    np.testing.assert_array_equal(channels_first(stack)[:, 0], stack)


@pytest.mark.parametrize("channels", [1, 3])
def test_channels_are_found_on_either_side(channels: int) -> None:
    first = RNG.random((7, channels, 12, 10))
    last = np.zeros((7, 12, 10, channels))
    for image, channel, row, column in np.ndindex(*first.shape):
        last[image, row, column, channel] = first[image, channel, row, column]
    for stack, shape in ((first, (channels, 12, 10)), (last, (12, 10, channels))):
        np.testing.assert_array_equal(channels_first(stack), first)
        np.testing.assert_array_equal(channels_first(stack, shape), first)
        np.testing.assert_array_equal(channels_first(stack.reshape(7, -1), shape), first)


def test_the_second_axis_goes_before_the_last() -> None:
    stack = RNG.random((2, 3, 5, 3))
    np.testing.assert_array_equal(channels_first(stack), stack)


def test_rows_are_squares_or_lines() -> None:
    np.testing.assert_array_equal(channels_first(np.arange(18).reshape(2, 9))[1, 0], np.arange(9, 18).reshape(3, 3))
    np.testing.assert_array_equal(channels_first(np.arange(10).reshape(2, 5))[1, 0], [[5, 6, 7, 8, 9]])
    assert channels_first(np.zeros((2, 255))).shape == (2, 1, 1, 255)
    assert channels_first(np.zeros((2, 400))).shape == (2, 1, 20, 20)


@pytest.mark.parametrize(
    ("given", "shape", "message"),
    [
        ((2, 257), None, "rows of 257 values, in X; give image_shape"),
        ((2, 12, 10, 2), None, "change the order of the axes or the channels"),
        ((2, 1, 1, 12, 10), None, "change the order of the axes"),
        ((2, 12, 10), (10, 12, 1), r"fit image_shape=\(10, 12, 1\), got an X of shape \(2, 12, 10\)"),
        ((2, 12), (2, 3), r"fit image_shape=\(2, 3\)"),
        ((2, 12), (-3, -4), r"fit image_shape=\(-3, -4\)"),
        ((2, 0, 5), None, "of shape"),
        ((2, 12), (12,), "N x H x W"),
    ],
)
def test_other_axes_are_refused(given: tuple[int, ...], shape: tuple[int, ...] | None, message: str) -> None:
    with pytest.raises(InputError, match=message):
        channels_first(np.zeros(given), shape)


def test_the_side_is_the_larger_one() -> None:
    assert (square_side(12, 10), square_side(9, 11), square_side(1, 7)) == (12, 11, 8)


@pytest.mark.parametrize("size", [8, 11, 12, 17])
@pytest.mark.parametrize("kind", ["uint8", "float32"])
def test_images_are_stretched_as_the_command_does_it(size: int, kind: str) -> None:
    values = RNG.integers(0, 256, (5, 3, 12, 10), dtype=np.uint8)
    images = values if kind == "uint8" else (values / 255).astype(np.float32)
    expected = [prepare(image.transpose(1, 2, 0), "", Preprocessing(image_size=size), 3) for image in images]
    stretched = squares(images, size)
    assert stretched.dtype == images.dtype
    np.testing.assert_allclose(stretched, np.stack(expected), atol=1e-6)


def test_a_square_of_the_right_size_is_not_copied() -> None:
    images = RNG.random((2, 3, 9, 9)).astype(np.float32)
    assert squares(images, 9) is images


@pytest.mark.parametrize("size", [8, 20])
def test_pixels_of_tiny_images_are_repeated(size: int) -> None:
    images = RNG.normal(size=(2, 1, 4, 2)).astype(np.float32)
    expected = np.zeros((2, 1, size, size), np.float32)
    for image, row, column in np.ndindex(2, size, size):
        expected[image, 0, row, column] = images[image, 0, 4 * row // size, 2 * column // size]
    np.testing.assert_array_equal(squares(images, size), expected)
