"""``foveola fit``: train one arm and keep the model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from foveola.cli import options

EXAMPLES = """[bold]Example[/bold]

foveola fit --data scans/ --arm global --epochs 60 --out model"""


def command(
    data: options.Data = None,
    arms: Annotated[str | None, typer.Option("--arm", "-a", help="The arm to train; see `foveola list arms`.")] = None,
    label: options.Label = None,
    bins: options.Bins = None,
    image_size: options.ImageSize = None,
    split_file: options.SplitFile = None,
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
    out: Annotated[Path, typer.Option("--out", "-o", help="The folder of the model.")] = Path("model"),
) -> None:
    """Train one arm on the training images, and predict its test images.

    Writes the model, its map, its history and predictions.csv. The same command goes on where it was stopped.
    """
    chosen = options.given(locals())
    from rich.console import Console

    from foveola.cli.progress import bars
    from foveola.comparison import fit_model
    from foveola.protocol import read_configuration

    if config is None:
        chosen["protocol"] = "holdout"
    configuration = read_configuration(config, chosen, assignments or ())
    with bars() as shown:
        summary = fit_model(
            configuration,
            out,
            progress=shown.report,
            fit_progress=lambda _, done, steps: shown.report("Training", done, steps),
        )
    scores = ", ".join(f"{name.replace('_', ' ')} {value:.3f}" for name, value in summary.items() if "[" not in name)
    Console().print(f"Test images: {scores}\nThe model is in {out}", highlight=False, markup=False, soft_wrap=True)
