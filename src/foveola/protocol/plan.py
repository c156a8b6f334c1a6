"""What a comparison consists of: which fit is trained on what."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from foveola.data.cohort import Cohort
from foveola.data.splits import holdout, kfold, read_split_file
from foveola.protocol.configuration import RunConfiguration


@dataclass(frozen=True)
class PlannedFit:
    """One fit of a comparison.

    Attributes:
        arm: Name of the arm.
        fold: Which fold of the split.
        seed: Of the weights and the batches; the same for all arms.
    """

    arm: str
    fold: int
    seed: int

    @property
    def name(self) -> str:
        """The path of its folder below ``fits/``."""
        return f"{self.arm}/{self.fold}-{self.seed}"


def plan(configuration: RunConfiguration, splits: pd.DataFrame) -> list[PlannedFit]:
    """Returns every fit of a comparison; arms take turns, so that a run that is stopped early has some of each."""
    return [
        PlannedFit(arm, int(fold), seed)
        for seed in range(configuration.seeds)
        for fold in np.unique(splits["fold"])
        for arm in configuration.arms
    ]


def make_splits(configuration: RunConfiguration, cohort: Cohort) -> pd.DataFrame:
    """Returns the split table that the configuration asks for."""
    grouped, seed = configuration.grouped, configuration.split_seed
    if configuration.split_file is not None:
        return read_split_file(configuration.split_file, cohort, grouped=grouped)
    if configuration.protocol == "kfold":
        return kfold(cohort, folds=configuration.folds, grouped=grouped, seed=seed)
    fractions = {"test_fraction": configuration.test_fraction, "val_fraction": configuration.val_fraction}
    return holdout(cohort, grouped=grouped, seed=seed, **fractions)


def rows_of(role: str, fold: int, splits: pd.DataFrame, cohort: Cohort) -> np.ndarray:
    """Returns the positions in the cohort, in ascending order, of the samples that play a role in a fold."""
    chosen = splits["sample"][(splits["fold"] == fold) & (splits["role"] == role)]
    positions = pd.Index(cohort.table["sample"]).get_indexer(pd.Index(chosen))
    return np.sort(positions)
