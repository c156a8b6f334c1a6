"""Loading of a cohort: from what stands after ``--data`` to the source that reads it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from foveola.data.cohort import UNLABELLED, Cohort
from foveola.data.sources.files import is_image
from foveola.data.sources.pairs import holds_pairs
from foveola.data.sources.source import SOURCES, Request, check_options, split_specification
from foveola.data.sources.table import tables_in
from foveola.foundation.errors import FoveolaError, unknown_name

TAKES = {"table": ("--label", "--bins"), "idrid": ("--label",)}
"""Which sources have a use for the options that choose labels."""


def load_cohort(data: str, *, label: str | None = None, bins: Sequence[float] = (), labelled: bool = True) -> Cohort:
    """Loads what stands after ``--data``: ``name:location,key=value,...``, the name of a source, or a path.

    A path alone is read as ``pairs`` if it is a folder that holds the folders ``images`` and ``masks``, or a CSV with
    the columns ``file`` and ``mask`` and no ``label``; as ``table`` if it is another ``.csv`` file or a folder with a
    CSV that has a column ``file``; as ``npz`` if it is an ``.npz`` file; and as ``folder`` if it is any other folder.

    Args:
        data: The specification.
        label: The column or task that gives the labels; ``None`` for the source's own.
        bins: Ascending thresholds that cut a numeric label into classes.
        labelled: Whether labels or masks are needed; if not, the cohort has none.

    Raises:
        FoveolaError: If there is no such source, option or path, or the data are not as they should be.

    Example:
        >>> cohort = load_cohort("digits")
        >>> len(cohort), cohort.images.read(0).shape
        (1797, (8, 8))
    """
    name, location, options = split_specification(data)
    source = SOURCES[name or _source_of(location, labelled)]
    check_options(source, options)
    for option, given in (("--label", label is not None), ("--bins", len(bins) > 0)):
        if given and option not in TAKES.get(source.name, ()):
            raise FoveolaError(
                f"no {option}", "one", f"--data {source.name}", f"leave it out: {source.name} has its own labels"
            )
    cohort = source.load(Request(location, options, label, tuple(bins), labelled))
    if labelled:
        return cohort
    return replace(cohort, classes=(), table=cohort.table.assign(label=UNLABELLED), masks=None)


def _source_of(location: str, labelled: bool) -> str:
    """Returns the name of the source that reads a path."""
    path = Path(location).expanduser()
    if location and path.is_dir():
        tables = tables_in(path)
        if any(holds_pairs(inside) for inside in tables or [path]):
            return "pairs"
        return "table" if tables else "folder"
    if path.suffix.lower() == ".csv" and path.is_file() and holds_pairs(path):
        return "pairs"
    kind = {".csv": "table", ".npz": "npz"}.get(path.suffix.lower())
    if not location or not path.exists():
        if location.replace("-", "").replace("_", "").isalnum():
            raise unknown_name("data source", location, SOURCES, "--data")
        got = f"'{location}', which does not exist"
        raise FoveolaError("a folder, a .csv or .npz file, or a source", got, "--data", "check the path")
    if kind is None and not labelled and is_image(path):
        return "folder"
    if kind is None:
        raise FoveolaError("a folder, a .csv or an .npz file", f"'{location}'", "--data", "see `foveola list data`")
    return kind
