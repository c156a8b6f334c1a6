"""Fits and the design of a run, read from its tables: who was tested on what, after training on how many images."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Int

from foveola.foundation.errors import FoveolaError
from foveola.statistics.metrics.label_metrics import Labels
from foveola.statistics.metrics.mask_metrics import mask_table
from foveola.statistics.metrics.mask_scores import score_columns
from foveola.statistics.metrics.metric import Scores

NEAR = 1.1
"""Training sizes up to this ratio are one size: draws that keep groups together cannot all have the same number."""


@dataclass(frozen=True)
class Fold:
    """One assignment of the images.

    Attributes:
        train_size: How many images are trained or validated on.
        test: Places of the test images in the design's samples, in order.
    """

    train_size: int
    test: Int[np.ndarray, " images"]


@dataclass(frozen=True)
class Design:
    """What ``splits.csv`` says.

    Attributes:
        samples: Ids of the images.
        groups: Number of the group of each image, counted from 0 over the groups that are ever tested on; -1 for the
            others. An image without a group is one of its own.
        folds: The folds by number.
    """

    samples: pd.Index[str]
    groups: Int[np.ndarray, " samples"]
    folds: dict[int, Fold]

    @property
    def group_count(self) -> int:
        """The number of groups that are tested on."""
        return int(self.groups.max(initial=-1)) + 1

    def families(self, numbers: Iterable[int]) -> list[tuple[int, list[int]]]:
        """Returns folds that answer the same question together, with their mean training size, small sizes first.

        They are all folds of the run, except in a learning curve: there folds test on the same images after training on
        different numbers of them, and each training size is a family. Sizes within 10 % of the smallest are one.
        """
        folds = sorted(numbers, key=lambda number: (self.folds[number].train_size, number))
        tests = [self.folds[number].test.tobytes() for number in folds]
        sizes = [self.folds[number].train_size for number in folds]
        curve = any(
            tests[i] == tests[j] and sizes[j] > NEAR * sizes[i] for i in range(len(folds)) for j in range(i, len(folds))
        )
        families: list[list[int]] = []
        for number, size in zip(folds, sizes, strict=True):
            if families and (not curve or size <= NEAR * self.folds[families[-1][0]].train_size):
                families[-1].append(number)
            else:
                families.append([number])
        return [(round(self.mean_train_size(family)), sorted(family)) for family in families]

    def mean_train_size(self, numbers: Iterable[int]) -> float:
        """Returns the mean number of training images of some folds."""
        return float(np.mean([self.folds[number].train_size for number in numbers]))

    def mean_test_size(self, numbers: Iterable[int]) -> float:
        """Returns the mean number of test images of some folds."""
        return float(np.mean([len(self.folds[number].test) for number in numbers]))


@dataclass(frozen=True, eq=False)
class Fit:
    """What `read_scores` has of one fit on the test images of its fold, in the order of the design."""

    arm: str
    fold: int
    seed: int
    labels: Labels
    scores: Scores


def read_design(splits: pd.DataFrame) -> Design:
    """Returns the design of a split table with the columns sample, group, fold and role.

    A test set of one role only is fine; images of role ``unused`` count neither for training nor for testing.
    """
    samples = pd.Index(splits["sample"].unique())
    places = samples.get_indexer(pd.Index(splits["sample"]))
    table = splits.assign(place=places, group=splits["group"].fillna("").astype(str))
    named = table.drop_duplicates("place")["group"].to_numpy()
    units = np.array([f"group {name}" if name else f"image {place}" for place, name in enumerate(named)])
    tested = np.zeros(len(samples), dtype=bool)
    tested[table.loc[table["role"] == "test", "place"]] = True
    groups = np.full(len(samples), -1)
    groups[tested] = pd.factorize(units[tested])[0]
    folds = {}
    for fold, rows in table.groupby("fold", sort=True):
        test = np.sort(rows.loc[rows["role"] == "test", "place"].to_numpy())
        folds[int(str(fold))] = Fold(int(rows["role"].isin(["train", "val"]).sum()), test)
    return Design(samples, groups, folds)


def read_scores(predictions: pd.DataFrame, classes: Sequence[str], metrics: str = "default") -> tuple[Labels, Scores]:
    """Returns what the metrics of a set are computed from, for every row of the predictions.

    They are the number of the label (-1 if it is no class) and the probabilities of the classes; for ``segmentation``
    label 0 and `mask_metrics.mask_table`.

    Raises:
        FoveolaError: If a column is missing.
    """
    masks = metrics == "segmentation"
    columns = list(score_columns(classes)) if masks else [f"p_{name}" for name in classes]
    if missing := [name for name in columns if name not in predictions]:
        raise FoveolaError(
            "every column of the scores of masks" if masks else "one column of probabilities a class",
            f"no column {missing[0]}",
            "the predictions",
            "give the classes that the fits were trained on",
        )
    if masks:
        return np.zeros(len(predictions), dtype=np.int64), mask_table(predictions, classes)
    labels = pd.Index(classes).get_indexer(pd.Index(predictions["label"])).astype(np.int64)
    return labels, predictions[columns].to_numpy(np.float64)


def read_fits(predictions: pd.DataFrame, design: Design, classes: Sequence[str], metrics: str = "default") -> list[Fit]:
    """Returns the fits in the order in which they first occur, with what the metrics of a set are computed from.

    Raises:
        FoveolaError: If a fit is of an unknown fold, or is not about each test image of its fold once, or a label or a
            column of probabilities is not that of a class.
    """
    labels, scores = read_scores(predictions, classes, metrics)
    fits = []
    for (arm, fold, seed), rows in predictions.reset_index(drop=True).groupby(["arm", "fold", "seed"], sort=False):
        where = f"the predictions of arm {arm}, fold {fold}, seed {seed}"
        known = design.folds.get(int(str(fold)))
        places = design.samples.get_indexer(pd.Index(rows["sample"]))
        order = np.argsort(places, kind="stable")
        if known is None or not np.array_equal(places[order], known.test):
            raise FoveolaError(
                "every test image of the fold once",
                f"{len(rows)} rows that are not those of the split table",
                where,
                "take predictions and split table from the same run",
            )
        own = rows.index.to_numpy()[order]
        if (labels[own] < 0).any():
            unknown = predictions["label"].iloc[own[int(np.argmin(labels[own]))]]
            raise FoveolaError("labels that are classes", f"'{unknown}'", where, "give all classes, in order")
        fits.append(Fit(str(arm), int(str(fold)), int(str(seed)), labels[own], scores[own]))
    return fits


def fold_weights(fits: Sequence[Fit]) -> np.ndarray:
    """Returns the weight of each fit in a mean over folds of means over seeds; they sum to 1."""
    folds = [fit.fold for fit in fits]
    return np.array([1 / (len(set(folds)) * folds.count(fold)) for fold in folds])
