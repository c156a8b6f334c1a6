from __future__ import annotations

import copy
from typing import Annotated, Any

import pytest
from pydantic import Field, ValidationError, model_validator

from foveola.foundation.errors import FoveolaError
from foveola.foundation.settings import Before, Searched, Settings, of_version, searched_fields, validated


class Pen(Settings):
    width: int = Field(3, ge=1)
    colour: str = "black"


class Drawing(Settings):
    title: str
    pen: Pen = Pen()
    corners: tuple[int, ...] = ()

    @model_validator(mode="after")
    def _short(self) -> Drawing:
        if len(self.title) > 9:
            raise ValueError("a title of at most 9 letters")
        return self


def test_values_go_before_defaults_and_are_converted() -> None:
    drawing = validated(Drawing, {"title": "eye", "pen": {"width": "7"}, "corners": [4, 5]}, "--set")
    assert drawing == Drawing(title="eye", pen=Pen(width=7, colour="black"), corners=(4, 5))


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Pen().width = 5  # type: ignore[misc]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"title": "eye", "pne": {}}, "expected a known key, got 'pne', in top; did you mean 'pen'?"),
        ({"title": "eye", "pen": {"with": 3}}, "expected a known key, got 'with', in top.pen; did you mean 'width'?"),
        ({"title": "eye", "zebra": 3}, "choose one of corners, pen, title"),
        ({"title": "eye", 7: 3}, "strings, got 7, in top.7"),
        ({}, "expected a value, got none, in top.title; add it"),
        ({"title": "eye", "pen": {"width": 0}}, "expected greater than or equal to 1, got 0, in top.pen.width"),
        ({"title": "eye", "pen": {"width": "broad"}}, "valid integer.*got 'broad', in top.pen.width"),
        ({"title": "eye", "pen": 5}, "got 5, in top.pen"),
        ({"title": "eye", "corners": [1, "x"]}, "got 'x', in top.corners.1"),
        ({"title": "a long title"}, "expected a title of at most 9 letters, got .*, in top;"),
        ([1, 2], r"dictionary.*got \[1, 2\], in top;"),
        (None, "dictionary.*got None, in top;"),
    ],
)
def test_what_cannot_be_is_named(values: Any, message: str) -> None:
    with pytest.raises(FoveolaError, match=message):
        validated(Drawing, values, "top")


class Searching(Settings):
    width: Annotated[int | None, Searched(2, 9, paper=(4, 8))] = Field(3, ge=1)
    colour: Annotated[str, Searched(choices=("black", "red"))] = "black"
    title: str = ""


class Narrower(Searching):
    width: int | None = 5


def test_fields_say_what_is_searched() -> None:
    found = searched_fields(Searching)
    assert list(found) == ["width", "colour"]
    assert (found["width"].low, found["width"].high, found["width"].paper) == (2, 9, (4, 8))
    assert Searching(width=7).width == 7


def test_a_field_that_is_declared_anew_says_it_anew() -> None:
    assert list(searched_fields(Narrower)) == ["colour"]


@pytest.mark.parametrize("mark", [{"low": 1}, {"high": 2}, {"low": 1, "high": 2, "choices": (1, 2)}])
def test_half_a_range_or_two_kinds_at_once_are_a_mistake(mark: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="both ends, or choices"):
        Searched(**mark)


class Brush(Settings):
    colour: Annotated[str, Before("0.3.0", "black"), Before("0.10.0", "blue")] = "red"
    size: int = 2


class Sheet(Settings):
    brush: Brush = Brush()
    width: Annotated[int, Before("0.10.0", 8)] = 16


@pytest.mark.parametrize(
    ("version", "values", "expected"),
    [
        ("0.2.1", {}, {"brush": {"colour": "black"}, "width": 8}),
        ("0.3.0", {}, {"brush": {"colour": "blue"}, "width": 8}),
        ("0.10.0", {}, {}),
        ("0.2.1", {"width": 9, "brush": {"colour": "green"}}, {"width": 9, "brush": {"colour": "green"}}),
        ("0.9.0", {"brush": {"size": 5}}, {"brush": {"size": 5, "colour": "blue"}, "width": 8}),
        ("0.9.0", {"brush": 7, "unknown": 1}, {"brush": 7, "unknown": 1, "width": 8}),
    ],
)
def test_an_earlier_version_has_its_own_defaults(
    version: str, values: dict[str, Any], expected: dict[str, Any]
) -> None:
    before = copy.deepcopy(values)
    assert of_version(Sheet, values, version) == expected
    assert values == before
