from __future__ import annotations

import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from foveola.foundation.errors import FoveolaError
from foveola.foundation.registry import Registry, import_members


class Shape(NamedTuple):
    name: str
    corners: int


@pytest.fixture
def shapes() -> Registry[Shape]:
    registry = Registry[Shape]("shape", "--shape")
    for name, corners in (("square", 4), ("disc", 0), ("hexagon", 6)):
        registry.add(Shape(name, corners))
    return registry


def test_members_are_found_by_name_in_the_order_they_came(shapes: Registry[Shape]) -> None:
    assert [(name, shape.corners) for name, shape in shapes.items()] == [("square", 4), ("disc", 0), ("hexagon", 6)]
    assert len(shapes) == 3
    assert "disc" in shapes
    assert "dsic" not in shapes


def test_adding_returns_the_member(shapes: Registry[Shape]) -> None:
    triangle = Shape("triangle", 3)
    assert shapes.add(triangle) is triangle
    assert shapes["triangle"] is triangle


def test_a_name_is_given_once(shapes: Registry[Shape]) -> None:
    with pytest.raises(ValueError, match="shape 'disc' is registered twice"):
        shapes.add(Shape("disc", 1))
    assert shapes["disc"].corners == 0


def test_an_unknown_name_is_the_users_mistake(shapes: Registry[Shape]) -> None:
    with pytest.raises(FoveolaError, match="expected a known shape, got 'sqare', in --shape; did you mean 'square'"):
        shapes["sqare"]
    with pytest.raises(FoveolaError, match="choose one of disc, hexagon, square"):
        shapes.get("blob")


def test_every_module_of_a_package_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "drawn_shapes" / "round").mkdir(parents=True)
    for module in ("__init__", "square", "round/__init__", "round/disc"):
        (tmp_path / "drawn_shapes" / f"{module}.py").write_text("", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    import_members("drawn_shapes")
    expected = {"drawn_shapes", "drawn_shapes.square", "drawn_shapes.round", "drawn_shapes.round.disc"}
    found = {name for name in sys.modules if name.startswith("drawn_shapes")}
    for name in found:
        monkeypatch.delitem(sys.modules, name)
    assert found == expected
