"""Groups of settings: frozen, typed, and strict about names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from packaging.version import Version
from pydantic import BaseModel, ConfigDict, ValidationError

from foveola.foundation.errors import FoveolaError, unknown_name


class Settings(BaseModel):
    """A frozen group of settings; an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True)
class Searched:
    """What a search tries for a setting; stands in the annotation of its field.

    Attributes:
        low: The smallest value of the range that is searched.
        high: The largest.
        log: Whether equal ratios in the range count the same, and not equal distances.
        choices: The values that are searched instead, where there is no range.
        paper: The values of the published grid, where there is one.

    Example:
        >>> Searched(1, 64, log=True, paper=(8, 16))  # as in  width: Annotated[int, Searched(...)] = 8
        Searched(low=1, high=64, log=True, choices=(), paper=(8, 16))
    """

    low: float | None = None
    high: float | None = None
    log: bool = False
    choices: tuple[Any, ...] = ()
    paper: tuple[Any, ...] = ()

    def __post_init__(self) -> None:
        if (self.low is None) != (self.high is None) or (self.low is not None and self.choices):
            raise ValueError(f"a searched setting has a range, with both ends, or choices, not {self}")


def searched_fields(group: type[Settings]) -> dict[str, Searched]:
    """Returns what a search tries for the settings of a group that say so, by name."""
    return {
        name: mark
        for name, field in group.model_fields.items()
        for mark in field.metadata
        if isinstance(mark, Searched)
    }


@dataclass(frozen=True)
class Before:
    """Marks a setting that is new, or whose default is: what it is in runs and models of earlier versions.

    It stands in the annotation of the field, so that a new default never enters what was begun under the old one.

    Attributes:
        version: The first version with the setting, or with its new default.
        value: What earlier versions did, in JSON.

    Example:
        >>> Before("0.3.0", 8)  # as in  width: Annotated[int, Before("0.3.0", 8)] = 16
        Before(version='0.3.0', value=8)
    """

    version: str
    value: Any


def of_version(group: type[Settings], values: Mapping[Any, Any], version: str) -> dict[Any, Any]:
    """Returns settings that an earlier version wrote or was given, with its defaults where ours are others.

    Args:
        group: The class of the settings.
        values: Keys and values, nested as the groups are; what they say stays as it is.
        version: The version.

    Example:
        >>> class Drawing(Settings):
        ...     width: int = 16  # without Before(...), it has always been so
        >>> of_version(Drawing, {}, "0.2.1"), of_version(Drawing, {"width": 9}, "0.2.1")
        ({}, {'width': 9})
    """
    filled = dict(values)
    for name, field in group.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, Settings) and isinstance(filled.get(name, {}), Mapping):
            if nested := of_version(inner, filled.get(name, {}), version):
                filled[name] = nested
        elif name not in filled:
            later = [mark for mark in field.metadata if isinstance(mark, Before) and is_older(version, mark.version)]
            if later:
                filled[name] = min(later, key=lambda mark: Version(mark.version)).value
    return filled


def is_older(version: str, other: str) -> bool:
    """Says whether one version comes before another.

    Example:
        >>> is_older("0.2.0", "0.10.0"), is_older("0.10.0", "0.10.0")
        (True, False)
    """
    return Version(version) < Version(other)


Group = TypeVar("Group", bound=Settings)


def validated(group: type[Group], values: object, where: str) -> Group:
    """Returns the settings with ``values`` in place of defaults.

    Args:
        group: The class of the settings.
        values: Keys and values, nested as the groups are.
        where: What the error message calls the group.

    Raises:
        FoveolaError: For an unknown key, with the nearest known one, or a value that cannot be.

    Example:
        >>> class Drawing(Settings):
        ...     width: int = 8
        >>> validated(Drawing, {"width": "12"}, "--set").width
        12
        >>> validated(Drawing, {"widht": 12}, "--set")
        Traceback (most recent call last):
        foveola.foundation.errors.FoveolaError: expected a known key, got 'widht', in --set; did you mean 'width'?
    """
    try:
        return group.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        path = [str(part) for part in first["loc"]]
        if first["type"] == "extra_forbidden":
            known = _group_at(group, path[:-1]).model_fields
            inside = ".".join([where, *path[:-1]])
            raise unknown_name("key", path[-1], known, inside) from error
        if first["type"] == "missing":
            raise FoveolaError("a value", "none", ".".join([where, *path]), "add it") from error
        reason = first["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
        raise FoveolaError(reason, repr(first["input"]), ".".join([where, *path]), "change it") from error


def _group_at(group: type[BaseModel], path: list[str]) -> type[BaseModel]:
    for name in path:
        inner = group.model_fields[name].annotation
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return group
        group = inner
    return group
