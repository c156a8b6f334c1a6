"""``foveola compare``: train every arm on identical splits, seeds and batches, and compare."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from foveola.cli import options

EXAMPLES = """[bold]Examples[/bold]

foveola compare --data scans/ --arm plain --arm global

foveola compare --data oct.csv --label md --bins -12,-6 --arm plain --arm l1-fair --arm global --seeds 3

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
    protocol: Annotated[options.Protocol | None, typer.Option(help="One test set, or each image tested once.")] = None,
    folds: Annotated[int | None, typer.Option(help="Number of folds; chooses kfold.")] = None,
    seeds: Annotated[int | None, typer.Option(help="Fits a fold.")] = None,
    backbone: options.Backbone = None,
    pretrained: options.Pretrained = None,
    weights: options.Weights = None,
    pixel_memory: options.PixelMemory = None,
    epochs: options.Epochs = None,
    cutoff: options.Cutoff = None,
    batch_size: options.BatchSize = None,
    lr: options.LearningRate = None,
    device: options.Device = None,
    assignments: options.Assignments = None,
    config: options.ConfigFile = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The run folder; a stopped run in it goes on.")
    ] = None,
) -> None:
    """Train arms on identical splits, seeds and batches, and say which is better.

    Writes a run folder with every prediction, result and map. The same command goes on where it was stopped.
    """
    chosen = options.given(locals())
    from rich.console import Console

    from foveola.cli.progress import bars
    from foveola.cli.tables import print_comparison
    from foveola.protocol import compare, read_configuration
    from foveola.protocol.run_folder import default_folder

    configuration = read_configuration(config, chosen, assignments or ())
    with bars() as shown:
        result = compare(
            configuration, out or default_folder(configuration), progress=shown.report, fit_progress=shown.fit
        )
    print_comparison(result, Console())
