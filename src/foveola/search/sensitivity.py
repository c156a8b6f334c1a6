"""The sweep: one setting at a time is varied around a configuration, and each value is a comparison of its own."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from foveola.attention import ARMS, MaskSettings
from foveola.comparison import compare
from foveola.data import load_cohort
from foveola.execution import Executor, Watch
from foveola.foundation import atomic
from foveola.foundation.errors import FoveolaError
from foveola.foundation.settings import searched_fields
from foveola.pictures.curve import curve_picture, is_wide
from foveola.protocol import RunConfiguration
from foveola.protocol.run.run_folder import read_splits
from foveola.protocol.settings.search_space import space_of, value_in, values_of
from foveola.statistics.fit_scores import Design, read_design
from foveola.statistics.hypothesis_tests.fold_tests import nadeau_bengio, paired_t
from foveola.statistics.tables.verdict import metric_title
from foveola.training import Progress

TABLE, BASE = "sweep.csv", "base"
SWEEP_COLUMNS = ("setting", "value", "is_base", "arm", "metric", "mean", "ci_low", "ci_high", "fits")
GROUPS = ("training", "backbone", "preprocessing", "segmentation")
"""The groups of settings that can be varied, beside those of the arms; others change what is tested on."""
FIFTHS = (1, 2, 3, 4, 5)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Sweep:
    """What came out of a sweep; all of it is in the folder too.

    Attributes:
        folder: Where the runs are.
        table: One row a value, arm and metric, with the base configuration's value of each setting among them.
        metric: The one that the pictures show.
    """

    folder: Path
    table: pd.DataFrame
    metric: str


def sweep(
    configuration: RunConfiguration,
    folder: Path,
    vary: Mapping[str, Any],
    *,
    progress: Progress | None = None,
    executor: Executor | None = None,
    watch: Watch | None = None,
) -> Sweep:
    """Compares with each value of each setting in turn, or does what is left of it, and writes tables and pictures.

    The run of the configuration as it stands, ``base``, is shared by all settings; the run of another value is called
    like ``global.hidden=64``. Where a setting is that of one arm, only that arm is fitted anew.

    Args:
        configuration: What to vary around; of any protocol.
        folder: Where to write; what is there is gone on with.
        vary: The values of each setting, by dotted key of training, the backbone, preprocessing, segmentation or an
            arm.
        progress: Told how many images are checked and decoded.
        executor: Where the fits of a run are made.
        watch: Told how far a run is.

    Raises:
        FoveolaError: For a setting or a value that cannot be, or for what `compare` raises it.
    """
    if configuration.train_sizes:
        raise FoveolaError("one training size", f"{len(configuration.train_sizes)}", "--train-sizes", "leave it out")
    searched = [key for arm in configuration.arms for key in space_of(configuration, arm)]
    if both := [key for key in vary if key in searched]:
        raise FoveolaError("a setting that is not searched too", f"'{both[0]}'", "--vary", "leave it out of --space")
    cohort = load_cohort(configuration.data, label=configuration.label, bins=configuration.bins)
    standing = configuration.resolved(configuration.preprocessing, masks=cohort.masks is not None)
    metric = standing.primary_metric
    points = _points(configuration, standing, vary)
    for name, changed in {point.run: point.configuration for point in points}.items():
        log.info("run %s", name)
        compare(changed, folder / name, progress=progress, executor=executor, watch=watch)
    rows = [
        {"setting": point.key, "value": point.value, "is_base": point.run == BASE, **row}
        for point in points
        for row in summary_of(folder / point.run, arms_of(point.key, configuration))
    ]
    table = pd.DataFrame(rows, columns=list(SWEEP_COLUMNS))
    atomic.write_csv(folder / TABLE, table.assign(value=table["value"].map(_text)))
    shown = table[table["metric"] == metric]
    for key, own in shown.groupby("setting", sort=False):
        _draw(folder / f"{key}.png", str(key), own, metric)
    return Sweep(folder, table, metric)


def published(configuration: RunConfiguration) -> dict[str, tuple[Any, ...]]:
    """Returns what is varied in the sensitivity study of Xu et al. 2020, arXiv:2007.15897, section 4.9.

    It varies the settings of the arm (for ``global`` K and lambda, here over the grids of section 4.2) and the cut-off
    epoch E. The values of E cannot be read from its figure; here they are the fifths of the epochs.

    Raises:
        FoveolaError: If the paper varies nothing of these arms.
    """
    grids: dict[str, tuple[Any, ...]] = {}
    for arm in configuration.arms:
        marks = searched_fields(ARMS[arm].settings)
        grids |= {f"{arm}.{name}": mark.paper for name, mark in marks.items() if mark.paper}
    masks = [ARMS[arm].configure(values) for arm, values in configuration.arms.items()]
    if any(isinstance(mask, MaskSettings) and mask.freezes for mask in masks):
        epochs = configuration.training.epochs
        grids["training.cutoff"] = tuple(dict.fromkeys(max(1, round(epochs * fifth / 5)) for fifth in FIFTHS))
    if not grids:
        raise FoveolaError(
            "an arm that the paper varies", ", ".join(configuration.arms), "--vary paper", "write --vary key=v1,v2"
        )
    return grids


def summary_of(run: Path, arms: Sequence[str]) -> list[dict[str, Any]]:
    """Returns one row an arm and metric of a finished run: mean, 95 % interval, and number of fits.

    The value of a fold is the mean over its seeds, and the mean is that over folds. The interval is that of the
    corrected resampled t-test, see `foveola.statistics.hypothesis_tests.fold_tests.nadeau_bengio`: it speaks about
    other training and test images. Where there is one fold, it is the t-interval over its seeds, which speaks about
    other seeds alone; a single fit has none. Fits in which the metric is not defined are left out.
    """
    results = pd.read_csv(run / "results.csv", dtype={"arm": str, "metric": str})
    design = read_design(read_splits(run))
    results = results[results["value"].notna()]
    return [
        {"arm": arm, "metric": metric, **_interval(fits, design)}
        for arm in arms
        for metric, fits in results[results["arm"] == arm].groupby("metric", sort=False)
    ]


def arms_of(key: str, configuration: RunConfiguration) -> list[str]:
    """Returns the arms that a setting is of: one, or all."""
    arm = key.split(".")[0]
    return [arm] if arm in configuration.arms else list(configuration.arms)


@dataclass(frozen=True)
class _Point:
    """A value of a setting, and the run that has it."""

    key: str
    value: Any
    run: str
    configuration: RunConfiguration


def _points(configuration: RunConfiguration, standing: RunConfiguration, vary: Mapping[str, Any]) -> list[_Point]:
    """Returns every value of every setting, and that of the configuration as it stands, resolved, in order."""
    points = []
    for key, given in vary.items():
        if key.split(".")[0] not in (*GROUPS, *configuration.arms):
            known = ", ".join((*GROUPS, *configuration.arms))
            raise FoveolaError(f"a setting of {known}", f"'{key}'", "--vary", "vary one of these, or add its --arm")
        values, base = list(values_of(key, given, configuration, "--vary")), value_in(standing, key)
        if base is not None and base not in values:
            values.append(base)
        arms = {arm: configuration.arms[arm] for arm in arms_of(key, configuration)}
        for value in sorted(values) if _are_numbers(values) else values:
            if value == base:
                points.append(_Point(key, value, BASE, configuration))
            else:
                changed = configuration.model_copy(update={"arms": arms}).changed({key: value}, "--vary")
                points.append(_Point(key, value, run_name(key, value), changed))
    return points


def run_name(key: str, value: Any) -> str:
    """Returns the name of the run with a value.

    Example:
        >>> run_name("training.lr", 0.001), run_name("ppcr.levels", [1, 2])
        ('training.lr=0.001', 'ppcr.levels=1-2')
    """
    return f"{key}={re.sub(r'[^A-Za-z0-9_.+-]+', '-', _text(value).strip('[] '))}"


def _interval(fits: pd.DataFrame, design: Design) -> dict[str, Any]:
    by_fold = fits.groupby("fold")["value"].mean()
    if len(by_fold) > 1:
        folds = [int(str(fold)) for fold in by_fold.index]
        sizes = design.mean_train_size(folds), design.mean_test_size(folds)
        found = nadeau_bengio(by_fold.to_numpy(), *sizes)
    else:
        found = paired_t(fits["value"].to_numpy())
    return {"mean": found.difference, "ci_low": found.ci_low, "ci_high": found.ci_high, "fits": len(fits)}


def _are_numbers(values: Sequence[Any]) -> bool:
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _draw(path: Path, key: str, table: pd.DataFrame, metric: str) -> None:
    """Draws a metric against a setting, a curve an arm."""
    values = list(table["value"])
    numbers = _are_numbers(values)
    renamed = table.assign(x=table["value"] if numbers else table["value"].map(_text))
    renamed = renamed.rename(columns={"ci_low": "low", "ci_high": "high"})
    base = table.loc[table["is_base"], "value"]
    title = f"{key}, varied alone" + (f" (elsewhere {_text(base.iloc[0])})" if len(base) else "")
    curves = {
        str(arm): rows.astype({"x": float}) if numbers else rows for arm, rows in renamed.groupby("arm", sort=False)
    }
    curve_picture(
        path, curves, x_label=key, y_label=metric_title(metric), title=title, log_x=numbers and is_wide(values)
    )
