"""Options that several commands share, and what they set in the configuration."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from foveola.execution import Executor

DATA, TRAINING, NETWORK, MANY, STUDY = "Data", "Training", "Network", "Many fits", "Protocol"


class Protocol(StrEnum):
    """The protocols that can be chosen."""

    sound = "sound"
    nested = "nested"
    holdout = "holdout"
    kfold = "kfold"
    paper = "paper"


Data = Annotated[
    str | None,
    typer.Option("--data", "-d", help="A folder, .csv, .npz or source; see `foveola list data`.", rich_help_panel=DATA),
]
Label = Annotated[
    str | None, typer.Option("--label", help="Column or task that gives the labels.", rich_help_panel=DATA)
]
Bins = Annotated[
    str | None,
    typer.Option("--bins", help="Cut a numeric label at these thresholds, as -12,-6.", rich_help_panel=DATA),
]
ImageSize = Annotated[
    int | None, typer.Option("--image-size", help="Side of the square in pixels.", rich_help_panel=DATA)
]
SplitFile = Annotated[
    Path | None, typer.Option("--split-file", help="A splits.csv to use again.", rich_help_panel=DATA)
]
Backbone = Annotated[
    str | None,
    typer.Option("--backbone", help="Image CNN; see `foveola list backbones`.", rich_help_panel=NETWORK),
]
Pretrained = Annotated[
    bool | None,
    typer.Option("--pretrained/--no-pretrained", help="Start from the library's weights.", rich_help_panel=NETWORK),
]
Weights = Annotated[
    Path | None, typer.Option("--weights", help="Start from the weights in this file.", rich_help_panel=NETWORK)
]
PixelMemory = Annotated[
    float | None,
    typer.Option("--pixel-memory", help="MiB for the exact pixel representation.", rich_help_panel=NETWORK),
]
Epochs = Annotated[int | None, typer.Option("--epochs", help="Passes over the data.", rich_help_panel=TRAINING)]
Cutoff = Annotated[
    int | None, typer.Option("--cutoff", help="Epoch after which the map is fixed.", rich_help_panel=TRAINING)
]
BatchSize = Annotated[int | None, typer.Option("--batch-size", help="Images a step.", rich_help_panel=TRAINING)]
LearningRate = Annotated[
    float | None, typer.Option("--lr", help="Learning rate of the backbone.", rich_help_panel=TRAINING)
]
Device = Annotated[str | None, typer.Option("--device", help="auto, cpu, cuda or mps.", rich_help_panel=TRAINING)]
Assignments = Annotated[
    list[str] | None,
    typer.Option("--set", help="Any other setting, as global.hidden=64; may be repeated.", metavar="KEY=VALUE"),
]
Arms = Annotated[
    list[str] | None, typer.Option("--arm", "-a", help="An arm; see `foveola list arms`. May be repeated.")
]
ProtocolName = Annotated[
    Protocol | None,
    typer.Option(
        "--protocol",
        help="Which fit learns from what: sound (repeated folds, epoch and settings chosen on inner images), the "
        "default; nested (with a search); holdout; kfold; or paper.",
        rich_help_panel=STUDY,
    ),
]
Folds = Annotated[int | None, typer.Option("--folds", help="Number of folds.", rich_help_panel=STUDY)]
Repeats = Annotated[
    int | None, typer.Option("--repeats", help="How often the folds are dealt anew.", rich_help_panel=STUDY)
]
Seeds = Annotated[
    int | None, typer.Option("--seeds", help="Fits a fold, or draws of every training size.", rich_help_panel=STUDY)
]
TrainSizes = Annotated[
    str | None,
    typer.Option(
        "--train-sizes",
        help="A learning curve: numbers of training images, as 50,100,200; on the hold-out set.",
        rich_help_panel=STUDY,
    ),
]
Metric = Annotated[
    str | None, typer.Option("--metric", help="The metric that arms are compared by.", rich_help_panel=STUDY)
]
Metrics = Annotated[
    str | None, typer.Option("--metrics", help="default, or medmnist for its rules.", rich_help_panel=STUDY)
]
Trials = Annotated[
    int | None, typer.Option("--trials", help="Settings of each arm that are tried.", rich_help_panel=STUDY)
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Say what would be fitted on what, and how long it takes; write nothing.")
]
Out = Annotated[Path | None, typer.Option("--out", "-o", help="The run folder; a stopped run in it goes on.")]
SpaceOption = Annotated[
    list[str] | None,
    typer.Option(
        "--space",
        help="Settings to choose among: default, paper, a YAML file, or key=v1,v2 or key=low:high[:log].",
        rich_help_panel=STUDY,
    ),
]
Workers = Annotated[
    int | None, typer.Option("--workers", "-w", min=1, help="Processes that fit at a time.", rich_help_panel=MANY)
]
Threads = Annotated[
    int | None, typer.Option("--threads", min=1, help="Cores that a worker computes with.", rich_help_panel=MANY)
]
Cluster = Annotated[
    str | None,
    typer.Option(
        "--cluster",
        help="Fit on a Ray cluster: auto, local, or its address.",
        rich_help_panel=MANY,
        metavar="auto|ADDRESS",
    ),
]
Plugins = Annotated[
    list[Path] | None,
    typer.Option(
        "--plugin", envvar="FOVEOLA_PLUGINS", help="A file that registers an arm; may be repeated.", metavar="FILE.py"
    ),
]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="A YAML file, such as the run.yaml of a run.")]

KEYS = {
    "data": "data",
    "label": "label",
    "bins": "bins",
    "image_size": "preprocessing.image_size",
    "split_file": "split_file",
    "backbone": "backbone.name",
    "pretrained": "backbone.pretrained",
    "weights": "backbone.weights",
    "pixel_memory": "global.pixel_memory",
    "epochs": "training.epochs",
    "cutoff": "training.cutoff",
    "batch_size": "training.batch_size",
    "lr": "training.lr",
    "device": "training.device",
    "arms": "arms",
    "protocol": "protocol",
    "folds": "folds",
    "repeats": "repeats",
    "seeds": "seeds",
    "train_sizes": "train_sizes",
    "metric": "metric",
    "metrics": "metrics",
    "space": "search.space",
    "trials": "search.trials",
}
"""The dotted key in the configuration that each option sets."""


def executor(workers: int | None, threads: int | None, cluster: str | None) -> Executor:
    """Returns where the fits are made: in this process unless several workers or a cluster are asked for."""
    from foveola.execution import InProcess, LocalProcesses, RayCluster

    if cluster is not None:
        return RayCluster(cluster, workers=workers, threads=threads)
    if workers is not None and workers > 1:
        return LocalProcesses(workers, threads=threads)
    return InProcess(threads)


def given(options: dict[str, Any]) -> dict[str, Any]:
    """Returns the options that were given, by the key that they set; the arms first, as other keys may be theirs."""
    chosen = {KEYS[name]: value for name, value in options.items() if name in KEYS and value not in (None, [])}
    if isinstance(chosen.get("bins"), str):
        chosen["bins"] = [part.strip() for part in chosen["bins"].split(",")]
    if "search.space" in chosen:
        from foveola.protocol.settings.space_words import read_space

        chosen["search.space"] = read_space(chosen["search.space"])
    if isinstance(chosen.get("weights"), Path):
        chosen["weights"] = str(chosen["weights"])
    if "train_sizes" in chosen:
        chosen["train_sizes"] = [part.strip() for part in str(chosen["train_sizes"]).split(",")]
    return dict(sorted(chosen.items(), key=lambda item: item[0] != "arms"))
