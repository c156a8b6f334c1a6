"""The Dice score of a band around the outline, against distances of all pairs of pixels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from foveola.statistics.metrics.boundary import BAND, boundary_dice

masks = arrays(bool, (6, 9))
patient = settings(max_examples=30, deadline=None)


def slow(predicted: np.ndarray, reference: np.ndarray, scored: np.ndarray, band: int) -> float:
    places = [(y, x) for y in range(scored.shape[0]) for x in range(scored.shape[1]) if scored[y, x]]
    there = {place for place in places if reference[place]}
    called = {place for place in places if predicted[place]}
    beside = {
        (y, x)
        for y, x in places
        if any((y - v) ** 2 + (x - u) ** 2 <= band**2 for v, u in places if ((v, u) in there) != ((y, x) in there))
    }
    if not beside:
        return float(called == there)
    both = 2 * len(called & there & beside)
    return both / (len(called & beside) + len(there & beside))


@given(masks, masks, masks, st.integers(1, 4))
@patient
def test_the_band_is_that_of_all_pairs(a: np.ndarray, b: np.ndarray, scored: np.ndarray, band: int) -> None:
    assert boundary_dice(a, b, scored, band) == pytest.approx(slow(a, b, scored, band))
    everywhere = np.ones_like(scored)
    assert boundary_dice(a, b, everywhere, band) == pytest.approx(slow(a, b, everywhere, band))


def test_the_band_of_a_large_object_is_that_of_scipys_transform() -> None:
    rng = np.random.default_rng(2)
    a, b = (ndimage.gaussian_filter(rng.normal(size=(80, 110)), 6) > 0.01 for _ in range(2))
    near = np.where(b, ndimage.distance_transform_edt(b), ndimage.distance_transform_edt(~b)) <= BAND
    expected = 2 * (a & b & near).sum() / ((a & near).sum() + (b & near).sum())
    assert 0 < near.mean() < 0.9
    assert boundary_dice(a, b, np.ones_like(b)) == pytest.approx(expected)


def test_only_what_lies_beside_the_outline_counts() -> None:
    reference = np.zeros((30, 40), dtype=bool)
    reference[8:22, 10:30] = True
    scored = np.ones_like(reference)
    far = reference.copy()
    far[14, 20], far[0, 0] = False, True
    assert boundary_dice(far, reference, scored) == 1
    near = reference.copy()
    near[7, 20] = True
    assert boundary_dice(near, reference, scored) < 1


def test_the_edge_of_the_image_and_of_what_is_scored_are_no_outline() -> None:
    reference = np.zeros((20, 26), dtype=bool)
    reference[:, :12] = True
    scored = np.ones_like(reference)
    scored[:5] = False
    predicted = reference.copy()
    predicted[:, :8] = False  # further than 3 pixels from the outline, but at the edge
    assert boundary_dice(predicted, reference, scored) == 1


def test_a_reference_without_an_outline() -> None:
    empty, full = np.zeros((4, 6), dtype=bool), np.ones((4, 6), dtype=bool)
    one = empty.copy()
    one[2, 3] = True
    assert boundary_dice(empty, empty, full) == boundary_dice(full, full, full) == 1
    assert boundary_dice(one, empty, full) == boundary_dice(~one, full, full) == boundary_dice(empty, full, full) == 0
    assert boundary_dice(one, empty, ~one) == 1
    assert boundary_dice(empty, one, full) == 0
