"""``foveola sweep``: vary one setting at a time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from foveola.cli import options

if TYPE_CHECKING:
    from rich.console import Console

    from foveola.protocol import RunConfiguration
    from foveola.search import Sweep

EXAMPLES = """[bold]Examples[/bold]

foveola sweep --data scans/ --arm global --vary global.hidden=32,64,128 --vary training.cutoff=5,10,20 --out sweep

foveola sweep --data scans/ --arm global --vary paper --seeds 3 --protocol holdout --workers 2 --out sweep"""


def command(
    vary: Annotated[
        list[str],
        typer.Option("--vary", help="A setting and its values, as global.hidden=32,64; or paper. May be repeated."),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="The folder of the runs; stopped ones in it go on.")],
    data: options.Data = None,
    arms: Annotated[
        list[str] | None, typer.Option("--arm", "-a", help="An arm; see `foveola list arms`. May be repeated.")
    ] = None,
    label: options.Label = None,
    bins: options.Bins = None,
    image_size: options.ImageSize = None,
    split_file: options.SplitFile = None,
    protocol: Annotated[
        options.Protocol | None, typer.Option(help="As of `foveola compare`.", rich_help_panel=options.STUDY)
    ] = None,
    folds: Annotated[int | None, typer.Option(help="Number of folds.", rich_help_panel=options.STUDY)] = None,
    repeats: Annotated[
        int | None, typer.Option(help="How often the folds are dealt anew.", rich_help_panel=options.STUDY)
    ] = None,
    seeds: Annotated[int | None, typer.Option(help="Fits a fold.", rich_help_panel=options.STUDY)] = None,
    metric: Annotated[str | None, typer.Option(help="The metric that is drawn.", rich_help_panel=options.STUDY)] = None,
    backbone: options.Backbone = None,
    pretrained: options.Pretrained = None,
    weights: options.Weights = None,
    pixel_memory: options.PixelMemory = None,
    epochs: options.Epochs = None,
    cutoff: options.Cutoff = None,
    batch_size: options.BatchSize = None,
    lr: options.LearningRate = None,
    device: options.Device = None,
    workers: options.Workers = None,
    threads: options.Threads = None,
    cluster: options.Cluster = None,
    assignments: options.Assignments = None,
    config: options.ConfigFile = None,
) -> None:
    """Vary one setting at a time around a configuration, and draw what each value does to the score.

    Writes a run folder a value, sweep.csv, and a picture a setting. The same command goes on where it was stopped.
    """
    chosen = options.given(locals())
    from rich.console import Console

    from foveola.cli.progress import bars
    from foveola.protocol import read_configuration
    from foveola.search import sweep

    configuration = read_configuration(config, chosen, assignments or ())
    with bars() as shown:
        found = sweep(
            configuration,
            out,
            varied(vary, configuration),
            progress=shown.report,
            executor=options.executor(workers, threads, cluster),
            watch=shown.job,
        )
    print_sweep(found, Console())


def varied(written: Sequence[str], configuration: RunConfiguration) -> dict[str, Any]:
    """Returns the values of each setting that stand after ``--vary``.

    Raises:
        FoveolaError: If it is neither ``paper`` nor values.
    """
    from foveola.protocol.settings.space_words import read_values
    from foveola.search import published

    values: dict[str, Any] = {}
    for text in written:
        values |= published(configuration) if text.strip() == "paper" else dict([read_values(text, "--vary")])
    return values


def print_sweep(found: Sweep, console: Console) -> None:
    """Prints the metric for every value of every setting, and where everything is."""
    from rich.table import Table

    title = f"{found.metric.replace('_', ' ')}, mean and 95 % interval"
    table = Table("setting", "value", "arm", "mean", "interval", "fits", title=title, title_justify="left")
    own = found.table[found.table["metric"] == found.metric]
    for row in own.to_dict("records"):
        interval = "none" if row["ci_low"] != row["ci_low"] else f"{row['ci_low']:.3f} to {row['ci_high']:.3f}"
        value = f"{row['value']}{' (base)' if row['is_base'] else ''}"
        table.add_row(row["setting"], value, row["arm"], f"{row['mean']:.3f}", interval, str(row["fits"]))
    console.print(table)
    console.print(f"Everything is in {found.folder}", highlight=False, markup=False, soft_wrap=True)
