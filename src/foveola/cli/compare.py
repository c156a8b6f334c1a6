"""``foveola compare``: fit every arm on identical splits, seeds and batches, and compare."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from foveola.cli import options

EXAMPLES = """[bold]Examples[/bold]

foveola compare --data scans/ --arm plain --arm global --workers 2

foveola compare --data scans/ --arm plain --arm global --dry-run

foveola compare --data oct.csv --label md --bins -12,-6 --arm plain --arm l1-fair --arm global --protocol holdout

foveola compare --data scans/ --arm plain --arm global --train-sizes 50,100,200,400 --seeds 5

foveola compare --config runs/scans/run.yaml --out again"""


def command(
    data: options.Data = None,
    arms: Annotated[
        list[str] | None, typer.Option("--arm", "-a", help="An arm to train; see `foveola list arms`. May be repeated.")
    ] = None,
    label: options.Label = None,
    bins: options.Bins = None,
    image_size: options.ImageSize = None,
    split_file: options.SplitFile = None,
    protocol: Annotated[
        options.Protocol | None,
        typer.Option(
            help="Which fit learns from what: sound (repeated folds, epoch and settings chosen on inner images; the "
            "default), nested (with a search), holdout, kfold, or paper.",
            rich_help_panel=options.STUDY,
        ),
    ] = None,
    folds: Annotated[int | None, typer.Option(help="Number of folds.", rich_help_panel=options.STUDY)] = None,
    repeats: Annotated[
        int | None, typer.Option(help="How often the folds are dealt anew.", rich_help_panel=options.STUDY)
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(help="Fits a fold, or draws of every training size.", rich_help_panel=options.STUDY)
    ] = None,
    train_sizes: Annotated[
        str | None,
        typer.Option(
            "--train-sizes",
            help="A learning curve: numbers of training images, as 50,100,200; on the hold-out set.",
            rich_help_panel=options.STUDY,
        ),
    ] = None,
    metric: Annotated[
        str | None, typer.Option(help="The metric that arms are compared by.", rich_help_panel=options.STUDY)
    ] = None,
    metrics: Annotated[
        str | None, typer.Option(help="default, or medmnist for its rules.", rich_help_panel=options.STUDY)
    ] = None,
    space: options.Space = None,
    trials: Annotated[
        int | None, typer.Option(help="Settings of each arm that are tried.", rich_help_panel=options.STUDY)
    ] = None,
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
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be fitted on what, and how long it takes; write nothing.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The run folder; a stopped run in it goes on.")
    ] = None,
) -> None:
    """Fit arms on identical splits, seeds and batches, and say which is better.

    Writes a run folder with every prediction, result and map. The same command goes on where it was stopped; given
    again while it runs, here or on another machine that sees the folder, it helps.
    """
    chosen = options.given(locals())
    from rich.console import Console

    from foveola.cli.progress import bars
    from foveola.cli.tables import print_comparison, print_forecast
    from foveola.protocol import compare, read_configuration
    from foveola.protocol.compare import load_data
    from foveola.protocol.forecast import forecast
    from foveola.protocol.run_folder import default_folder

    configuration = read_configuration(config, chosen, assignments or ())
    folder = out or default_folder(configuration)
    if dry_run:
        with bars() as shown:
            configuration, loaded, _ = load_data(configuration, shown.report)
            expected = forecast(configuration, loaded, folder, shown.report)
        print_forecast(expected, configuration, workers or 1, Console())
        return
    with bars() as shown:
        result = compare(
            configuration, folder, progress=shown.report, executor=options.executor(workers, threads, cluster),
            watch=shown.job,
        )  # fmt: skip
    print_comparison(result, Console())
