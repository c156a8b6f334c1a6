"""CSV files as people keep them: stray spaces, empty columns and empty rows are forgiven, guesses are not."""

from __future__ import annotations

import csv
import difflib
from pathlib import Path

import pandas as pd

from foveola.foundation.errors import FoveolaError

MISSING = frozenset({"", "na", "n/a", "nan", "null", "<na>"})
"""What stands in a cell that is empty, in lower case."""


def read_csv(path: Path) -> pd.DataFrame:
    """Reads a CSV file as text, indexed by the number of the line that each row ends on.

    Spaces around headers and values are stripped; columns without a header and rows without a value are left out; what
    says that a value is missing (``NaN``, ``NA``, ``null``) becomes an empty string.

    Raises:
        FoveolaError: If the file cannot be read, is empty, is not UTF-8, names a column twice, or has a row with more
            values than columns.
    """
    rows: dict[int, list[str]] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as handle:
            reader = csv.reader(handle, strict=True)
            for row in reader:
                values = [value.strip() for value in row]
                if any(values):
                    rows[reader.line_num] = values
    except UnicodeDecodeError as error:
        raise FoveolaError("a CSV file in UTF-8", "another encoding", str(path), "save it as UTF-8") from error
    except (OSError, csv.Error) as error:
        raise FoveolaError("a readable CSV file", str(error), str(path), "repair the file") from error
    if len(rows) < 2:
        raise FoveolaError("a header and at least one row", f"{len(rows)} lines", str(path), "fill the table")
    header = rows.pop(next(iter(rows)))
    named = [place for place, name in enumerate(header) if name]
    names = [header[place] for place in named]
    if twice := [name for name in names if names.count(name) > 1]:
        raise FoveolaError("every column once", f"'{twice[0]}' twice", str(path), "rename or remove one of the two")
    for line, row in rows.items():
        if any(row[len(header) :]):
            raise FoveolaError(
                f"{len(header)} values in a row",
                f"{len(row)} in line {line}",
                str(path),
                "put values with commas in quotes",
            )
        row += [""] * (len(header) - len(row))
    cells = [["" if row[place].lower() in MISSING else row[place] for place in named] for row in rows.values()]
    return pd.DataFrame(cells, columns=pd.Index(names), index=pd.Index(list(rows)), dtype=object)


def header_of(path: Path) -> list[str]:
    """Returns the column names of a CSV file; nothing for a file that is empty."""
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as handle:
        return [name.strip() for name in next(csv.reader([handle.readline()]), [])]


def column(table: pd.DataFrame, name: str, path: Path, remedy: str) -> pd.Series[str]:
    """Returns a column by its name.

    Args:
        table: What ``read_csv`` returned.
        name: The column.
        path: The file, for the message.
        remedy: What to do where there is no such column.

    Raises:
        FoveolaError: If there is none; the message lists those that there are and offers the nearest.
    """
    names = [str(known) for known in table.columns]
    if name in names:
        return table[name]
    near = {known.casefold(): known for known in names}
    close = difflib.get_close_matches(name.casefold(), near, n=1, cutoff=0.55)
    hint = f" (did you mean '{near[close[0]]}'?)" if close else ""
    raise FoveolaError(f"a column '{name}'", f"only {', '.join(names)}{hint}", str(path), remedy)
