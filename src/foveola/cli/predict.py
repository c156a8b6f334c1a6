"""``foveola predict``: apply a fitted model to images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

EXAMPLES = """[bold]Examples[/bold]

foveola predict model new-scans/ --out predictions.csv

foveola predict runs/scans/fits/global/0-0 scans.csv --out predictions.csv --maps maps"""


def command(
    model: Annotated[Path, typer.Argument(help="The folder of a model: of `foveola fit`, or of a fit of a run.")],
    images: Annotated[str, typer.Argument(help="A folder, .csv, .npz or source, with labels or without.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The table to write.")] = Path("predictions.csv"),
    maps: Annotated[
        Path | None, typer.Option(help="Also write the map, and a picture of it over each image, into this folder.")
    ] = None,
    masks: Annotated[
        Path | None, typer.Option(help="Where predicted masks go; a folder beside the table if not given.")
    ] = None,
    unlabelled: Annotated[bool, typer.Option("--unlabelled", help="Ignore what labels there are.")] = False,
) -> None:
    """Predict the class of every image, one row each, or the mask of every image where the model has learned masks."""
    from rich.console import Console

    from foveola.cli.progress import bars
    from foveola.inference.prediction import predict

    with bars() as shown:
        rows = predict(model, images, out, maps=maps, masks=masks, labelled=not unlabelled, progress=shown.report)
    Console().print(f"{rows} predictions are in {out}", highlight=False, markup=False, soft_wrap=True)
