"""The comparison: every arm on identical splits, seeds and batches, and what came out."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from foveola.data import load_cohort
from foveola.data.splits.repeated_splits import training_sizes
from foveola.data.stored.cache import fingerprint, prepared_images
from foveola.data.stored.mask_cache import prepared_masks
from foveola.data.stored.preprocessing import resolve
from foveola.execution import DONE, Executor, InProcess, Watch
from foveola.foundation import atomic
from foveola.foundation.errors import FoveolaError
from foveola.pictures.curve import curve_picture
from foveola.protocol.planning.plan import PlannedFit, make_splits, plan
from foveola.protocol.run.fit import check_fit, run_fit
from foveola.protocol.run.fit_data import FitData
from foveola.protocol.run.run_folder import RunFolder
from foveola.protocol.run.run_job import RunJob, file_of
from foveola.protocol.settings.configuration import RunConfiguration
from foveola.protocol.settings.search_space import candidates
from foveola.reporting.cohort_maps import save_maps
from foveola.reporting.mask_pictures import save_mask_pictures
from foveola.reporting.paper_tables import PaperTables, write_paper_tables
from foveola.statistics import (
    compare_arms,
    friedman_table,
    interval_table,
    learning_curve,
    nemenyi_table,
    results_table,
    summary_table,
)
from foveola.statistics.fit_scores import NEAR
from foveola.statistics.tables.verdict import metric_title
from foveola.training import Progress


@dataclass(frozen=True)
class Comparison:
    """What came out of a comparison; every number is in the run folder too.

    Attributes:
        folder: The run folder.
        summary: One row an arm: mean and sd over fits of every metric.
        comparisons: One row a pair of arms.
        maps: One row a fit with a map: how well it finds the truth region; empty where the source knows none.
        curve: One row an arm and training size, for a learning curve.
        paper: One row an arm, as the paper reports it, for its protocol.
    """

    folder: Path
    summary: pd.DataFrame
    comparisons: pd.DataFrame
    maps: pd.DataFrame
    curve: pd.DataFrame | None = None
    paper: PaperTables | None = None


def load_data(
    configuration: RunConfiguration, progress: Progress | None = None
) -> tuple[RunConfiguration, FitData, str]:
    """Returns the configuration with every default written out, the data, and their fingerprint."""
    cohort = load_cohort(configuration.data, label=configuration.label, bins=configuration.bins)
    preprocessing = resolve(configuration.preprocessing, cohort.preprocessing)
    configuration = configuration.resolved(preprocessing, masks=cohort.masks is not None)
    splits = make_splits(configuration, cohort)
    pixels = prepared_images(cohort, preprocessing, progress=progress)
    masks = None if cohort.masks is None else prepared_masks(cohort, preprocessing, progress=progress)
    return configuration, FitData(cohort, pixels, splits, masks), fingerprint(cohort, progress=progress)


def compare(
    configuration: RunConfiguration,
    folder: Path,
    *,
    progress: Progress | None = None,
    executor: Executor | None = None,
    watch: Watch | None = None,
) -> Comparison:
    """Makes every fit of a comparison, or what is missing of it, and writes the run folder.

    Args:
        configuration: What to compare.
        folder: The run folder; one of the same settings and data is gone on with, also by several commands at once.
        progress: Told how many images are checked and decoded.
        executor: Where the fits are made; in this process, one after the other, if none is given.
        watch: Told how far the fits are.

    Raises:
        FoveolaError: For data or settings that cannot be used, or a folder of another run; at the end, if a fit
            failed, when the tables of the others are written.
    """
    run = RunFolder(folder)
    configuration, data, data_fingerprint = load_data(run.as_begun(configuration), progress)
    job = RunJob(folder.absolute(), configuration, data.splits, file_of(data.pixels), file_of(data.masks))
    planned = list(job.fits.values())
    configuration.primary_metric  # noqa: B018 - an unknown one is told before anything is written
    if not all(run.is_done(fit) for fit in planned):
        check_fit(configuration, data)
    run.open(configuration, data.splits, data_fingerprint, sys.argv)
    job.hold(data)
    try:
        (executor or InProcess()).run(job, watch)
    except FoveolaError:
        if any(fit.tests and run.is_done(fit) for fit in planned):
            summarise(run, [fit for fit in planned if run.is_done(fit)], data, configuration)
        raise
    return summarise(run, planned, data, configuration)


def summarise(run: RunFolder, planned: list[PlannedFit], data: FitData, configuration: RunConfiguration) -> Comparison:
    """Writes the tables, curves and maps of a run from the folders of its fits."""
    tested = [fit for fit in planned if fit.tests]
    parts = [read_predictions(run.fit(fit) / "predictions.csv") for fit in tested]
    predictions = pd.concat(parts, ignore_index=True)
    classes, measures = data.cohort.classes, configuration.measures
    results = results_table(predictions, classes, **measures)
    metric = configuration.primary_metric
    tables = {
        "predictions": predictions,
        "results": results,
        "intervals": interval_table(predictions, data.splits, classes, **measures),
        "comparisons": compare_arms(predictions, data.splits, classes, primary=metric, **measures),
    }
    if len(configuration.arms) > 2:
        tables["ranks"] = friedman_table(results, data.splits, metric)
        tables["nemenyi"] = nemenyi_table(results, data.splits, metric)
    if configuration.train_sizes:
        tables["curve"] = learning_curve(results, data.splits, metric)
        draw_curve(run.path / "curve.png", tables["curve"], metric)
    for name, table in tables.items():
        atomic.write_csv(run.path / f"{name}.csv", table)
    paper = write_paper_tables(run, planned, configuration, data.splits) if configuration.protocol == "paper" else None
    if data.masks is not None:
        save_mask_pictures(run, _of_the_largest_size(tested, data.splits), data, configuration, predictions)
    maps = save_maps(run, _of_the_largest_size(tested, data.splits), data)
    return Comparison(run.path, summary_table(results), tables["comparisons"], maps, tables.get("curve"), paper)


def draw_curve(path: Path, curve: pd.DataFrame, metric: str) -> None:
    """Draws the score of every arm against the number of training images."""
    renamed = curve.rename(columns={"train_size": "x", "ci_low": "low", "ci_high": "high"})
    curves = {str(arm): rows for arm, rows in renamed.groupby("arm", sort=False)}
    curve_picture(
        path,
        curves,
        x_label="training images",
        y_label=metric_title(metric),
        log_x=True,
        title="Mean and 95 % interval over draws",
    )


def _of_the_largest_size(fits: list[PlannedFit], splits: pd.DataFrame) -> list[PlannedFit]:
    """Returns the fits with the largest training sets of a learning curve, and all where there is none."""
    sizes = training_sizes(splits)
    most = max(sizes[fit.fold] for fit in fits)
    return [fit for fit in fits if sizes[fit.fold] * NEAR >= most]


def fit_model(
    configuration: RunConfiguration,
    folder: Path,
    *,
    progress: Progress | None = None,
    fit_progress: Progress | None = None,
) -> dict[str, float]:
    """Trains the one arm of a configuration on its first fold, or goes on with it, and returns its test metrics.

    The folder is that of a fit in a run, with the run's ``run.yaml``, ``splits.csv`` and ``manifest.json`` beside.

    Raises:
        FoveolaError: If the configuration has more than one arm, or for what `compare` raises it.
    """
    if len(configuration.arms) != 1:
        raise FoveolaError("one arm", f"{len(configuration.arms)}", "--arm", "use `foveola compare` for several")
    run = RunFolder(folder)
    configuration, data, data_fingerprint = load_data(run.as_begun(configuration), progress)
    planned = next(fit for fit in plan(configuration, data.splits) if fit.tests)
    if candidates(configuration, planned.arm):
        raise FoveolaError(
            "settings as they stand",
            "a search space",
            "--space",
            "leave it out, or let `foveola search` choose and give its best.yaml to --config",
        )
    done = (folder / DONE).is_file()
    if not done:
        check_fit(configuration, data)
    run.open(configuration, data.splits, data_fingerprint, sys.argv)
    if not done:
        run_fit(planned, configuration, data, folder, fit_progress)
    predictions = read_predictions(folder / "predictions.csv")
    results = results_table(predictions, data.cohort.classes, **configuration.measures)
    return dict(zip(results["metric"], results["value"], strict=True))


def read_predictions(path: Path) -> pd.DataFrame:
    """Returns the predictions of a finished fit; ids and labels stay text.

    Raises:
        FoveolaError: If they are missing or damaged.
    """
    try:
        return pd.read_csv(path, dtype={"sample": str, "label": str, "arm": str}, keep_default_na=False)
    except (OSError, ValueError) as error:  # pandas' own errors are wrong values too
        raise FoveolaError(
            "the predictions of a finished fit",
            str(error),
            str(path),
            f"remove the file '{DONE}' beside it, and the fit is made again",
        ) from error
