from __future__ import annotations

import numpy as np
import pytest

from foveola.foundation.errors import FoveolaError
from foveola.pictures.colour_scale import range_note, shared_scale


@pytest.mark.parametrize(
    ("low", "high", "bounded", "top", "extend"),
    [
        (0.1, 0.5, True, 0.5, "neither"),
        (0.1, 0.97, True, 1.0, "neither"),
        (0.1, 1.7, True, 1.0, "max"),
        (-0.2, 1.7, True, 1.0, "both"),
        (0.1, 1.7, False, 1.7, "neither"),
        (0.1, 0.97, False, 0.97, "neither"),
        (-0.2, 1.7, False, 1.7, "min"),
        (0.0, 0.0, True, 1.0, "neither"),
        (0.0, 0.0, False, 1.0, "neither"),
        (-0.5, -0.2, False, 1.0, "min"),
    ],
)
def test_a_scale_starts_at_zero_and_ends_at_one_or_at_the_largest(
    low: float, high: float, bounded: bool, top: float, extend: str
) -> None:
    middle = (low + high) / 2
    scale = shared_scale([np.array([[low, middle]]), np.array([[middle], [high]])], bounded=bounded, label="so")
    assert (scale.colours.vmin, scale.colours.vmax, scale.extend, scale.label) == (0, top, extend, "so")


def test_a_map_that_is_not_finite_has_no_scale() -> None:
    with pytest.raises(FoveolaError, match="finite map"):
        shared_scale([np.array([[0.0, np.inf]])])


def test_notes_say_how_far_a_map_reaches() -> None:
    assert range_note(np.array([[0.1, 1.456]])) == "0.10 to 1.46"
    assert range_note(np.array([[0.0001, 0.0123456]])) == "0.0001 to 0.0123"
    assert range_note(np.full((2, 3), 0.5)) == "flat at 0.5"
