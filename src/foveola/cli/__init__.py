"""The command line: one file a command; each parses, calls one library function, and prints."""

from __future__ import annotations

import errno
import logging
import sys
from typing import Annotated

import typer
from rich.console import Console

from foveola.cli import compare, demo, explain, fit, options, predict, search, status, sweep
from foveola.cli import list as list_command
from foveola.foundation.errors import FoveolaError
from foveola.foundation.plugins import load_plugin

app = typer.Typer(
    name="foveola",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Spatial attention for medical images: train with and without it, compare, and see where the network looks.",
    epilog="Start with [bold]foveola demo[/bold].",
)
COMMANDS = (
    (compare, "compare"),
    (status, "status"),
    (search, "search"),
    (sweep, "sweep"),
    (fit, "fit"),
    (predict, "predict"),
    (explain, "explain"),
    (list_command, "list"),
    (demo, "demo"),
)
for module, name in COMMANDS:
    app.command(name, epilog=module.EXAMPLES)(module.command)


@app.callback()
def _before_any_command(
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say more about what is done.")] = False,
    plugins: options.Plugins = None,
) -> None:
    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, format="%(levelname)s: %(message)s")
    logging.captureWarnings(True)
    if not verbose:
        logging.getLogger("py.warnings").setLevel(logging.ERROR)
    for path in plugins or ():
        load_plugin(path)


def main() -> None:
    """Runs the command line; what a user can mend is one sentence and exit code 2."""
    try:
        app()
    except FoveolaError as error:
        _give_up(str(error))
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        remedy = "free some space and give the same command again" if full else "check the path and its permissions"
        where = f", in {error.filename}" if error.filename else ""
        _give_up(f"expected to read and write files, got '{error.strerror or error}'{where}; {remedy}")


def _give_up(sentence: str) -> None:
    Console(stderr=True).print(f"foveola: {sentence}", style="bold red", markup=False, highlight=False, soft_wrap=True)
    sys.exit(2)
