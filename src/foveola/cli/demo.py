"""``foveola demo``: the main job on drawn images whose truth is known."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

EXAMPLES = """[bold]Example[/bold]

foveola demo --out runs/demo"""

SETTINGS = {
    "data": "phantom",
    "protocol": "holdout",
    "arms": ["plain", "l1-fair", "global"],
    "backbone.name": "small-cnn",
    "training.epochs": 20,
    "training.cutoff": 12,
    "training.lr": 0.002,
    "global.hidden": 32,
    "global.dim": 32,
    "global.representation": "compressed",
}


def command(
    out: Annotated[Path, typer.Option("--out", "-o", help="The run folder.")] = Path("runs/demo"),
    seeds: Annotated[int, typer.Option(help="Fits an arm.", min=1)] = 1,
) -> None:
    """Compare plain, l1-fair and global on drawn fundus photographs, and see which map finds the macula.

    The risk of a drawn eye is decided by the lesions around its fovea alone; lesions elsewhere mean nothing.
    """
    from rich.console import Console

    from foveola.cli.progress import bars
    from foveola.cli.tables import print_comparison
    from foveola.comparison import compare
    from foveola.protocol import read_configuration

    configuration = read_configuration(options={**SETTINGS, "seeds": seeds})
    with bars() as shown:
        result = compare(configuration, out, progress=shown.report, watch=shown.job)
    console = Console()
    print_comparison(result, console)
    console.print(f"See the maps in {out / 'maps' / 'arms.png'}", highlight=False, markup=False, soft_wrap=True)
