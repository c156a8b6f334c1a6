"""Results as rich tables and plain sentences."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd
from rich.console import Console
from rich.table import Table

from foveola.comparison import Comparison
from foveola.comparison.forecast import Forecast
from foveola.protocol import RunConfiguration
from foveola.reporting.paper_tables import PaperTables
from foveola.statistics import sentences
from foveola.statistics.tables.paper import WARNINGS

TITLES = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced acc.",
    "macro_auc": "macro AUC",
    "macro_f1": "macro F1",
    "quadratic_kappa": "kappa",
    "calibration_error": "calib. error",
    "medmnist_auc": "AUC",
    "medmnist_acc": "ACC",
    "dice": "Dice",
    "jaccard": "Jaccard",
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "hd95": "HD95",
    "boundary_dice": "boundary Dice",
    "false_islands": "false islands",
}
MANY = 10
"""Of more pairs than this only those with the first arm are printed."""


def print_comparison(result: Comparison, console: Console) -> None:
    """Prints one row an arm, one sentence a pair, how well each map finds the truth, and where everything is."""
    console.print(_summary(result.summary) if result.curve is None else _curve(result.curve))
    verdicts = result.comparisons[result.comparisons["primary"].astype(bool)]
    shown = verdicts
    if len(shown) > MANY:
        shown = shown[shown["arm_a"] == shown["arm_a"].iloc[0]]
    for sentence in sentences(shown):
        console.print(sentence, highlight=False, markup=False)
    if others := len(verdicts) - len(shown):
        console.print(f"{others} more pairs are in comparisons.csv", highlight=False, markup=False)
    if result.paper is not None:
        _print_paper(result.paper, console)
    if len(result.maps):
        console.print(_truth(result.maps))
    console.print(f"\nEverything is in {result.folder}", highlight=False, markup=False, soft_wrap=True)


def print_forecast(expected: Forecast, configuration: RunConfiguration, workers: int, console: Console) -> None:
    """Prints which fits would be made of what, and how long they would take."""
    table = Table(title=f"Protocol {configuration.protocol}: what would be done", title_justify="left")
    for name in ("arm", "each fit"):
        table.add_column(name)
    for name in ("fits", "trained on", "validated on", "tested on", "time"):
        table.add_column(name, justify="right")
    for row in expected.fits.to_dict("records"):
        cells = [str(row[name]) for name in ("arm", "purpose", "fits", "train", "validate", "test")]
        table.add_row(*cells, duration(row["seconds"]))
    console.print(table)
    fits = int(expected.fits["fits"].sum())
    left_out = ", without the arms whose time is not known" if expected.fits["seconds"].isna().any() else ""
    time = duration(expected.seconds / workers)
    console.print(
        f"{fits} fits, about {time} with {workers} worker{'s' if workers > 1 else ''}{left_out}. "
        "Nothing was fitted or written.",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )


def duration(seconds: float) -> str:
    """Returns a time as a person says it."""
    if pd.isna(seconds):
        return "not known"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min" if minutes else f"{round(seconds)} s"


def _summary(summary: pd.DataFrame) -> Table:
    table = Table(title="Test images, mean ± sd over fits", title_justify="left")
    table.add_column("arm", no_wrap=True, overflow="fold")
    table.add_column("fits", justify="right")
    known = [name for name in TITLES if name in summary]
    for name in known:
        table.add_column(TITLES[name], justify="right")
    for arm, row in summary.iterrows():
        cells = [_mean_and_sd(row[name], row[f"{name}_sd"]) for name in known]
        table.add_row(str(arm), str(int(row["fits"])), *cells)
    return table


def _curve(curve: pd.DataFrame) -> Table:
    """Returns a row an arm and a column a training size."""
    table = Table(title="Score by number of training images, mean and 95 % interval over draws", title_justify="left")
    table.add_column("arm")
    sizes = sorted(curve["train_size"].unique())
    for size in sizes:
        table.add_column(f"{size:,}", justify="right")
    for arm, rows in curve.groupby("arm", sort=False):
        cells = {row["train_size"]: _with_interval(row) for row in rows.to_dict("records")}
        table.add_row(str(arm), *(cells.get(size, "") for size in sizes))
    return table


def _with_interval(row: Mapping[Hashable, Any]) -> str:
    mean = f"{row['mean']:.3f}"
    return mean if pd.isna(row["ci_low"]) else f"{mean} ({row['ci_low']:.3f} to {row['ci_high']:.3f})"


def _print_paper(paper: PaperTables, console: Console) -> None:
    """Prints what the paper would report, and what is wrong with it."""
    table = Table(title="As the paper reports it: accuracy at the best epochs, mean ± sd", title_justify="left")
    for name in ("arm", "seed", "epochs", "accuracy"):
        table.add_column(name, justify="left" if name == "arm" else "right")
    for row in paper.scores.to_dict("records"):
        table.add_row(row["arm"], str(row["seed"]), str(row["epochs"]), _mean_and_sd(row["mean"], row["sd"]))
    console.print(table)
    for row in paper.comparisons.to_dict("records"):
        console.print(
            f"{row['arm_b']} against {row['arm_a']}, seed {row['seed']}: accuracy {row['difference']:+.3f}, "
            f"t-test over epochs p = {row['p_value']:.3g}",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )
    console.print("What is wrong with these numbers:", style="bold")
    for warning in WARNINGS:
        console.print(f"- {warning}", highlight=False, markup=False, soft_wrap=True)


def _truth(maps: pd.DataFrame) -> Table:
    table = Table(title="How well each map finds the truth region (ROC AUC over pixels)", title_justify="left")
    table.add_column("arm")
    table.add_column("before training", justify="right")
    table.add_column("after", justify="right")
    table.add_column("of each image", justify="right")
    grouped = maps.groupby("arm", sort=False)
    for arm, fits in grouped:
        after, each = (_mean_and_sd(fits[name].mean(), fits[name].std()) for name in ("auc", "auc_images"))
        table.add_row(str(arm), f"{fits['auc_before'].mean():.3f}", after, each)
    return table


def _mean_and_sd(mean: float, sd: float) -> str:
    if pd.isna(mean):
        return "not defined"
    return f"{mean:.3f}" if pd.isna(sd) else f"{mean:.3f} ± {sd:.3f}"
