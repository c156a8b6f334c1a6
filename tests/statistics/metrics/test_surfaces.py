"""Distances of outlines against loops over all pairs of pixels, and against scipy's distance transform."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from monai.metrics import compute_average_surface_distance, compute_hausdorff_distance
from scipy import ndimage

from foveola.foundation.errors import FoveolaError
from foveola.statistics.metrics.surfaces import surface_distances

masks = arrays(bool, (6, 9))
spacings = st.tuples(st.sampled_from([0.25, 1.0, 3.5]), st.sampled_from([0.5, 1.0, 2.0]))
patient = settings(max_examples=30, deadline=None)


def outline(mask: np.ndarray) -> list[tuple[int, int]]:
    height, width = mask.shape

    def outside(y: int, x: int) -> bool:
        return not (0 <= y < height and 0 <= x < width and mask[y, x])

    return [
        (y, x)
        for y in range(height)
        for x in range(width)
        if mask[y, x] and (outside(y - 1, x) or outside(y + 1, x) or outside(y, x - 1) or outside(y, x + 1))
    ]


def to_nearest(ours: list[tuple[int, int]], others: list[tuple[int, int]], dy: float, dx: float) -> list[float]:
    return [min(math.hypot((y - v) * dy, (x - u) * dx) for v, u in others) for y, x in ours]


def percentile(values: list[float], share: float) -> float:
    """Linear between the two nearest ranks."""
    ranked, place = sorted(values), share * (len(values) - 1)
    low = math.floor(place)
    high = min(low + 1, len(values) - 1)
    return ranked[low] + (place - low) * (ranked[high] - ranked[low])


@given(masks, masks, spacings)
@patient
def test_distances_are_those_of_all_pairs(a: np.ndarray, b: np.ndarray, spacing: tuple[float, float]) -> None:
    if not (a.any() and b.any()):
        return
    forth, back = (to_nearest(outline(x), outline(y), *spacing) for x, y in ((a, b), (b, a)))
    hd95, average = surface_distances(a, b, spacing)
    assert hd95 == pytest.approx(max(percentile(forth, 0.95), percentile(back, 0.95)), rel=1e-5, abs=1e-6)
    assert average == pytest.approx(sum(forth + back) / len(forth + back), rel=1e-5, abs=1e-6)


def test_distances_of_large_blobs_are_those_of_scipys_transform() -> None:
    rng = np.random.default_rng(5)
    a, b = (ndimage.gaussian_filter(rng.normal(size=(90, 130)), 5) > 0.02 for _ in range(2))
    edges = [mask & ~ndimage.binary_erosion(mask) for mask in (a, b)]
    far = [ndimage.distance_transform_edt(~edge, sampling=(0.5, 2.0)) for edge in edges]
    forth, back = far[1][edges[0]], far[0][edges[1]]
    hd95, average = surface_distances(a, b, (0.5, 2.0))
    assert hd95 == pytest.approx(max(np.percentile(forth, 95), np.percentile(back, 95)), rel=1e-5)
    assert average == pytest.approx(np.concatenate([forth, back]).mean(), rel=1e-5)


@pytest.mark.filterwarnings("ignore:.*always_return_as_numpy:FutureWarning")  # MONAI's own use of MONAI
def test_distances_are_those_that_monai_reports() -> None:
    rng = np.random.default_rng(6)
    a, b = rng.random((2, 17, 23)) < 0.1
    a[0], b[:, -1] = True, True
    found = surface_distances(a, b, (1.5, 0.5))
    common = {"include_background": True, "spacing": [1.5, 0.5]}
    pair = a[None, None], b[None, None]
    assert found[0] == pytest.approx(float(compute_hausdorff_distance(*pair, percentile=95, **common)), rel=1e-6)
    assert found[1] == pytest.approx(float(compute_average_surface_distance(*pair, symmetric=True, **common)), rel=1e-6)


@given(masks, masks, spacings, st.sampled_from([np.flipud, np.fliplr, np.copy]))
@patient
def test_what_holds_for_all_masks(a: np.ndarray, b: np.ndarray, spacing: tuple[float, float], moved) -> None:
    found = surface_distances(a, b, spacing)
    assert surface_distances(moved(b), moved(a), spacing) == pytest.approx(found, rel=1e-5, abs=1e-6)
    assert surface_distances(a.T, b.T, spacing[::-1]) == pytest.approx(found, rel=1e-5, abs=1e-6)
    threefold = surface_distances(a, b, (3 * spacing[0], 3 * spacing[1]))
    assert threefold == pytest.approx([3 * value for value in found], rel=1e-5, abs=1e-6)
    assert surface_distances(a, a, spacing) == (0, 0)
    nothing = surface_distances(np.zeros_like(b), b, spacing)
    assert all(value <= worst + 1e-6 for value, worst in zip(found, nothing, strict=True)) or not b.any()


def test_single_pixels_and_corners_of_the_image() -> None:
    a, b = np.zeros((2, 7, 4), dtype=bool)
    a[0, 0] = b[6, 3] = True
    assert surface_distances(a, b, (1.0, 2.0)) == pytest.approx((math.hypot(6, 6),) * 2)
    b[0, 0] = True
    assert surface_distances(a, b, (1.0, 2.0)) == pytest.approx((0.95 * math.hypot(6, 6), math.hypot(6, 6) / 3))


def test_empty_masks() -> None:
    empty, full = np.zeros((3, 4), dtype=bool), np.ones((3, 4), dtype=bool)
    assert surface_distances(empty, empty, (2.0, 5.0)) == (0, 0)
    assert surface_distances(empty, full, (2.0, 5.0)) == (math.hypot(6, 20),) * 2
    assert surface_distances(full, empty, (2.0, 5.0)) == (math.hypot(6, 20),) * 2
    assert surface_distances(full, full, (2.0, 5.0)) == (0, 0)


def test_without_monai_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "monai", None)
    monkeypatch.setitem(sys.modules, "monai.metrics.utils", None)
    with pytest.raises(FoveolaError, match=r"foveola\[segmentation\]"):
        surface_distances(np.ones((2, 3), dtype=bool), np.ones((2, 3), dtype=bool), (1.0, 1.0))
