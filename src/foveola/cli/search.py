"""``foveola search``: try settings of one arm on validation images."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from foveola.cli import options

if TYPE_CHECKING:
    from rich.console import Console

    from foveola.search import Search

EXAMPLES = """[bold]Examples[/bold]

foveola search --data scans/ --arm global --trials 40 --workers 2

foveola search --data scans/ --arm global --space paper --out grid

foveola search --data scans/ --arm global --space global.hidden=32,64 --space training.lr=0.0001:0.01:log

foveola compare --config grid/best.yaml"""
SHOWN = 5
"""So many of the best trials are printed."""


def command(
    data: options.Data = None,
    arms: Annotated[str | None, typer.Option("--arm", "-a", help="The arm; see `foveola list arms`.")] = None,
    space: options.SpaceOption = None,
    trials: Annotated[
        int | None,
        typer.Option(min=1, help="How many; 50, or all points of a grid, if not given.", rich_help_panel=options.STUDY),
    ] = None,
    inner_folds: Annotated[
        int,
        typer.Option(
            "--inner-folds",
            min=1,
            help="Parts of the training images that each trial is validated on in turn.",
            rich_help_panel=options.STUDY,
        ),
    ] = 1,
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
    workers: options.Workers = None,
    threads: options.Threads = None,
    cluster: options.Cluster = None,
    assignments: options.Assignments = None,
    config: options.ConfigFile = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The folder of the study; a stopped one in it goes on.")
    ] = None,
) -> None:
    """Try settings of one arm on validation images; the test images are never looked at.

    Writes every trial, and best.yaml for `foveola compare --config`. The same command goes on where it was stopped;
    given again while it runs, here or on another machine that sees the folder, it helps.
    """
    chosen = options.given({name: value for name, value in locals().items() if name not in ("space", "trials")})
    from rich.console import Console

    from foveola.cli.progress import bars
    from foveola.protocol import read_configuration
    from foveola.protocol.run.run_folder import default_folder
    from foveola.protocol.settings.space_words import read_space
    from foveola.search import search

    configuration = read_configuration(config, chosen, assignments or ())
    default = default_folder(configuration)
    with bars() as shown:
        found = search(
            configuration,
            out or default.with_name(f"{default.name}-search"),
            space=read_space(space) if space else None,
            trials=trials,
            inner_folds=inner_folds,
            progress=shown.report,
            executor=options.executor(workers, threads, cluster),
            watch=shown.job,
        )
    print_search(found, Console())


def print_search(found: Search, console: Console) -> None:
    """Prints the best trials, one sentence on the best, and where everything is."""
    from rich.table import Table

    criterion = found.configuration.training.criterion
    complete = found.trials[found.trials["state"] == "complete"]
    order = complete.sort_values("score", ascending=criterion == "loss", kind="stable")
    settings = list(found.settings)
    table = Table("trial", *settings, _name(criterion), "epoch", title="Best trials", title_justify="left")
    for row in order.head(SHOWN).to_dict("records"):
        epochs = ", ".join(str(value) for name, value in row.items() if str(name).startswith("epoch_"))
        table.add_row(str(row["number"]), *(_written(row[key]) for key in settings), f"{row['score']:.4f}", epochs)
    console.print(table)
    for sentence in sentences(found):
        console.print(sentence, highlight=False, markup=False, soft_wrap=True)


def sentences(found: Search) -> list[str]:
    """Says which settings are best, what became of the other trials, what the score is worth, and what comes next."""
    states = found.trials["state"].value_counts()
    named = {"pruned": "given up early", "diverged": "diverged", "refused": "had settings that cannot be together"}
    others = [f"{states[state]} {words}" for state, words in named.items() if state in states]
    score = found.trials.set_index("number")["score"][found.best]
    values = ", ".join(f"{key} = {_written(value)}" for key, value in found.settings.items())
    criterion = _name(found.configuration.training.criterion)
    return [
        f"Of {len(found.trials)} trials{' (' + ', '.join(others) + ')' if others else ''} number {found.best} is best: "
        f"{values}; {criterion} {score:.4f} on {found.validated} validation images.",
        "It was chosen by that score, so new images will look worse. The test images were not looked at; they tell:",
        f"foveola compare --config {found.folder / 'best.yaml'}",
    ]


def _name(criterion: str) -> str:
    return {"macro_auc": "macro AUC"}.get(criterion, criterion)


def _written(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
