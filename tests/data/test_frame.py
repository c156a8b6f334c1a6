"""The way of an image into the stored square, against a slow reading of the rule, and back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foveola.data.frame import prepare
from foveola.data.preprocessing import Preprocessing
from foveola.errors import FoveolaError


def axis_weights(length: int, size: int) -> np.ndarray:
    """Weights ``size x length``: covered share of each source pixel if it shrinks, two neighbours if it grows."""
    weights = np.zeros((size, length))
    scale = length / size
    for i in range(size):
        if size <= length:
            for j in range(length):
                weights[i, j] = max(0.0, min(j + 1, (i + 1) * scale) - max(j, i * scale)) / scale
        else:
            centre = (i + 0.5) * scale - 0.5
            low = int(np.floor(centre))
            for j, weight in ((low, low + 1 - centre), (low + 1, centre - low)):
                weights[i, min(max(j, 0), length - 1)] += weight
    return weights


def resized(plane: np.ndarray, size: int) -> np.ndarray:
    height, width = plane.shape
    return axis_weights(height, size) @ plane.astype(np.float64) @ axis_weights(width, size).T


@pytest.fixture
def photograph() -> np.ndarray:
    """12 high, 10 wide, a red top left corner and a blue bottom right one."""
    image = np.zeros((12, 10, 3), np.uint8)
    image[:3, :4] = (200, 0, 0)
    image[9:, 8:] = (0, 30, 250)
    return image


@given(
    height=st.integers(3, 40), width=st.integers(3, 40), size=st.integers(8, 30), seed=st.integers(0, 99),
    colour=st.booleans(),
)  # fmt: skip
@settings(deadline=None, max_examples=30, derandomize=True)
def test_resizing_agrees_with_fractional_coverage(height: int, width: int, size: int, seed: int, colour: bool) -> None:
    shape = (height, width, 3) if colour else (height, width)
    image = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    planes = prepare(image, "", Preprocessing(image_size=size), 3 if colour else 1)
    assert planes.dtype == np.uint8
    for channel, plane in enumerate(planes):
        expected = resized(image[..., channel] if colour else image, size)
        tolerance = 1.0 if size <= min(height, width) else 1.6  # two roundings where one axis grows
        assert np.abs(plane - expected).max() <= tolerance


def test_floats_are_resized_as_floats_and_stay_in_range() -> None:
    image = np.random.default_rng(3).random((31, 17)).astype(np.float32)
    image[:5] = 1
    plane = prepare(image, "", Preprocessing(image_size=11), 1)[0]
    assert plane.dtype == np.float32
    assert plane.max() <= 1
    np.testing.assert_allclose(plane, resized(image, 11), atol=1e-5)


def test_a_size_that_is_right_already_changes_nothing() -> None:
    image = np.random.default_rng(0).integers(0, 256, (9, 9, 3), dtype=np.uint8)
    assert np.array_equal(prepare(image, "L", Preprocessing(image_size=9), 3), np.moveaxis(image, 2, 0))


def test_colours_and_axes_keep_their_order(photograph: np.ndarray) -> None:
    red, green, blue = prepare(photograph, "L", Preprocessing(image_size=60), 3)
    assert (red[0, 0], green[0, 0], blue[0, 0]) == (200, 0, 0)
    assert (red[-1, -1], green[-1, -1], blue[-1, -1]) == (0, 30, 250)
    assert red[0, -1] == red[-1, 0] == 0
    assert (red > 100).sum(axis=0).max() == 60 * 3 // 12  # height of the corner
    assert (red > 100).sum(axis=1).max() == 60 * 4 // 10  # width of the corner


@pytest.mark.parametrize(
    ("side", "flip", "mirrored"), [("R", True, True), ("L", True, False), ("", True, False), ("R", False, False)]
)
def test_only_right_eyes_are_mirrored_and_only_if_asked(
    photograph: np.ndarray, side: str, flip: bool, mirrored: bool
) -> None:
    got = prepare(photograph, side, Preprocessing(image_size=30, flip=flip), 3)
    plain = prepare(photograph, "", Preprocessing(image_size=30), 3)
    assert np.array_equal(got, plain[:, :, ::-1] if mirrored else plain)
    assert not np.array_equal(plain, plain[:, :, ::-1])


def test_the_crop_is_cut_before_mirroring(photograph: np.ndarray) -> None:
    cropped = prepare(photograph, "R", Preprocessing(image_size=8, crop=(2, 1, 10, 9)), 3)
    assert np.array_equal(cropped, np.moveaxis(photograph[1:9, 2:10][:, ::-1], 2, 0))


@pytest.mark.parametrize("crop", [(0, 0, 11, 12), (0, 0, 10, 13)])
def test_a_crop_beyond_the_image_is_refused(photograph: np.ndarray, crop: tuple[int, int, int, int]) -> None:
    with pytest.raises(FoveolaError, match=r"10 x 12 pixels, in eye\.png; .*crop"):
        prepare(photograph, "", Preprocessing(image_size=8, crop=crop), 3, where="eye.png")


def test_channels() -> None:
    colour = np.random.default_rng(1).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    luma = prepare(colour, "", Preprocessing(image_size=8), 1)
    assert luma.shape == (1, 8, 8)
    assert np.abs(luma[0] - colour @ np.array([0.299, 0.587, 0.114])).max() <= 0.51
    copies = prepare(colour[..., 0], "", Preprocessing(image_size=8), 3)
    assert np.array_equal(copies, np.stack([colour[..., 0]] * 3))
