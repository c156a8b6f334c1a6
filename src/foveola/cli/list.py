"""``foveola list``: what can be chosen."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Annotated

import typer

EXAMPLES = """[bold]Examples[/bold]

foveola list arms

foveola list backbones --match resnet

foveola list data --json"""


class Family(StrEnum):
    """What can be listed."""

    data = "data"
    arms = "arms"
    backbones = "backbones"


def command(
    family: Annotated[Family, typer.Argument(help="What to list.")],
    match: Annotated[str, typer.Option(help="Only names that hold this.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """List the data sources, arms or backbones that there are."""
    rows = {name: text for name, text in _members(family).items() if match in name}
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(show_header=False, box=None)
    for name, text in rows.items():
        table.add_row(Text(name, style="bold"), Text(text))
    Console().print(table)


def _members(family: Family) -> dict[str, str]:
    """Returns the names of a family and a line on each, from its registry."""
    if family is Family.data:
        from foveola.data import SOURCES

        return {name: f"{source.summary}  ({source.usage})" for name, source in SOURCES.items()}
    if family is Family.arms:
        from foveola.attention import ARMS

        return {name: arm.summary for name, arm in ARMS.items()}
    from foveola.models import backbone_names

    return dict.fromkeys(backbone_names(), "")
