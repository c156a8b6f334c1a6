from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from foveola.foundation.errors import FoveolaError
from foveola.protocol.settings.space_words import read_space, read_values


@pytest.mark.parametrize("name", ["default", "paper"])
def test_names_stand_for_themselves(name: str) -> None:
    assert read_space([name]) == name


@pytest.mark.parametrize(
    ("written", "values"),
    [
        ("a.b=32,64", [32, 64]),
        ("a.b = 0.5", [0.5]),
        ("a.b=softmax, sigmoid", ["softmax", "sigmoid"]),
        ("a.b=true,null", [True, None]),
        ("a.b=[1,2],[4]", [[1, 2], [4]]),
        ("a.b=1e-4,1", ["1e-4", 1]),
        ("a.b=2:8", {"low": 2, "high": 8, "log": False}),
        ("a.b=1e-5 : 0.1:log", {"low": "1e-5", "high": 0.1, "log": True}),
    ],
)
def test_values_and_ranges(written: str, values: Any) -> None:
    assert read_space([written]) == {"a.b": values}


def test_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("training.lr: {low: 0.001, high: 0.1, log: true}\nglobal.hidden: [4, 8]\n", encoding="utf-8")
    assert read_space([str(path)]) == {"training.lr": {"low": 0.001, "high": 0.1, "log": True}, "global.hidden": [4, 8]}


@pytest.mark.parametrize(
    ("written", "message"),
    [
        (["papr"], "expected a known search space, got 'papr', in --space; did you mean 'paper'"),
        (["default", "a=1"], "expected key=values, got 'default'"),
        (["a="], "expected key=values, got 'a='"),
        (["=1,2"], "expected key=values"),
        (["a=1:2:3"], "expected low:high or low:high:log, got '1:2:3'"),
        (["a=1:2:log:x"], "expected low:high or low:high:log"),
        (["a=1", "a=2"], "expected each setting once, got 'a' twice"),
        (["a=]["], "expected values with commas between"),
        (["missing.yaml"], "expected a file with a search space, got no such file, in missing.yaml"),
    ],
)
def test_what_cannot_be_read_is_said(written: list[str], message: str) -> None:
    with pytest.raises(FoveolaError, match=message):
        read_space(written)


@pytest.mark.parametrize(("text", "message"), [("[1, 2", "expected YAML"), ("- 1\n", "got list"), ("", "got NoneType")])
def test_a_file_that_is_no_space_is_said(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(FoveolaError, match=message):
        read_space([str(path)])


def test_the_option_is_named() -> None:
    with pytest.raises(FoveolaError, match="in --vary"):
        read_values("global.hidden", "--vary")
