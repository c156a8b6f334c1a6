"""``foveola list``: what can be chosen."""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, get_args

import typer

if TYPE_CHECKING:
    from foveola.attention import Arm

EXAMPLES = """[bold]Examples[/bold]

foveola list attention

foveola list backbones --match resnet

foveola list data --json"""


class Family(StrEnum):
    """What can be listed."""

    data = "data"
    arms = "arms"
    attention = "attention"
    backbones = "backbones"


HEADINGS = {Family.attention: ("arm", "A", "acts", "")}


def command(
    family: Annotated[Family, typer.Argument(help="What to list.")],
    match: Annotated[str, typer.Option(help="Only names that hold this.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """List the data sources, arms, attention or backbones that there are.

    Attention lists the arms in the order of the table of operators: what the matrix A is, and where it acts; classical
    baselines, which have no place for attention, are left out.
    """
    rows = {name: row for name, row in _members(family).items() if match in name}
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    headings = HEADINGS.get(family, ())
    table = Table(*headings, show_header=bool(headings), box=None)
    for name, row in rows.items():
        cells = row.values() if isinstance(row, dict) else (row,)
        table.add_row(Text(name, style="bold"), *map(Text, cells))
    Console().print(table)


def _members(family: Family) -> Mapping[str, str | dict[str, str]]:
    """Returns the names of a family and what there is to say of each, from its registry."""
    if family is Family.data:
        from foveola.data import SOURCES

        return {name: f"{source.summary}  ({source.usage})" for name, source in sorted(SOURCES.items())}
    if family is Family.arms:
        import foveola.models  # noqa: F401  adds arms, too

        return {arm.name: arm.summary for arm in _arms()}
    if family is Family.attention:
        return _attention()
    from foveola.models import backbone_names, segmenter_names

    return dict.fromkeys(segmenter_names(), "for images with masks") | dict.fromkeys(backbone_names(), "")


def _attention() -> dict[str, dict[str, str]]:
    return {
        arm.name: {
            "operator": arm.operator,
            "acts": "nowhere"
            if arm.operator == "none"
            else "input mask"
            if arm.mask
            else "own backbone"
            if arm.backbone
            else "inside",
            "summary": arm.summary,
        }
        for arm in _arms()
        if arm.trains
    }


def _arms() -> list[Arm]:
    """Returns the arms that are trained in the order of the table of operators, and behind them the others."""
    from foveola.attention import ARMS
    from foveola.attention.arm import Row

    return sorted(ARMS.values(), key=lambda arm: (not arm.trains, get_args(Row).index(arm.operator)))
