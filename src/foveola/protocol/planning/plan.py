"""What a comparison consists of: which fit is trained on what, and scored on what."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from foveola.attention import ARMS
from foveola.data.cohort import Cohort
from foveola.data.splits.repeated_splits import at_sizes, inner_folds, inner_numbers, repeated_kfold
from foveola.data.splits.splits import holdout, kfold, read_split_file
from foveola.foundation.errors import FoveolaError
from foveola.protocol.settings.configuration import RunConfiguration
from foveola.protocol.settings.search_space import candidates


@dataclass(frozen=True)
class PlannedFit:
    """One fit of a comparison. It learns from the images with the role ``train`` in its fold.

    Attributes:
        arm: Name of the arm.
        fold: Which fold of the split.
        seed: Of the weights and the batches; the same for all arms.
        trial: The number of the settings that are tried, or ``None`` for those that were given or chosen.
        watches: The role of the images that are looked at after each epoch.
        tests: Whether the test images of the fold are predicted at the end; a fit that only serves to choose does not.
        needs: The names of the fits whose scores choose its settings, or rank its epochs.
    """

    arm: str
    fold: int
    seed: int
    trial: int | None = None
    watches: Literal["val", "test"] = "val"
    tests: bool = True
    needs: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The path of its folder below ``fits/``."""
        trial = "" if self.trial is None else f"-trial{self.trial}"
        return f"{self.arm}/{self.fold}-{self.seed}{trial}"


def make_splits(configuration: RunConfiguration, cohort: Cohort) -> pd.DataFrame:
    """Returns the split table that the configuration asks for."""
    grouped, seed = configuration.grouped, configuration.split_seed
    fraction = configuration.val_fraction or 0.0
    if configuration.split_file is not None:
        splits = read_split_file(configuration.split_file, cohort, grouped=grouped)
    elif configuration.protocol == "kfold":
        splits = kfold(cohort, folds=configuration.folds, grouped=grouped, seed=seed)
    elif configuration.chooses:
        splits = repeated_kfold(
            cohort,
            folds=configuration.folds,
            repeats=configuration.repeats,
            val_fraction=fraction,
            grouped=grouped,
            seed=seed,
        )
    else:
        splits = holdout(
            cohort, test_fraction=configuration.test_fraction, val_fraction=fraction, grouped=grouped, seed=seed
        )
    if configuration.protocol == "paper":  # it trains once on all images that are not tested on
        splits = splits.assign(role=splits["role"].replace("val", "train"))
    _check_tested(splits, configuration)
    if configuration.train_sizes:
        return at_sizes(
            splits, cohort, sizes=configuration.train_sizes, draws=configuration.seeds, grouped=grouped, seed=seed
        )
    inner = {"nested": configuration.search.folds, "paper": configuration.folds}.get(configuration.protocol)
    if inner is None:
        return splits
    option = "--folds " if configuration.protocol == "paper" else "--set search.folds="
    within = inner_folds(splits, cohort, folds=inner, grouped=grouped, seed=seed, option=option)
    return pd.concat([splits, within], ignore_index=True)


def _check_tested(splits: pd.DataFrame, configuration: RunConfiguration) -> None:
    """Looks for one test set where the protocol has one."""
    tested = splits["fold"][splits["role"] == "test"].nunique()
    if tested > 1 and (configuration.train_sizes or configuration.protocol == "paper"):
        what = "a learning curve" if configuration.train_sizes else "the protocol paper"
        where = str(configuration.split_file or configuration.data)
        raise FoveolaError(f"one test set for {what}", f"{tested} folds", where, "give a split with one")


def plan(configuration: RunConfiguration, splits: pd.DataFrame) -> list[PlannedFit]:
    """Returns every fit of a comparison; arms take turns, so that a run that is stopped early has some of each.

    Fits that choose the settings of another stand before it.

    Raises:
        FoveolaError: If the best epoch is to be kept in a fold that has no images to choose it on.
    """
    tested = [int(fold) for fold in np.unique(splits["fold"][splits["role"] == "test"])]
    arrange = {"paper": _ranked, "nested": _searched, "sound": _searched}.get(configuration.protocol)
    planned: list[PlannedFit] = []
    for repetition in range(1 if configuration.train_sizes else configuration.seeds):
        for fold in tested:
            seed = _first_seed(fold, configuration) + repetition
            for arm in configuration.arms:
                fit = PlannedFit(arm, fold, seed)
                planned += arrange(fit, repetition, configuration, splits) if arrange else [fit]
    validated = set(splits["fold"][splits["role"] == "val"])
    blind = [fit.fold for fit in planned if ARMS[fit.arm].trains and fit.fold not in validated]
    if configuration.training.keep == "best" and blind:
        raise FoveolaError(
            "images to validate on in every fold, because the best epoch is kept",
            f"none in fold {blind[0]}",
            str(configuration.split_file or configuration.data),
            "give some the role val, or --set val_fraction=0.15, or --set training.keep=last",
        )
    return list(dict.fromkeys(planned))


def _first_seed(fold: int, configuration: RunConfiguration) -> int:
    """Returns the seed of the first fit of a fold: repeats and draws of training sets have seeds of their own."""
    draw = 0
    if sizes := len(configuration.train_sizes):
        fold, draw = divmod(fold // sizes, configuration.seeds)
    repeat = fold // configuration.folds if configuration.chooses and configuration.split_file is None else 0
    return repeat * configuration.seeds + draw


def _searched(
    fit: PlannedFit, repetition: int, configuration: RunConfiguration, splits: pd.DataFrame
) -> Iterator[PlannedFit]:
    """Yields the trials that choose the settings of a fit, once for all seeds of its fold, and the fit."""
    nested = configuration.protocol == "nested"
    folds = inner_numbers(fit.fold, splits, configuration.search.folds) if nested else [fit.fold]
    trials = [
        PlannedFit(fit.arm, fold, fit.seed - repetition, trial=trial, tests=False)
        for trial in range(len(candidates(configuration, fit.arm)))
        for fold in folds
    ]
    yield from trials
    yield PlannedFit(fit.arm, fit.fold, fit.seed, needs=tuple(trial.name for trial in trials))


def _ranked(
    fit: PlannedFit, repetition: int, configuration: RunConfiguration, splits: pd.DataFrame
) -> Iterator[PlannedFit]:
    """Yields the fits that rank the epochs, and the one on all training images whose test images are looked at."""
    if not ARMS[fit.arm].trains:
        yield fit  # has no epochs
        return
    folds = inner_numbers(fit.fold, splits, configuration.folds)
    ranking = [PlannedFit(fit.arm, fold, fit.seed, tests=False) for fold in folds]
    yield from ranking
    needs = tuple(rank.name for rank in ranking)
    yield PlannedFit(fit.arm, fit.fold, fit.seed, watches="test", needs=needs)


def rows_of(role: str, fold: int, splits: pd.DataFrame, cohort: Cohort) -> np.ndarray:
    """Returns the positions in the cohort, in ascending order, of the samples that play a role in a fold."""
    chosen = splits["sample"][(splits["fold"] == fold) & (splits["role"] == role)]
    positions = pd.Index(cohort.table["sample"]).get_indexer(pd.Index(chosen))
    return np.sort(positions)
