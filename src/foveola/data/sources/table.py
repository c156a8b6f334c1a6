"""The source ``table``: a CSV file that names images and their labels."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd

from foveola.data.cohort import UNLABELLED, Cohort, sample_table
from foveola.data.images.decode import FileImages
from foveola.data.sources.classes import binned_classes, named_classes
from foveola.data.sources.csv_table import column, header_of, read_csv
from foveola.data.sources.files import existing, find_images, visible
from foveola.data.sources.folder import SPLIT_WORDS
from foveola.data.sources.source import SOURCES, Request, Source
from foveola.foundation.errors import FoveolaError, unknown_name

SIDE_WORDS = {"l": "L", "left": "L", "os": "L", "r": "R", "right": "R", "od": "R"}
"""What a side may be called, and its name here."""


def load(request: Request) -> Cohort:
    """Reads the images that a CSV file names.

    The column ``file`` holds paths relative to the CSV's folder; a sample's id is that path. ``label`` (or the column
    that ``request.label`` names) gives the classes, by ``request.bins`` if its numbers are to be cut. ``split``,
    ``group`` and ``laterality`` may be there; if they are, every row must have a split or a group, while a side may be
    missing.

    Raises:
        FoveolaError: If the CSV and the images beside it do not agree, or a value is missing or unknown.
    """
    location = existing(request.location, "file or folder", "table")
    path = table_file(location) if location.is_dir() else location
    extra = request.options.get("extra", "error")
    if extra not in ("error", "ignore"):
        raise unknown_name("choice", extra, ("error", "ignore"), "--data table, option extra")
    table = read_csv(path)
    files = _complete(column(table, "file", path, "name the column of the paths 'file'"), path)
    samples = [Path(value.replace("\\", "/")).as_posix() for value in files]
    _check_files(path, samples, files.index.tolist(), check_extra=extra == "error")
    classes, labels = _classes(table, request, path) if request.labelled else ((), [UNLABELLED] * len(table))
    return Cohort(
        location.resolve().name if location.is_dir() else location.stem,
        classes,
        sample_table(
            samples,
            labels,
            groups=_complete(table["group"], path).tolist() if "group" in table else None,
            splits=_words(_complete(table["split"], path), SPLIT_WORDS, path) if "split" in table else None,
            laterality=_words(table["laterality"], SIDE_WORDS, path) if "laterality" in table else None,
        ),
        FileImages(tuple(path.parent / sample for sample in samples)),
    )


def tables_in(folder: Path) -> list[Path]:
    """Returns the CSV files in a folder that have a column ``file``."""
    return [path for path in visible(folder) if path.suffix.lower() == ".csv" and "file" in header_of(path)]


def table_file(folder: Path) -> Path:
    """Returns the one CSV file in a folder that has a column ``file``.

    Raises:
        FoveolaError: If there is none, or more than one.
    """
    found = tables_in(folder)
    if len(found) != 1:
        got = ", ".join(path.name for path in found) or "none"
        raise FoveolaError("one CSV with a column 'file'", got, str(folder), "name the one with --data table:FILE")
    return found[0]


def _classes(table: pd.DataFrame, request: Request, path: Path) -> tuple[tuple[str, ...], list[int]]:
    name = request.label or "label"
    values = _complete(column(table, name, path, "rename a column or choose one with --label"), path)
    if request.bins:
        return binned_classes(values.tolist(), values.index.tolist(), request.bins, name, str(path))
    return named_classes(values.tolist(), name, str(path))


def _complete(values: pd.Series[str], path: Path) -> pd.Series[str]:
    """Returns the column if no value is missing; an optional one may be missing altogether."""
    missing = values.index[values == ""]
    optional = values.name in ("group", "split")
    if len(missing) and not (optional and len(missing) == len(values)):
        raise FoveolaError(
            f"a {values.name} in every row",
            f"none in line {missing[0]} (the first of {len(missing)})",
            str(path),
            "fill in the value or remove the row",
        )
    return values


def _words(values: pd.Series[str], known: dict[str, str], path: Path) -> list[str]:
    known = {"": "", **known}
    for line, value in values.items():
        if value.lower() not in known:
            raise unknown_name(str(values.name), value, filter(None, known), f"{path}, line {line}")
    return [known[value.lower()] for value in values]


def _check_files(path: Path, samples: list[str], lines: list[int], *, check_extra: bool) -> None:
    """Compares the files that the table names with those that are there."""
    missing = [place for place, sample in enumerate(samples) if not (path.parent / sample).is_file()]
    if missing:
        raise FoveolaError(
            "every file that the table names",
            f"{len(missing)} that do not exist, the first '{samples[missing[0]]}' in line {lines[missing[0]]}",
            str(path),
            "put the files there or remove the rows",
        )
    if not check_extra:
        return
    named = {os.path.normpath(path.parent / sample) for sample in samples}
    extra = [image for image in find_images(path.parent) if os.path.normpath(image) not in named]
    if extra:
        first = extra[0].relative_to(path.parent).as_posix()
        raise FoveolaError(
            "a row for every image in the folder",
            f"{len(extra)} files without labels, the first '{first}'",
            str(path),
            f"add rows, or pass --data table:{path},extra=ignore",
        )


SOURCES.add(
    Source(
        "table",
        usage="FILE.csv or DIR[,extra=ignore]",
        summary="a CSV with file,label[,split][,group][,laterality], paths relative to it",
        options=("extra",),
        load=load,
    )
)
