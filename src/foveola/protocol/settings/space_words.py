"""What a person writes for a search space."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import yaml

from foveola.foundation.errors import FoveolaError, unknown_name

Name = Literal["default", "paper"]
NAMES: tuple[Name, ...] = get_args(Name)
OPTION = "--space"


def read_space(written: Sequence[str]) -> Name | dict[str, Any]:
    """Returns the search space that stands on the command line, as the configuration takes it.

    Args:
        written: ``default``, ``paper`` or a YAML file; or ``key=v1,v2`` and ``key=low:high[:log]``, any number of them.

    Raises:
        FoveolaError: If it is none of these.

    Example:
        >>> read_space(["global.hidden=32,64", "training.lr=0.001:0.1:log"])
        {'global.hidden': [32, 64], 'training.lr': {'low': 0.001, 'high': 0.1, 'log': True}}
    """
    if len(written) == 1 and "=" not in written[0]:
        name = written[0]
        if name in NAMES:
            return NAMES[NAMES.index(name)]
        if Path(name).suffix.lower() in (".yaml", ".yml") or Path(name).is_file():
            return _from_file(Path(name))
        raise unknown_name("search space", name, NAMES, OPTION)
    space: dict[str, Any] = {}
    for text in written:
        key, values = read_values(text, OPTION)
        if key in space:
            raise FoveolaError("each setting once", f"'{key}' twice", OPTION, f"give all its values after one {key}=")
        space[key] = values
    return space


def read_values(text: str, option: str) -> tuple[str, Any]:
    """Returns the key and the values, or the range, of ``key=v1,v2`` or ``key=low:high[:log]``.

    Example:
        >>> read_values("ppcr.levels=[1,2],[1,2,4]", "--space")
        ('ppcr.levels', [[1, 2], [1, 2, 4]])
    """
    key, equals, written = (part.strip() for part in text.partition("="))
    remedy = f"write it like {option} global.hidden=32,64 or {option} training.lr=0.001:0.1:log"
    if not equals or not key or not written:
        raise FoveolaError("key=values", f"'{text}'", option, remedy)
    parts = [part.strip() for part in written.split(":")]
    if len(parts) > 1 and "[" not in written:
        if len(parts) > 3 or parts[2:] not in ([], ["log"]):
            raise FoveolaError("low:high or low:high:log", f"'{written}'", option, remedy)
        return key, {"low": _parsed(parts[0]), "high": _parsed(parts[1]), "log": len(parts) == 3}
    values = _parsed(f"[{written}]")
    if not isinstance(values, list):
        raise FoveolaError("values with commas between", f"'{written}'", option, remedy)
    return key, values


def _parsed(written: str) -> Any:
    try:
        return yaml.safe_load(written)
    except yaml.YAMLError:
        return written


def _from_file(path: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise FoveolaError("a file with a search space", "no such file", str(path), f"check {OPTION}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise FoveolaError("YAML", str(error).replace("\n", " "), str(path), "correct it") from error
    if not isinstance(values, dict) or not values:
        raise FoveolaError(
            "values by key", type(values).__name__, str(path), "write it like `global.hidden: [32, 64]`, a line a key"
        )
    return values
