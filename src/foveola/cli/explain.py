"""``foveola explain``: where a fitted model looks, image by image."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

EXAMPLES = """[bold]Examples[/bold]

foveola explain model new-scans/ --out explained

foveola explain runs/scans/fits/learn-to-pay/0-0 scans.csv --out explained --limit 20"""


def command(
    model: Annotated[Path, typer.Argument(help="The folder of a model: of `foveola fit`, or of a fit of a run.")],
    images: Annotated[str, typer.Argument(help="A folder, .csv, .npz or source, with labels or without.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The folder to write into.")] = Path("explained"),
    limit: Annotated[int | None, typer.Option(help="Only the first so many images.", min=1)] = None,
    unlabelled: Annotated[bool, typer.Option("--unlabelled", help="Ignore what labels there are.")] = False,
) -> None:
    """Write every attention map of a model for each image: as data, as picture, and over the image.

    maps.csv lists them all, explain.json says how they were resized; summary is one map for all places.
    """
    from rich.console import Console

    from foveola.cli.progress import bars
    from foveola.inference.explanation import explain

    with bars() as shown:
        count = explain(model, images, out, limit=limit, labelled=not unlabelled, progress=shown.report)
    Console().print(f"The maps of {count} images are in {out}", highlight=False, markup=False, soft_wrap=True)
