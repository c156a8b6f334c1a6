"""The search: trials of settings on validation images, and the best of them."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from foveola.attention import ARMS
from foveola.comparison import load_data
from foveola.data.splits.repeated_splits import inner_folds as deal_inner_folds
from foveola.data.splits.repeated_splits import inner_numbers
from foveola.execution import Executor, InProcess, Watch
from foveola.foundation import atomic
from foveola.foundation.errors import FoveolaError
from foveola.pictures.curve import is_wide
from foveola.pictures.trials import trials_picture
from foveola.protocol import FitData, RunConfiguration, RunFolder, RunJob, read_run
from foveola.protocol.run.fit import check_fit
from foveola.protocol.run.run_job import file_of
from foveola.protocol.settings.configuration import VAL_FRACTION
from foveola.protocol.settings.search_space import (
    Declared,
    Grid,
    Range,
    Space,
    grid_numbers,
    in_words,
    is_grid,
    space_of,
)
from foveola.search.memory import check_optuna
from foveola.search.table import best_of, trials_table
from foveola.search.trial_job import TrialJob
from foveola.training import Progress

STUDY, TRIALS, BEST, PICTURE = "study.yaml", "trials.csv", "best.yaml", "trials.png"
DEFAULT_TRIALS = 50


@dataclass(frozen=True)
class Search:
    """What came out of a search; all of it is in the folder too.

    Attributes:
        folder: Of the study.
        trials: One row a finished trial, see `foveola.search.table.trials_table`.
        best: The number of the best.
        settings: What the best tried, by dotted key.
        configuration: The one that was searched around, with the best settings.
        validated: How many images each trial was scored on.
    """

    folder: Path
    trials: pd.DataFrame
    best: int
    settings: dict[str, Any]
    configuration: RunConfiguration
    validated: int


def search(
    configuration: RunConfiguration,
    folder: Path,
    *,
    space: Declared = None,
    trials: int | None = None,
    inner_folds: int = 1,
    progress: Progress | None = None,
    executor: Executor | None = None,
    watch: Watch | None = None,
) -> Search:
    """Tries settings of one arm, or what is left of them, and writes the folder of the study.

    A set of images is put aside and never looked at: the test images of the source's own split, of a split file, or of
    the hold-out that the configuration draws. Trials learn from the others, and are scored by the training's criterion
    on a part of them. The best settings stand in ``best.yaml``, a configuration that tests on what was put aside.

    Args:
        configuration: What to search around; it has one arm. Whatever its protocol is, one test set is put aside.
        folder: Of the study; one of the same settings, data and space is gone on with, also by several commands.
        space: What is searched, see `foveola.protocol.settings.search_space.space_of`; the configuration's own, or
            ``default``, if none is given. A space of lists is a grid, every point of which is tried once; else TPE
            chooses.
        trials: How many; if none is given, 50, or all points of a grid. A larger number goes on with a finished study.
        inner_folds: On how many parts of the images that are not put aside each trial is validated in turn; 1 for the
            validation images of the split alone.
        progress: Told how many images are checked and decoded.
        executor: Where the trials are made; in this process, one after the other, if none is given.
        watch: Told how far the trials are.

    Raises:
        FoveolaError: For data, settings or a space that cannot be used, a folder of another study, or if Optuna is
            missing; at the end, if a trial failed, when the tables of the others are written.
    """
    check_optuna()
    declared = space or configuration.search.space or "default"
    run = RunFolder(folder)
    configuration, data, fingerprint = load_data(_one_test_set(run.as_begun(configuration)), progress)
    arm = next(iter(configuration.arms))
    found = space_of(configuration, arm, declared)
    if not found:
        raise FoveolaError("settings to search", f"none of arm '{arm}'", "--space", _remedy(arm))
    data, folds = _with_inner_folds(data, configuration, inner_folds)
    check_fit(configuration, data)
    run.open(configuration, data.splits, fingerprint, sys.argv)
    _open(folder, found, trials, inner_folds)
    study = RunJob(folder.absolute(), configuration, data.splits, file_of(data.pixels), file_of(data.masks))
    study.hold(data)
    job = TrialJob(study, found, _numbers(found, trials, configuration), folds)
    job.memory.begin()
    job.memory.tell(job.outcomes())  # what a worker that was stopped in between could not
    try:
        (executor or InProcess()).run(job, watch)
    except FoveolaError:
        if job.outcomes():
            _summarise(job, data, folder)
        raise
    return _summarise(job, data, folder)


def is_study(folder: Path) -> bool:
    """Whether a folder is that of a study."""
    return (folder / STUDY).is_file()


def read_study(folder: Path) -> TrialJob:
    """Returns the job of a study, finished or not, without loading its images.

    Raises:
        FoveolaError: If it is no study, or its files are damaged.
    """
    study = read_run(folder)
    kept = _kept(folder / STUDY)
    found = space_of(study.configuration, next(iter(study.configuration.arms)), kept["space"])
    folds = _folds(study.splits, kept["inner_folds"])
    return TrialJob(study, found, _numbers(found, kept["trials"], study.configuration), folds)


def _one_test_set(configuration: RunConfiguration) -> RunConfiguration:
    """Returns the configuration with one test set and images to validate on."""
    if len(configuration.arms) != 1:
        raise FoveolaError("one arm", str(len(configuration.arms)), "--arm", "search for one arm at a time")
    changes: dict[str, Any] = {"protocol": "holdout", "search": {}, "train_sizes": ()}
    if configuration.training.keep == "auto":
        changes["training.keep"] = "best"
    if configuration.val_fraction is None:
        changes["val_fraction"] = VAL_FRACTION
    return configuration.changed(changes)


def _remedy(arm: str) -> str:
    if not ARMS[arm].trains:
        return "leave it to the arm, which searches for itself: `foveola compare` has it beside the others"
    return f"give some, such as --space training.lr=0.0001,0.001; or --set {arm}.NAME=VALUE for one value"


def _with_inner_folds(data: FitData, configuration: RunConfiguration, count: int) -> tuple[FitData, tuple[int, ...]]:
    """Returns the data with the folds that trials are validated on, and their numbers."""
    tested = data.splits.loc[data.splits["role"] == "test", "fold"].unique()
    if len(tested) != 1:
        raise FoveolaError(
            "a split with one test set",
            f"{len(tested)} folds",
            str(configuration.split_file),
            "choose inside each of them with `foveola compare --protocol nested`",
        )
    if count > 1:
        inner = deal_inner_folds(
            data.splits,
            data.cohort,
            folds=count,
            grouped=configuration.grouped,
            seed=configuration.split_seed,
            option="--inner-folds ",
        )
        data = replace(data, splits=pd.concat([data.splits, inner], ignore_index=True))
    folds = _folds(data.splits, count)
    if not all(len(data.rows("val", fold)) for fold in folds):
        raise FoveolaError(
            "images to validate on", "none", "the split", "give --inner-folds 3, or --set val_fraction=0.15"
        )
    return data, folds


def _folds(splits: pd.DataFrame, count: int) -> tuple[int, ...]:
    outer = int(splits.loc[splits["role"] == "test", "fold"].iloc[0])
    return (outer,) if count == 1 else tuple(inner_numbers(outer, splits, count))


def _numbers(space: Space, trials: int | None, configuration: RunConfiguration) -> tuple[int, ...]:
    if is_grid(space):
        return tuple(grid_numbers(space, trials, configuration.split_seed))
    return tuple(range(trials or DEFAULT_TRIALS))


def _open(folder: Path, space: Space, trials: int | None, inner_folds: int) -> None:
    """Writes down what is searched, or looks whether it is what was searched before."""
    path, now = folder / STUDY, {"space": in_words(space), "inner_folds": inner_folds, "trials": trials}
    before = _kept(path) if path.exists() else now
    for key in ("space", "inner_folds"):
        if before[key] != now[key]:
            raise FoveolaError(
                f"the {key.replace('_', ' ')} of the study that is there, {before[key]}",
                str(now[key]),
                str(path),
                "choose another --out, or give what was given before",
            )
    if before != now or not path.exists():
        atomic.write_yaml(path, now)


def _kept(path: Path) -> dict[str, Any]:
    try:
        kept = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise FoveolaError(
            "the file of a study", str(error).replace("\n", " "), str(path), "choose another --out"
        ) from error
    if not isinstance(kept, dict) or not {"space", "inner_folds", "trials"} <= set(kept):
        raise FoveolaError("the file of a study", "a damaged one", str(path), "choose another --out")
    return kept


def _summarise(job: TrialJob, data: FitData, folder: Path) -> Search:
    """Writes the table, the picture and the best settings of a study from the folders of its trials."""
    configuration, outcomes = job.study.configuration, job.outcomes()
    criterion = configuration.training.criterion
    table = trials_table(outcomes, job.space)
    atomic.write_csv(folder / TRIALS, table)
    best = best_of(outcomes, criterion, str(folder / TRIALS))
    settings = outcomes[best].settings
    chosen = configuration.changed(settings)
    atomic.write_yaml(folder / BEST, chosen.model_dump(mode="json"))
    numbered = table.set_index("number")
    trials_picture(
        folder / PICTURE,
        numbered["score"],
        {key: numbered[key] for key in job.space},
        y_label=f"{criterion.replace('_', ' ')} on validation images",
        title=f"{len(table)} trials of {job.arm}",
        smaller_is_better=criterion == "loss",
        log=[key for key, values in job.space.items() if _is_log(values)],
    )
    validated = sum(len(data.rows("val", fold)) for fold in job.folds)
    return Search(folder, table, best, settings, chosen, validated)


def _is_log(values: Grid | Range) -> bool:
    return values.log if isinstance(values, Range) else is_wide(values.values)
