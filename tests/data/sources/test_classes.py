from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foveola.data.sources.classes import as_number, binned_classes, named_classes
from foveola.foundation.errors import FoveolaError


@given(
    st.lists(st.floats(-30, 5, allow_nan=False), min_size=1, max_size=20),
    st.lists(st.integers(-25, 4), min_size=1, max_size=5, unique=True),
)
def test_the_class_is_the_number_of_thresholds_not_above_the_value(values: list[float], edges: list[int]) -> None:
    bins = sorted(edges)
    names, labels = binned_classes([repr(v) for v in values], list(range(len(values))), bins, "md", "eyes.csv")
    assert labels == [sum(1 for edge in bins if edge <= value) for value in values]
    assert len(names) == len(bins) + 1
    for value, label in zip(values, labels, strict=True):
        assert eval(names[label], {"md": value})  # the name of a class is a statement about its values


def test_thresholds_belong_to_the_class_above() -> None:
    names, labels = binned_classes(["-12.01", "-12", "-6.01", "-6", "0"], [2, 3, 4, 5, 6], [-12, -6], "md", "eyes.csv")
    assert names == ("md < -12", "-12 <= md < -6", "md >= -6")
    assert labels == [0, 1, 1, 2, 2]


@pytest.mark.parametrize("bins", [[-6, -12], [-6, -6], [float("nan")], [0, float("inf")]])
def test_thresholds_must_ascend(bins: list[float]) -> None:
    with pytest.raises(FoveolaError, match=r"expected ascending thresholds, got .*, in --bins"):
        binned_classes(["1", "2"], [2, 3], bins, "md", "eyes.csv")


@pytest.mark.parametrize("text", ["early", "-6,5", "inf", "1_0", "", "0x1"])
def test_what_is_no_number_cannot_be_cut(text: str) -> None:
    with pytest.raises(FoveolaError, match=f"expected numbers in column 'md', got '{text}' in line 9, in eyes.csv"):
        binned_classes(["-3", text], [7, 9], [-6], "md", "eyes.csv")


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_are_read(value: float) -> None:
    assert as_number(repr(value)) == value


def test_words_are_in_natural_order_and_numbers_in_that_of_their_value() -> None:
    assert named_classes(["grade 10", "grade 9", "Grade 1"], "label", "") == (
        ("Grade 1", "grade 9", "grade 10"),
        [2, 1, 0],
    )
    assert named_classes(["2", "-1", "10", "2.0"], "label", "") == (("-1", "2", "10"), [1, 0, 2, 1])
    assert named_classes(["2", "x", "10"], "label", "") == (("2", "10", "x"), [0, 2, 1])


def test_a_measurement_is_not_taken_for_classes() -> None:
    twenty = [str(value / 2) for value in range(20)]
    assert len(named_classes(twenty, "md", "eyes.csv")[0]) == 20
    with pytest.raises(FoveolaError, match=r"got 21 different numbers in column 'md', in eyes.csv; cut .* with --bins"):
        named_classes([*twenty, "77"], "md", "eyes.csv")
    assert len(named_classes([*twenty, "77", "x"], "md", "eyes.csv")[0]) == 22
