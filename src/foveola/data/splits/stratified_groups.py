"""Dealing samples into parts: whole groups, every class in its share.

Samples are dealt unit by unit, where a unit is a group or a sample that belongs to none: large units first, equal ones
class by class in random order, each to the part that lacks its classes most. One rule thus serves hold-out sets of any
size and folds alike, and without groups the share of every class is kept to within one sample.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from foveola.data.cohort import Cohort
from foveola.foundation.errors import FoveolaError


def deal(cohort: Cohort, rows: np.ndarray, shares: list[float], grouped: bool, rng: np.random.Generator) -> np.ndarray:
    """Deals rows into parts of the given shares and returns the part of each row."""
    units, counts = units_of(cohort, rows, grouped)
    totals = counts.sum(axis=0)
    weights = counts / np.maximum(totals, 1) ** 2  # one sample counts for less, the larger its class
    target = np.outer(shares, totals)
    have = np.zeros_like(target)
    part = np.zeros(len(counts), dtype=np.intp)
    order = rng.permutation(len(counts))
    for unit in order[np.lexsort((counts[order].argmax(axis=1), -counts[order].sum(axis=1)))]:
        part[unit] = np.lexsort((have.sum(axis=1), (have - target) @ weights[unit]))[0]
        have[part[unit]] += counts[unit]
    for lacking, label in np.argwhere((have == 0) & (totals > 0)):  # give it a small unit where others stay behind
        holders = np.flatnonzero(counts[:, label])
        spare = holders[np.bincount(part[holders], minlength=len(shares))[part[holders]] > 1]
        if len(spare) and lacking not in part[holders]:
            part[spare[np.argmin(counts[spare].sum(axis=1))]] = lacking
    dealt: np.ndarray = part[units]
    return dealt


def units_of(cohort: Cohort, rows: np.ndarray, grouped: bool) -> tuple[np.ndarray, np.ndarray]:
    """Returns the unit of every row, and how many samples of every stratum each unit has (``units x strata``)."""
    table = cohort.table.iloc[rows]
    names = pd.Series([f"sample {row}" for row in rows], index=table.index)
    if grouped:
        names = names.where(table["group"] == "", "group " + table["group"])
    units = pd.factorize(names)[0]
    names_of_strata, strata = cohort.strata
    counts = np.zeros((units.max(initial=-1) + 1, len(names_of_strata)))
    np.add.at(counts, (units, strata[rows]), 1)
    return units, counts


def check_labels(cohort: Cohort) -> None:
    """Raises a ``FoveolaError`` unless every sample has a label, and every one of at least two classes two samples.

    To segment, two samples are enough.
    """
    names, strata = cohort.strata
    missing = cohort.table["sample"][strata < 0]
    if len(missing):
        raise FoveolaError(
            "a label for every sample",
            f"{len(missing)} without, the first '{missing.iloc[0]}'",
            cohort.name,
            "label them or leave them out",
        )
    if cohort.task == "classification" and len(names) < 2:
        raise FoveolaError("at least two classes", f"only '{names[0]}'", cohort.name, "add images of another class")
    for name, count in zip(names, np.bincount(strata), strict=True):
        if count < 2:
            remedy = "add images of that class or remove it" if name else "add images"
            raise FoveolaError(
                f"at least two images{' of every class' if name else ''}", f"{count}{_of(name)}", cohort.name, remedy
            )


def check_folds(cohort: Cohort, rows: np.ndarray, folds: int, grouped: bool, option: str = "--folds ") -> None:
    """Raises a ``FoveolaError`` if, of these rows, a class has fewer groups or samples than there are folds."""
    _, counts = units_of(cohort, rows, grouped)
    held = (counts > 0).sum(axis=0)
    fewest = int(held.argmin())
    if held[fewest] < folds:
        units = "groups" if grouped and (cohort.table["group"] != "").any() else "images"
        most, name = int(held[fewest]), cohort.strata[0][fewest]
        more = f"add {units}{' of that class' if name else ''} or use a hold-out set"
        raise FoveolaError(
            f"at least {folds} {units}{' of every class' if name else ''} for {folds} folds",
            f"{most}{_of(name)}",
            cohort.name,
            f"give `{option}{most}`" if most > 1 else more,
        )


def _of(stratum: str) -> str:
    return f" of class '{stratum}'" if stratum else ""
