"""``foveola status``: how far a run is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from foveola.execution import JobStatus

Arms = dict[str, dict[str, int]]
"""How many fits of each arm are in each state."""

EXAMPLES = """[bold]Examples[/bold]

foveola status runs/scans

foveola status runs/scans --json"""


def command(
    run: Annotated[Path, typer.Argument(help="The run folder.")],
    as_json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """Say which fits of a run, or trials of a search, are done, running, failed, or waiting, and how long it will take.

    All of it is read from the run folder, so it can be asked on any machine that sees it, at any time.
    """
    from foveola.execution import Job, job_status
    from foveola.protocol import read_run
    from foveola.search import is_study, read_study

    job: Job = read_study(run) if is_study(run) else read_run(run)
    status = job_status(job.folder, job.tasks)
    arms = _arms(status, [task.name for task in job.tasks])
    if as_json:
        typer.echo(json.dumps(_as_json(status, arms), indent=2))
    else:
        _print(status, arms)


def _arms(status: JobStatus, names: list[str]) -> Arms:
    """Counts the fits of each arm that are in each state."""
    states = {
        "done": status.done,
        "running": [running.name for running in status.running],
        "failed": status.failed,
        "waiting": status.waiting,
    }
    counts = {_arm(name): dict.fromkeys(states, 0) for name in names}
    for state, found in states.items():
        for name in found:
            counts[_arm(name)][state] += 1
    return counts


def _arm(name: str) -> str:
    """Returns the arm of ``fits/<arm>/<fold>-<seed>``; the trials of a search are of one arm."""
    kind, arm, *_ = name.split("/")
    return arm if kind == "fits" else kind


def _as_json(status: JobStatus, arms: Arms) -> dict[str, Any]:
    return {
        "arms": arms,
        "running": [vars(running) for running in status.running],
        "failed": dict(status.failed),
        "seconds_left": status.seconds_left,
        "finished": status.is_finished,
    }


def _print(status: JobStatus, arms: Arms) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from foveola.cli.tables import duration

    console = Console()
    table = Table("arm")
    for state in ("done", "running", "failed", "waiting"):
        table.add_column(state, justify="right")
    for arm, counts in arms.items():
        table.add_row(Text(arm), *map(str, counts.values()))
    lines = [
        f"{running.name.removeprefix('fits/')}: {running.what or 'just begun'}, for {duration(running.seconds)}, on "
        f"{running.worker}, last heard of {duration(running.silent_s)} ago"
        for running in status.running
    ]
    lines += [f"{name.removeprefix('fits/')} failed: {reason}" for name, reason in status.failed.items()]
    console.print(table)
    for line in [*lines, _verdict(status)]:
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _verdict(status: JobStatus) -> str:
    from foveola.cli.tables import duration

    if status.is_finished:
        return "Nothing is left to do" + ("; the same command tries again what failed" if status.failed else "")
    if not status.running:
        return "Nobody is at it; the same command goes on"
    return "Time left: " + (
        "not known yet" if status.seconds_left is None else f"about {duration(status.seconds_left)}"
    )
