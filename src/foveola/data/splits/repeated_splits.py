"""Split tables of many folds: repeated folds, folds within folds, and smaller training sets.

All are made of a simpler table; the tested images of a fold never play another role in what is made of it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from foveola.data.cohort import Cohort
from foveola.data.splits.splits import UNUSED, each_tested, split_table
from foveola.data.splits.stratified_groups import check_folds, check_labels, deal, units_of
from foveola.foundation.errors import FoveolaError

LEARNED_FROM = ("train", "val")


def repeated_kfold(
    cohort: Cohort, *, folds: int = 5, repeats: int = 3, val_fraction: float = 0.15, grouped: bool = True, seed: int = 0
) -> pd.DataFrame:
    """Deals all samples into stratified folds, several times, and sets a part of each training set aside.

    Fold ``folds * r + k`` tests on part k of repeat r. Whatever has to be chosen, such as an epoch, is chosen on the
    part with the role ``val``, so that the tested samples play no part in it.

    Args:
        cohort: The samples, all labelled.
        folds: Parts of one repeat, each tested on once.
        repeats: How often the samples are dealt anew.
        val_fraction: Share of the samples that are not tested on; 0 for no validation set.
        grouped: Whether the samples of a group stay together.
        seed: Of the random order.

    Raises:
        FoveolaError: If a sample has no label, or a class has fewer samples or groups than there are folds.
    """
    check_labels(cohort)
    check_folds(cohort, np.arange(len(cohort)), folds, grouped)
    made = []
    for repeat in range(repeats):
        rng = np.random.default_rng([seed, repeat])
        parts = deal(cohort, np.arange(len(cohort)), [1 / folds] * folds, grouped, rng)
        for part, roles in each_tested(parts):
            if val_fraction:
                rows = np.flatnonzero(roles == "train")
                aside = deal(cohort, rows, [1 - val_fraction, val_fraction], grouped, rng)
                roles[rows[aside == 1]] = "val"
            made.append((folds * repeat + part, roles))
    return split_table(cohort, made, grouped, cohort.name)


def inner_folds(
    splits: pd.DataFrame, cohort: Cohort, *, folds: int, grouped: bool, seed: int, option: str = "--folds "
) -> pd.DataFrame:
    """Returns folds within the training sets of a table: for each of its folds so many that validate on one part.

    Samples that are tested on in the outer fold are unused in the inner ones. The numbers go on behind those of the
    table; see `inner_numbers`.

    Raises:
        FoveolaError: If a class has fewer samples or groups in a training set than there are inner folds; ``option``
            is what the message asks to change.
    """
    made = []
    for outer, roles in roles_by_fold(splits).items():
        rows = np.flatnonzero(np.isin(roles, LEARNED_FROM))
        check_folds(cohort, rows, folds, grouped, option)
        parts = deal(cohort, rows, [1 / folds] * folds, grouped, np.random.default_rng([seed, outer]))
        for part, number in enumerate(inner_numbers(outer, splits, folds)):
            inner = np.full(len(cohort), UNUSED, dtype=object)
            inner[rows] = np.where(parts == part, "val", "train")
            made.append((number, inner.astype(str)))
    return split_table(cohort, made, grouped, cohort.name, needed=LEARNED_FROM)


def inner_numbers(outer: int, splits: pd.DataFrame, folds: int) -> range:
    """Returns the numbers of the inner folds of an outer fold.

    Args:
        outer: A fold in which something is tested on.
        splits: The outer folds, with or without inner ones behind them.
        folds: Inner folds of each.

    Example:
        >>> list(inner_numbers(1, pd.DataFrame({"fold": [0, 1, 2], "role": "test"}), 4))
        [7, 8, 9, 10]
    """
    tested = np.unique(splits["fold"][splits["role"] == "test"])
    start = tested.max() + 1 + folds * int(np.searchsorted(tested, outer))
    return range(start, start + folds)


def at_sizes(
    splits: pd.DataFrame, cohort: Cohort, *, sizes: Sequence[int], draws: int, grouped: bool = True, seed: int = 0
) -> pd.DataFrame:
    """Makes the training sets of a table smaller: for each of its folds so many random draws of every size.

    A smaller set of a draw is part of the larger ones. The classes keep their shares, and training and validation
    samples theirs; what is not drawn is unused, and what is tested on stays. Fold ``(draws * i + d) * len(sizes) + k``
    is draw d of the k-th size in fold i, counted in the order of the table.

    Args:
        splits: The folds to start from.
        cohort: The samples.
        sizes: Numbers of samples to learn from, those that are validated on included.
        draws: How many random draws.
        grouped: Whether groups are drawn whole, but for the last of a draw.
        seed: Of the draws.

    Raises:
        FoveolaError: If a size is larger than a training set, or too small to hold every class.
    """
    made: list[tuple[int, np.ndarray]] = []
    names, strata = cohort.strata
    for roles in roles_by_fold(splits).values():
        pools = [np.flatnonzero(roles == role) for role in LEARNED_FROM]
        there = sum(map(len, pools))
        for draw in range(draws):
            orders = [_order(cohort, pool, grouped, np.random.default_rng([seed, draw, len(pool)])) for pool in pools]
            for size in sizes:
                if not 2 <= size <= there:
                    raise FoveolaError(
                        f"from 2 to {there} training images", str(size), "--train-sizes", "leave that size out"
                    )
                validating = round(size * len(pools[1]) / there)
                chosen = np.concatenate([orders[0][: size - validating], orders[1][:validating]])
                if missing := set(range(len(names))) - set(strata[orders[0][: size - validating]].tolist()):
                    raise FoveolaError(
                        "training sets with every class",
                        f"{size} images without '{names[min(missing)]}'",
                        "--train-sizes",
                        "give larger sizes",
                    )
                smaller = np.where(roles == "test", "test", UNUSED).astype(object)
                smaller[chosen] = roles[chosen]
                made.append((len(made), smaller.astype(str)))
    return split_table(cohort, made, grouped, cohort.name)


def _order(cohort: Cohort, rows: np.ndarray, grouped: bool, rng: np.random.Generator) -> np.ndarray:
    """Returns the rows in an order of which every beginning has the classes in their shares; groups stay together."""
    if not len(rows):
        return rows
    units, counts = units_of(cohort, rows, grouped)
    classes, sizes = counts.argmax(1), counts.sum(1)
    when = np.empty(len(counts))
    for label in np.unique(classes):
        own = rng.permutation(np.flatnonzero(classes == label))
        when[own] = (np.cumsum(sizes[own]) - sizes[own] / 2) / sizes[own].sum()
    place = np.empty(len(counts), dtype=int)
    place[np.lexsort((rng.random(len(counts)), when))] = np.arange(len(counts))
    return rows[np.argsort(place[units], kind="stable")]


def roles_by_fold(splits: pd.DataFrame) -> dict[int, np.ndarray]:
    """Returns the role of every sample in each fold, in the order of the cohort."""
    return {int(str(fold)): rows["role"].to_numpy(dtype=str) for fold, rows in splits.groupby("fold", sort=True)}


def training_sizes(splits: pd.DataFrame) -> pd.Series[int]:
    """Returns how many samples are learned from in each fold, those that are validated on included."""
    learned = splits["role"].isin(LEARNED_FROM)
    return learned.groupby(splits["fold"]).sum().astype(int)
