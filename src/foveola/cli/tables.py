"""Results as rich tables and plain sentences."""

from __future__ import annotations

import pandas as pd
from rich.console import Console
from rich.table import Table

from foveola.protocol import Comparison, RunConfiguration
from foveola.protocol.forecast import Forecast

TITLES = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced acc.",
    "macro_auc": "macro AUC",
    "macro_f1": "macro F1",
    "calibration_error": "calib. error",
}
MANY = 10
"""Of more pairs than this only those with the first arm are printed."""


def print_comparison(result: Comparison, console: Console) -> None:
    """Prints one row an arm, one sentence a pair, how well each map finds the truth, and where everything is."""
    console.print(_summary(result.summary))
    shown = result.comparisons
    if len(shown) > MANY:
        shown = shown[shown["arm_a"] == shown["arm_a"].iloc[0]]
    for sentence in sentences(shown):
        console.print(sentence, highlight=False, markup=False)
    if others := len(result.comparisons) - len(shown):
        console.print(f"{others} more pairs are in comparisons.csv", highlight=False, markup=False)
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
    for row in expected.fits.itertuples(index=False):
        table.add_row(row.arm, row.purpose, str(row.fits), row.train, row.validate, row.test, _duration(row.seconds))
    console.print(table)
    fits = int(expected.fits["fits"].sum())
    left_out = ", without the arms whose time is not known" if expected.fits["seconds"].isna().any() else ""
    time = _duration(expected.seconds / workers)
    console.print(
        f"{fits} fits, about {time} with {workers} worker{'s' if workers > 1 else ''}{left_out}. "
        "Nothing was fitted or written.", highlight=False, markup=False, soft_wrap=True,
    )  # fmt: skip


def _duration(seconds: float) -> str:
    if pd.isna(seconds):
        return "not known"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min" if minutes else f"{round(seconds)} s"


def sentences(comparisons: pd.DataFrame) -> list[str]:
    """Says of each pair of arms what was found and how sure it is."""
    return [
        f"{row['arm_b']} against {row['arm_a']}: accuracy {row['difference']:+.3f} (95 % interval {row['ci_low']:+.3f} "
        f"to {row['ci_high']:+.3f}, corrected p = {row['p_corrected']:.4f}): "
        f"{_verdict(row['difference'], row['p_corrected'])}"
        for row in comparisons.to_dict("records")
    ]


def _verdict(difference: float, p_corrected: float) -> str:
    if p_corrected > 0.05:
        return "no difference shown"
    return "better" if difference > 0 else "worse"


def _summary(summary: pd.DataFrame) -> Table:
    table = Table(title="Test images, mean ± sd over fits", title_justify="left")
    table.add_column("arm")
    table.add_column("fits", justify="right")
    for title in TITLES.values():
        table.add_column(title, justify="right")
    for arm, row in summary.iterrows():
        cells = [_mean_and_sd(row[name], row[f"{name}_sd"]) for name in TITLES]
        table.add_row(str(arm), str(int(row["fits"])), *cells)
    return table


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
