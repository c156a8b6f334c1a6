"""The resize rule, against a slow reading of it, and the way back onto the image as it was taken."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from foveola.data.stored.geometry import prepare
from foveola.data.stored.preprocessing import Preprocessing
from foveola.foundation.errors import FoveolaError
from foveola.maps.resize import RULE, on_original, resized

MAP = np.random.default_rng(2).normal(size=(5, 4))
MAPS = arrays(np.float64, st.tuples(st.integers(1, 7), st.integers(1, 6)), elements=st.floats(-9, 9))
SIZES = st.integers(1, 23)


def slow_value(values: np.ndarray, place: float) -> np.ndarray:
    """Reads a row of cells at a place in units of cells, between the centres, which lie at 0.5, 1.5, ..."""
    place = min(max(place - 0.5, 0), len(values) - 1)
    below = min(math.floor(place), max(len(values) - 2, 0))
    above = min(below + 1, len(values) - 1)
    return np.asarray(values[below] + (place - below) * (values[above] - values[below]))


@pytest.mark.parametrize(("height", "width"), [(5, 4), (9, 4), (5, 13), (23, 17), (10, 8)])
def test_a_map_is_enlarged_linearly_between_the_centres_of_its_cells(height: int, width: int) -> None:
    enlarged = resized(MAP, height, width)
    assert enlarged.shape == (height, width)
    for row in range(height):
        across = slow_value(MAP, (row + 0.5) * 5 / height)
        for column in range(width):
            expected = slow_value(across, (column + 0.5) * 4 / width)
            assert enlarged[row, column] == pytest.approx(float(expected), abs=1e-9)


def test_it_is_what_torch_calls_bilinear_without_aligned_corners() -> None:
    values = torch.from_numpy(MAP)[None, None]
    expected = torch.nn.functional.interpolate(values, (19, 11), mode="bilinear", align_corners=False)[0, 0]
    np.testing.assert_allclose(resized(MAP, 19, 11), expected.numpy(), atol=1e-12)


def test_a_map_that_shrinks_is_averaged() -> None:
    big = np.random.default_rng(3).random((12, 10), dtype=np.float32)
    expected = [
        [big[4 * row : 4 * row + 4, 5 * column : 5 * column + 5].mean() for column in (0, 1)] for row in range(3)
    ]
    np.testing.assert_allclose(resized(big, 3, 2), expected, rtol=1e-6)


@given(MAPS, SIZES, SIZES)
def test_no_value_is_new_and_a_flat_map_stays_flat(values: np.ndarray, height: int, width: int) -> None:
    made = resized(values, height, width)
    assert made.shape == (height, width)
    assert values.min() <= made.min() <= made.max() <= values.max()
    assert (resized(np.full(values.shape, 0.3), height, width) == 0.3).all()


@given(MAPS, st.integers(1, 5), st.integers(1, 5))
def test_both_cover_the_same_rectangle(values: np.ndarray, tall: int, wide: int) -> None:
    """Mirrored before or after is the same, and no axis is taken for the other."""
    height, width = tall * values.shape[0], wide * values.shape[1]
    np.testing.assert_allclose(resized(values[::-1], height, width), resized(values, height, width)[::-1], atol=1e-5)
    np.testing.assert_allclose(resized(values.T, width, height), resized(values, height, width).T, atol=1e-5)


@pytest.mark.parametrize("side", ["L", "R", ""])
@pytest.mark.parametrize("flip", [True, False])
@pytest.mark.parametrize("fit", ["stretch", "pad"])
@pytest.mark.parametrize("crop", [None, (7, 3, 61, 40), (0, 0, 20, 17)])
def test_a_map_comes_back_to_where_it_came_from(
    crop: tuple[int, int, int, int] | None, fit: str, flip: bool, side: str
) -> None:
    """An image of its own coordinates, sent through the preprocessing and back, finds them again."""
    settings = Preprocessing.model_validate({"image_size": 48, "crop": crop, "flip": flip, "fit": fit})
    rows, columns = np.mgrid[:53, :67].astype(np.float32) / 67
    for coordinates in (rows, columns):
        prepared = prepare(coordinates, side, settings, 1)[0]
        values, seen = on_original(prepared, 53, 67, settings, side)
        original = coordinates[seen]
        assert values.shape == original.shape
        inner = np.s_[2:-2, 2:-2]  # at the border the outermost values go on
        np.testing.assert_allclose(values[inner], original[inner], atol=0.6 / 67)
    left, top, right, bottom = crop or (0, 0, 67, 53)
    assert seen == (slice(top, bottom), slice(left, right))


def test_what_is_no_map_is_refused() -> None:
    for broken in (np.full((3, 4), np.nan), np.zeros((3, 4, 2)), np.zeros((0, 4))):
        with pytest.raises(FoveolaError, match="finite map"):
            resized(broken, 12, 10)


def test_the_rule_is_said_in_words() -> None:
    assert "linearly" in RULE
    assert "averaged over areas" in RULE
    assert "no map" in RULE
