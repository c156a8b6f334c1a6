"""Objects that the other mask knows nothing of, counted by filling them from pixel to pixel."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from foveola.statistics.metrics.islands import false_islands, missed_islands

Pixels = set[tuple[int, int]]
masks = arrays(bool, (6, 9), elements=st.sampled_from([False, False, True]), fill=st.nothing())
patient = settings(max_examples=60, deadline=None)


def around(y: int, x: int) -> Pixels:
    return {(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)}


def objects(mask: np.ndarray) -> list[Pixels]:
    left = {(int(y), int(x)) for y, x in np.argwhere(mask)}
    found = []
    while left:
        border, filled = [left.pop()], set()
        while border:
            place = border.pop()
            filled.add(place)
            reached = around(*place) & left
            left -= reached
            border += reached
        found.append(filled)
    return found


@given(masks, masks, st.sampled_from([np.flipud, np.fliplr, np.transpose]))
@patient
def test_counts_are_those_of_a_flood_fill(predicted: np.ndarray, reference: np.ndarray, moved) -> None:
    there, called = ({(int(y), int(x)) for y, x in np.argwhere(mask)} for mask in (reference, predicted))
    against = {place for pixel in there for place in around(*pixel)}
    false = false_islands(predicted, reference)
    assert false == sum(not island & against for island in objects(predicted))
    missed = missed_islands(predicted, reference)
    assert missed == sum(not island & called for island in objects(reference))
    assert false == false_islands(moved(predicted), moved(reference))
    assert missed == missed_islands(moved(predicted), moved(reference))


def test_many_objects_are_those_of_scipy() -> None:
    rng = np.random.default_rng(3)
    a, b = (ndimage.gaussian_filter(rng.normal(size=(150, 210)), 2) > 0.2 for _ in range(2))
    eight = np.ones((3, 3))
    called, count = ndimage.label(a, eight)
    false = count - len(set(called[ndimage.binary_dilation(b, eight)].tolist()) - {0})
    there, count = ndimage.label(b, eight)
    missed = count - len(set(there[a].tolist()) - {0})
    assert false > 3
    assert missed > 3
    assert (false_islands(a, b), missed_islands(a, b)) == (false, missed)


def test_an_object_that_lies_against_the_reference_is_no_island() -> None:
    reference, predicted = np.zeros((2, 5, 7), dtype=bool)
    reference[2, 3] = predicted[1, 4] = True
    assert false_islands(predicted, reference) == 0
    assert missed_islands(predicted, reference) == 1
    assert false_islands(np.roll(predicted, 1, axis=1), reference) == 1


def test_empty_masks_have_no_objects() -> None:
    empty, two = np.zeros((3, 5), dtype=bool), np.array([[1, 0, 0, 1, 1]] * 3, dtype=bool)
    assert false_islands(empty, two) == missed_islands(two, empty) == 0
    assert false_islands(two, empty) == missed_islands(empty, two) == 2
