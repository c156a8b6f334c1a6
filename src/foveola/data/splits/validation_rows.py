"""Setting some labelled images aside, by the same rule as hold-out sets and folds are dealt."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from foveola.data.cohort import Cohort, sample_table
from foveola.data.images.arrays import ArrayImages
from foveola.data.splits.splits import holdout
from foveola.foundation.errors import InputError


def set_aside(labels: np.ndarray, groups: np.ndarray, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the rows that stay and those set aside, which have about that share of every class and whole groups.

    Args:
        labels: Numbered from 0.
        groups: The group of each image, ``""`` for one of its own.
        share: From 0, for none, to below 1.
        seed: Of the random order.

    Raises:
        FoveolaError: If a class has a single image, or no images are left on one side.

    Example:
        >>> stay, aside = set_aside(np.arange(10) % 2, np.array(["a", "a", "b", "b"] + [""] * 6), 0.2, seed=0)
        >>> len(stay), len(aside)
        (8, 2)
    """
    rows = np.arange(len(labels))
    if share == 0:
        return rows, rows[:0]
    table = sample_table([str(row) for row in rows], labels.tolist(), groups=groups.tolist())
    unread = ArrayImages(np.zeros((len(rows), 1, 1), np.uint8), "X")  # a split looks at the table alone
    cohort = Cohort("y", tuple(str(label) for label in range(labels.max() + 1)), table, unread)
    roles = holdout(cohort, test_fraction=share, seed=seed)["role"].to_numpy()
    return np.flatnonzero(roles == "train"), np.flatnonzero(roles == "test")


def group_names(groups: Any, count: int) -> np.ndarray:
    """Returns the name of the group of each of so many images, ``""`` for one of its own.

    Args:
        groups: One name or number an image, ``None`` or NaN where there is none; ``None`` if no image has a group.
        count: Number of images.

    Raises:
        InputError: If there are more or fewer than one an image.

    Example:
        >>> group_names([7, None, "b"], 3).tolist(), group_names(None, 2).tolist()
        (['7', '', 'b'], ['', ''])
    """
    given = pd.Series([""] * count if groups is None else np.asarray(groups, dtype=object).ravel())
    if len(given) != count:
        raise InputError(f"{count} groups, one an image", str(len(given)), "groups", "give one for each image")
    return given.where(given.notna(), "").astype(str).to_numpy()
