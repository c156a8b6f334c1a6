"""Classes from the labels that stand in a table, as words or as numbers cut at thresholds."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from foveola.data.sources.files import natural_key
from foveola.foundation.errors import FoveolaError

MOST_NUMBERS = 20
"""A column with more different numbers than this is a measurement, not a class."""

Labels = tuple[tuple[str, ...], list[int]]
"""The names of the classes, and the class of each value."""


def as_number(text: str) -> float | None:
    """Returns the finite number that a text is, else ``None``.

    Example:
        >>> as_number("-6.5"), as_number("early")
        (-6.5, None)
    """
    if not re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", text):
        return None
    value = float(text)
    return value if math.isfinite(value) else None


def named_classes(values: Sequence[str], column: str, where: str) -> Labels:
    """Makes every different value a class, numbers in the order of their value and words in natural order.

    Args:
        values: One label an image.
        column: The name of the column, for the message.
        where: The file, for the message.

    Raises:
        FoveolaError: If the values are more than 20 different numbers.

    Example:
        >>> named_classes(["10", "9", "10"], "grade", "labels.csv")
        (('9', '10'), [1, 0, 1])
    """
    numbers = {value: as_number(value) for value in set(values)}
    if all(number is not None for number in numbers.values()):
        different = sorted({number for number in numbers.values() if number is not None})
        if len(different) > MOST_NUMBERS:
            raise FoveolaError(
                "classes",
                f"{len(different)} different numbers in column '{column}'",
                where,
                "cut them into classes with --bins, such as --bins=-12,-6",
            )
        return tuple(f"{number:.15g}" for number in different), [different.index(float(value)) for value in values]
    classes = tuple(sorted(set(values), key=natural_key))
    places = {name: place for place, name in enumerate(classes)}
    return classes, [places[value] for value in values]


def binned_classes(
    values: Sequence[str], lines: Sequence[int], bins: Sequence[float], column: str, where: str
) -> Labels:
    """Cuts numbers into classes: the class of a value is the number of thresholds that are not above it.

    A value that equals a threshold belongs to the class above. With the thresholds -12 and -6 on the mean deviation of
    a visual field in dB these are the severities of glaucoma in Xu et al., arXiv:2007.15897, section 4.1 (serious,
    moderate, early), which leaves open where the thresholds themselves belong.

    Args:
        values: One number an image, as text.
        lines: The line of the file that each stands in, for the message.
        bins: Thresholds, ascending.
        column: The name of the column, which the names of the classes repeat.
        where: The file, for the message.

    Raises:
        FoveolaError: If the thresholds do not ascend, or a value is no number.

    Example:
        >>> binned_classes(["-12", "-3.5", "-20"], [2, 3, 4], [-12, -6], "md", "eyes.csv")
        (('md < -12', '-12 <= md < -6', 'md >= -6'), [1, 2, 0])
    """
    if not all(math.isfinite(edge) for edge in bins) or any(low >= high for low, high in pairwise(bins)):
        given = ",".join(f"{edge:g}" for edge in bins)
        raise FoveolaError("ascending thresholds", given, "--bins", "sort them and give each once")
    numbers = []
    for line, value in zip(lines, values, strict=True):
        number = as_number(value)
        if number is None:
            raise FoveolaError(
                f"numbers in column '{column}'",
                f"'{value}' in line {line}",
                where,
                "correct the value or leave out --bins",
            )
        numbers.append(number)
    edges = [f"{edge:.15g}" for edge in bins]
    inner = [f"{low} <= {column} < {high}" for low, high in pairwise(edges)]
    classes = (f"{column} < {edges[0]}", *inner, f"{column} >= {edges[-1]}")
    return classes, np.searchsorted(np.array(bins), np.array(numbers), side="right").tolist()
