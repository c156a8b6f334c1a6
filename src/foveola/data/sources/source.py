"""Sources of cohorts: what may stand after ``--data``."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from foveola.data.cohort import Cohort
from foveola.foundation.errors import FoveolaError, unknown_name
from foveola.foundation.registry import Registry

Number = TypeVar("Number", int, float)


@dataclass(frozen=True)
class Request:
    """What the user asked of a source.

    Attributes:
        location: A path or name; empty where the source needs none.
        options: The ``key=value`` pairs after the location.
        label: The column or task that gives the labels (``--label``); ``None`` for the source's own.
        bins: Thresholds that cut a numeric label into classes (``--bins``); empty for labels as they stand.
        labelled: Whether labels are needed; prediction does without.
    """

    location: str
    options: dict[str, str] = field(default_factory=dict)
    label: str | None = None
    bins: tuple[float, ...] = ()
    labelled: bool = True

    def number(self, key: str, default: Number, minimum: Number, maximum: Number) -> Number:
        """Returns option ``key`` as a number of the type of ``default`` between ``minimum`` and ``maximum``.

        Raises:
            FoveolaError: If it is not such a number.
        """
        text = self.options.get(key)
        if text is None:
            return default
        try:
            value = type(default)(text)
        except ValueError:
            value = None
        if value is None or not minimum <= value <= maximum:
            kind = "a whole number" if isinstance(default, int) else "a number"
            raise FoveolaError(
                f"{kind} from {minimum:g} to {maximum:g}", f"'{text}'", f"--data, option {key}", "change it"
            )
        return value

    def truth(self, key: str, default: bool) -> bool:
        """Returns option ``key`` as ``true`` or ``false``.

        Raises:
            FoveolaError: If it is neither.
        """
        text = self.options.get(key, str(default)).lower()
        if text not in ("true", "false"):
            raise FoveolaError("true or false", f"'{text}'", f"--data, option {key}", "change it")
        return text == "true"


@dataclass(frozen=True)
class Source:
    """One kind of data.

    Attributes:
        name: What stands before the colon.
        usage: What a user types after ``--data``.
        summary: One line on what it reads.
        load: Turns a request into a cohort.
        options: The names of the ``key=value`` pairs that it understands.
    """

    name: str
    usage: str
    summary: str
    load: Callable[[Request], Cohort]
    options: tuple[str, ...] = ()


SOURCES = Registry[Source]("data source", "--data")


def split_specification(text: str) -> tuple[str, str, dict[str, str]]:
    """Splits ``name:location,key=value,...`` into its three parts; the name is empty for a bare path.

    Example:
        >>> split_specification("idrid:/data/B. Disease Grading,task=dme")
        ('idrid', '/data/B. Disease Grading', {'task': 'dme'})
        >>> split_specification("phantom:n=40,seed=1")
        ('phantom', '', {'n': '40', 'seed': '1'})
        >>> split_specification("scans/oct.npz")
        ('', 'scans/oct.npz', {})
    """
    name, colon, rest = text.partition(":")
    if not (colon and re.fullmatch(r"[A-Za-z][\w-]+", name)):  # a single letter is a Windows drive
        name, rest = (text, "") if text in SOURCES else ("", text)
    parts = rest.split(",")
    options: dict[str, str] = {}
    while parts and (pair := re.fullmatch(r"\s*([A-Za-z_]\w*)=(.*)", parts[-1])):
        options.setdefault(pair[1], pair[2].strip())
        parts.pop()
    return name, ",".join(parts), dict(reversed(options.items()))


def check_options(source: Source, options: dict[str, str]) -> None:
    """Raises a ``FoveolaError`` for an option that the source does not know."""
    for key in options:
        if key not in source.options:
            if not source.options:
                raise FoveolaError("no options", f"'{key}'", f"--data {source.name}", "remove it")
            raise unknown_name("option", key, source.options, f"--data {source.name}")
