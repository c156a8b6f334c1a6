"""One map for several: relative use, of equal weight for every place."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from foveola.foundation.errors import FoveolaError
from foveola.maps.resize import resized
from foveola.maps.summary import relative, summary

RNG = np.random.default_rng(4)
MAPS: dict[str, np.ndarray] = {
    "layer1": RNG.random((6, 5), np.float32),
    "layer2": 40 * RNG.random((3, 4)),
    "layer2#2": RNG.random((1, 2)),
}


def test_relative_use_has_the_mean_1_whatever_the_scale() -> None:
    for values in MAPS.values():
        assert relative(values).mean() == pytest.approx(1)
        np.testing.assert_allclose(relative(1000 * values), relative(values), rtol=1e-5)
        np.testing.assert_allclose(relative(values) * values.mean(dtype=np.float64), values, rtol=1e-6)


@given(arrays(np.float32, (3, 4), elements=st.floats(-(2.0**99), 2.0**99, width=32)))
def test_no_finite_map_has_nan_and_none_changes_sign(values: np.ndarray) -> None:
    made = relative(values)
    assert np.isfinite(made).all()
    assert np.abs(made).mean() == pytest.approx(1)
    if values.any():
        assert (np.sign(made) == np.sign(values)).all()


def test_the_summary_is_the_mean_over_places_of_relative_maps() -> None:
    expected = np.zeros((12, 10))
    for values in MAPS.values():
        expected += resized(values / values.mean(dtype=np.float64), 12, 10) / 3
    np.testing.assert_allclose(summary(MAPS, 12, 10), expected, rtol=1e-6)


def test_every_place_counts_the_same() -> None:
    louder = {**MAPS, "layer2": 1e6 * MAPS["layer2"]}
    np.testing.assert_allclose(summary(louder, 12, 10), summary(MAPS, 12, 10), rtol=1e-6)


def test_flat_maps_prefer_nothing() -> None:
    flat = {"layer1": np.zeros((6, 5)), "layer2": np.full((3, 4), 0.37, np.float32)}
    np.testing.assert_allclose(summary(flat, 12, 10), np.ones((12, 10)), rtol=1e-6)


def test_one_place_follows_the_same_rule_and_a_mask_stays_what_it_is() -> None:
    values = RNG.random((12, 10), np.float32)
    assert summary({"input": values}, 12, 10) is values
    np.testing.assert_allclose(summary({"layer1": values}, 12, 10), values / values.mean(dtype=np.float64), rtol=1e-6)
    both = summary({"input": values, "layer1": MAPS["layer1"]}, 12, 10)
    np.testing.assert_allclose(both.mean(), (1 + summary({"layer1": MAPS["layer1"]}, 12, 10).mean()) / 2, rtol=1e-6)


@pytest.mark.parametrize("place", ["input", "layer1"])
def test_nan_is_refused(place: str) -> None:
    with pytest.raises(FoveolaError, match="look for a training run that diverged"):
        summary({place: np.full((12, 10), np.nan)}, 12, 10)
