"""The way of an image into the stored square, against a slow reading of the rule, and back."""

from __future__ import annotations

import math
from fractions import Fraction

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foveola.data.stored.geometry import frame_of, prepare, resampled
from foveola.data.stored.preprocessing import Preprocessing
from foveola.foundation.errors import FoveolaError


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
    height=st.integers(3, 40),
    width=st.integers(3, 40),
    size=st.integers(8, 30),
    seed=st.integers(0, 99),
    colour=st.booleans(),
)
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


def blobs(height: int, width: int, seed: int = 0) -> np.ndarray:
    """A mask of smooth blobs, 0 or 1."""
    noise = np.random.default_rng(seed).normal(size=(height, width)).astype(np.float32)
    return (cv2.GaussianBlur(noise, (0, 0), 3) > 0.05).astype(np.uint8)


@pytest.mark.parametrize("fit", ["stretch", "pad"])
@pytest.mark.parametrize("size", [31, 41, 48, 24, 97, 150])
@pytest.mark.parametrize(("height", "width"), [(96, 84), (97, 83)])
def test_image_and_mask_stay_aligned(height: int, width: int, size: int, fit: str) -> None:
    """An image whose intensities are its mask agrees with the stored mask best where neither is shifted."""
    mask = blobs(height, width)
    frame = frame_of(height, width, Preprocessing(image_size=size, fit=fit), "")
    image = frame.to_stored(mask.astype(np.float32))
    stored = frame.to_stored(mask, nearest=True)
    inner = np.s_[8:-8, 8:-8]
    agreement = {
        (down, across): np.corrcoef(np.roll(stored, (down, across), (0, 1))[inner].ravel(), image[inner].ravel())[0, 1]
        for down in (-1, 0, 1)
        for across in (-1, 0, 1)
    }
    assert max(agreement, key=lambda shift: agreement[shift]) == (0, 0)
    assert agreement[0, 0] > 0.85


@pytest.mark.parametrize("size", [20, 25, 33, 50, 61])
def test_nearest_is_off_by_at_most_half_a_pixel_of_the_finer_grid(size: int) -> None:
    """A ramp, read at the nearest pixel, against the mean of the area that it stands for; most methods drift."""
    ramp = np.tile(np.arange(50, dtype=np.float64), (7, 1))
    nearest, area = resampled(ramp, 7, size, nearest=True), resampled(ramp, 7, size)
    inner = np.s_[:, 1:-1]
    assert np.abs(nearest - area)[inner].max() <= 0.5 + 1e-6


@given(
    height=st.integers(2, 40),
    width=st.integers(2, 40),
    size=st.integers(8, 50),
    right=st.booleans(),
    fit=st.sampled_from(["stretch", "pad"]),
)
@settings(deadline=None, max_examples=40, derandomize=True)
def test_every_stored_class_is_that_of_the_pixel_under_its_centre(
    height: int, width: int, size: int, right: bool, fit: str
) -> None:
    mask = np.random.default_rng(height).integers(0, 9, (height, width), dtype=np.uint8)
    frame = frame_of(height, width, Preprocessing(image_size=size, fit=fit), "R" if right else "L")
    stored = frame.to_stored(mask, nearest=True, padding=255)
    seen = mask[:, ::-1] if right else mask
    (top, bottom), (left, end) = ((side.start, side.stop) for side in frame.inside)
    for row in range(size):
        for column in range(size):
            if not (top <= row < bottom and left <= column < end):
                assert stored[row, column] == 255
                continue
            down = Fraction(2 * (row - top) + 1, 2 * (bottom - top))
            across = Fraction(2 * (column - left) + 1, 2 * (end - left))
            assert stored[row, column] == seen[math.floor(down * height), math.floor(across * width)]


@pytest.mark.parametrize("side", ["L", "R"])
@pytest.mark.parametrize(("fit", "crop"), [("stretch", None), ("pad", None), ("pad", (3, 5, 50, 31))])
def test_a_mask_that_was_enlarged_comes_back_as_it_was(
    fit: str, crop: tuple[int, int, int, int] | None, side: str
) -> None:
    mask = np.random.default_rng(4).integers(1, 6, (37, 53), dtype=np.uint8)
    frame = frame_of(37, 53, Preprocessing(image_size=71, fit=fit, crop=crop), side)
    back = frame.to_original(frame.to_stored(mask, nearest=True, padding=255), nearest=True)
    expected = np.zeros_like(mask)
    expected[frame.seen] = mask[frame.seen]
    assert np.array_equal(back, expected)


@pytest.mark.parametrize("scale", [1, 2])
@pytest.mark.parametrize("side", ["L", "R"])
def test_probabilities_come_back_to_where_they_were(side: str, scale: int) -> None:
    """Channels that are coordinates are found again, from the stored grid and from a coarser one."""
    rows, columns = np.mgrid[:53, :67].astype(np.float32) / 67
    image = np.stack([rows, columns, 1 - rows, rows * columns, columns / 2], axis=2)
    frame = frame_of(53, 67, Preprocessing(image_size=48, fit="pad", crop=(2, 3, 66, 51)), side)
    stored = frame.to_stored(image)
    grid = stored.reshape(48 // scale, scale, 48 // scale, scale, 5).mean(axis=(1, 3))
    back = frame.to_original(grid)
    assert back.shape == image.shape
    assert (back[:3] == 0).all()
    assert (back[:, :2] == 0).all()
    inner = np.s_[9:-8, 8:-8]
    np.testing.assert_allclose(back[inner], image[inner], atol=0.6 * scale / 48)


@given(height=st.integers(2, 400), width=st.integers(2, 400), size=st.integers(8, 300))
@settings(deadline=None, derandomize=True)
def test_padding_keeps_the_shape_and_the_middle(height: int, width: int, size: int) -> None:
    frame = frame_of(height, width, Preprocessing(image_size=size, fit="pad"), "")
    taken = [side.stop - side.start for side in frame.inside]
    assert max(taken) == size
    for side, length in zip(frame.inside, (height, width), strict=True):
        exact = size * length / max(height, width)
        assert abs(side.stop - side.start - max(exact, 1)) <= 0.5
        assert 0 <= (size - side.stop) - side.start <= 1


def test_stored_pixels_cover_what_the_original_ones_did() -> None:
    frame = frame_of(60, 90, Preprocessing(image_size=36, fit="pad", crop=(10, 0, 90, 60)), "R")
    assert frame.inside == (slice(4, 31), slice(0, 36))
    down, across = frame.stored_spacing((0.5, 0.25))
    assert down * 27 == pytest.approx(60 * 0.5)
    assert across * 36 == pytest.approx(80 * 0.25)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kind", [np.uint8, np.float32])
def test_a_padded_image_is_the_resized_one_with_zeros_beside_it(kind: type, channels: int) -> None:
    values = np.random.default_rng(6).integers(40, 256, (25, 40, 3), dtype=np.uint8)
    image = values if kind is np.uint8 else values.astype(np.float32) / 255
    padded = prepare(image, "", Preprocessing(image_size=16, fit="pad"), channels)
    assert padded.shape == (channels, 16, 16)
    assert padded.dtype == kind
    assert (padded[:, :3] == 0).all()
    assert (padded[:, 13:] == 0).all()
    if channels == 3:
        plane = padded[1, 3:13].astype(float) * (1 if kind is np.uint8 else 255)
        expected = axis_weights(25, 10) @ values[..., 1].astype(float) @ axis_weights(40, 16).T
        assert np.abs(plane - expected).max() <= 1
