from __future__ import annotations

import pytest

from foveola.errors import FoveolaError
from foveola.registry import Registry


@pytest.fixture
def shapes() -> Registry[int]:
    registry: Registry[int] = Registry("shape", "--shape")
    for name, corners in (("square", 4), ("disc", 0), ("hexagon", 6)):
        registry.add(name, corners)
    return registry


def test_members_are_found_by_name_in_the_order_they_came(shapes: Registry[int]) -> None:
    assert list(shapes.items()) == [("square", 4), ("disc", 0), ("hexagon", 6)]
    assert len(shapes) == 3
    assert "disc" in shapes
    assert "dsic" not in shapes


def test_adding_returns_the_member(shapes: Registry[int]) -> None:
    assert shapes.add("triangle", 3) == 3
    assert shapes["triangle"] == 3


def test_a_name_is_given_once(shapes: Registry[int]) -> None:
    with pytest.raises(ValueError, match="shape 'disc' is registered twice"):
        shapes.add("disc", 1)
    assert shapes["disc"] == 0


def test_an_unknown_name_is_the_users_mistake(shapes: Registry[int]) -> None:
    with pytest.raises(FoveolaError, match="expected a known shape, got 'sqare', in --shape; did you mean 'square'"):
        shapes["sqare"]
    with pytest.raises(FoveolaError, match="choose one of disc, hexagon, square"):
        shapes.get("blob")
