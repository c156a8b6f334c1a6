"""Mean and standard deviation of maps, against plain Python."""

from __future__ import annotations

import statistics

import numpy as np
import pytest

from foveola.foundation.errors import FoveolaError
from foveola.maps.average import is_flat, mean_and_sd


def test_mean_and_sd_of_every_pixel() -> None:
    maps = list(np.random.default_rng(4).random((5, 3, 7), dtype=np.float32))
    mean, sd = mean_and_sd(maps)
    assert mean.dtype == sd.dtype == np.float64
    for row in range(3):
        for column in range(7):
            values = [float(attention_map[row, column]) for attention_map in maps]
            assert mean[row, column] == pytest.approx(statistics.mean(values))
            assert sd[row, column] == pytest.approx(statistics.stdev(values))


def test_one_map_has_no_deviation() -> None:
    only = np.random.default_rng(1).random((4, 6))
    mean, sd = mean_and_sd([only])
    np.testing.assert_array_equal(mean, only)
    np.testing.assert_array_equal(sd, np.zeros((4, 6)))


def test_nothing_nan_and_unequal_shapes_are_refused() -> None:
    with pytest.raises(FoveolaError, match="at least one map"):
        mean_and_sd([])
    with pytest.raises(FoveolaError, match="diverged"):
        mean_and_sd([np.zeros((2, 3)), np.full((2, 3), np.inf)])
    with pytest.raises(ValueError, match="shape"):
        mean_and_sd([np.zeros((2, 3)), np.zeros((3, 2))])


@pytest.mark.parametrize(
    ("low", "high", "flat"),
    [
        (0.5, 0.5, True),
        (0, 0, True),
        (-2, -2, True),
        (1, 1 + 1e-6, True),
        (1, 1.001, False),
        (0, 1e-30, False),
        (-1, 1, False),
    ],
)
def test_flat_is_what_varies_by_rounding_alone(low: float, high: float, flat: bool) -> None:
    assert is_flat(np.array([[low, high], [low, low]])) is flat
