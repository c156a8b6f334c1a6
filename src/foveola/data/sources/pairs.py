"""The source ``pairs``: images and masks side by side, in folders or named by a CSV file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from foveola.data.cohort import UNLABELLED, Cohort, sample_table
from foveola.data.images.decode import FileImages
from foveola.data.images.masks import Code, FileMasks, parse_classes
from foveola.data.sources import table
from foveola.data.sources.classes import as_number
from foveola.data.sources.csv_table import header_of, read_csv
from foveola.data.sources.files import existing, visible
from foveola.data.sources.folder import SPLIT_WORDS
from foveola.data.sources.pairing import Observer, images_beside, paired
from foveola.data.sources.source import SOURCES, Request, Source
from foveola.foundation.errors import FoveolaError

IMAGE_FOLDER, MASK_FOLDER = "images", "masks"
"""What the two folders are called where nothing else is said."""
MASK = "mask"
"""What the columns of masks in a CSV begin with, and the name of an only observer."""
OPTION = "--data pairs, option"
Paths = tuple[tuple[Path, ...], ...]


def load(request: Request) -> Cohort:
    """Reads pairs of images and masks.

    A mask has the name of its image with the suffix behind it, if there is one, and lies in the folder ``masks`` as the
    image does in ``images``; both may be one folder if there is a suffix. If folders called train, val and test hold
    such folders, they are the splits. A CSV names an image (``file``) and its masks (``mask`` and any column that
    begins so) in every row; it may have ``split``, ``group`` and ``laterality`` as for the source ``table``. Several
    observers are several folders or suffixes, joined by ``+``, or several columns; the first is the reference.

    Without ``classes`` masks hold 0 for the background and 1 or 255 for the foreground; otherwise see
    ``parse_classes``. The spacing is one number or ``HEIGHTxWIDTH``. Without labels, masks are not looked at.

    Raises:
        FoveolaError: If folders, images or masks are missing, or an option cannot be read.
    """
    location = existing(request.location, "file or folder", "pairs")
    classes: tuple[str, ...] = ("background", "foreground")
    codes: Mapping[Code, int] = {}
    if "classes" in request.options:
        classes, codes = parse_classes(request.options["classes"], f"{OPTION} classes")
    spacing, unit = _spacing(request)
    cohort, paths, names = _from_table(location, request) if _is_table(location) else _from_folders(location, request)
    cohort = replace(cohort, preprocessing={"fit": "pad"}, spacing=spacing, unit=unit)
    if not request.labelled:
        return cohort
    return replace(cohort, classes=classes, masks=FileMasks(paths, names, codes))


def holds_pairs(path: Path) -> bool:
    """Says whether a folder or a CSV file that is given alone is one of pairs.

    A CSV with labels is not, even if it names masks.
    """
    if path.is_file():
        return _names_masks(path) and "label" not in header_of(path)
    return any(
        (parent / IMAGE_FOLDER).is_dir() and (parent / MASK_FOLDER).is_dir()
        for _, parent in _parents(path, IMAGE_FOLDER)
    )


def _names_masks(path: Path) -> bool:
    header = header_of(path)
    return "file" in header and any(name.startswith(MASK) for name in header)


def _is_table(location: Path) -> bool:
    return location.is_file() or any(_names_masks(path) for path in table.tables_in(location))


def _from_table(location: Path, request: Request) -> tuple[Cohort, Paths, tuple[str, ...]]:
    path = table.table_file(location) if location.is_dir() else location
    if given := [name for name in ("images", "masks", "suffix") if name in request.options]:
        raise FoveolaError("no folders beside a CSV", f"'{given[0]}'", f"{OPTION} {given[0]}", "remove it")
    cohort = table.load(Request(str(location), {"extra": "ignore"}, labelled=False))
    if not request.labelled:
        return cohort, (), ()
    rows = read_csv(path)
    columns = [str(name) for name in rows.columns if str(name).startswith(MASK)]
    if not columns:
        raise FoveolaError(
            f"a column '{MASK}'",
            f"only {', '.join(map(str, rows.columns))}",
            str(path),
            "name the column of the masks so",
        )
    for name in columns:
        for line, value in rows[name].items():
            if not value or not (path.parent / value).is_file():
                got = f"'{value}', which does not exist," if value else "none"
                raise FoveolaError(
                    f"a file in column '{name}' of every row",
                    f"{got} in line {line}",
                    str(path),
                    "put the mask there or remove the row",
                )
    masks = tuple(tuple(path.parent / value for value in row) for row in rows[columns].itertuples(index=False))
    return cohort, masks, tuple(name.removeprefix(f"{MASK}_") for name in columns)


def _from_folders(root: Path, request: Request) -> tuple[Cohort, Paths, tuple[str, ...]]:
    inside = request.options.get("images", IMAGE_FOLDER)
    images: list[Path] = []
    samples: list[str] = []
    splits: list[str] = []
    masks: list[tuple[Path, ...]] = []
    names: tuple[str, ...] = ()
    for split, parent in _parents(root, inside):
        folder = parent / inside
        if not folder.is_dir() and "images" not in request.options:
            folder = parent
        existing(str(folder), "folder", "pairs")
        observers = _observers(parent, folder, request)
        found = images_beside(folder, observers)
        if request.labelled:
            names = tuple(observer.name for observer in observers)
            masks += paired(found, folder, observers)
        images += found
        samples += [f"{split and parent.name + '/'}{path.relative_to(folder).as_posix()}" for path in found]
        splits += [split] * len(found)
    known = sample_table(samples, [UNLABELLED] * len(samples), splits=splits)
    return Cohort(root.resolve().name, (), known, FileImages(tuple(images))), tuple(masks), names


def _parents(root: Path, inside: str) -> list[tuple[str, Path]]:
    """Returns the folders that hold the folder of images, each with its split; the root if there is none."""
    if not (root / inside).is_dir():
        folders = [(SPLIT_WORDS.get(path.name.lower(), ""), path) for path in visible(root)]
        if found := [(split, path) for split, path in folders if split and (path / inside).is_dir()]:
            return found
    return [("", root)]


def _observers(parent: Path, images: Path, request: Request) -> list[Observer]:
    """Returns the observers that the options tell of; without labels, those whose files are no images."""
    folders, suffixes = (_several(request.options.get(key)) for key in ("masks", "suffix"))
    if not folders and (parent / MASK_FOLDER).is_dir():
        folders = [MASK_FOLDER]
    if not folders and not suffixes:
        if not request.labelled:
            return []
        raise FoveolaError(
            f"folders '{IMAGE_FOLDER}' and '{MASK_FOLDER}' side by side, or masks by their names",
            "neither",
            str(parent),
            "name the folders with images=,masks= or what the names of masks end in with suffix=",
        )
    count = max(len(folders), len(suffixes))
    if min(len(folders) or count, len(suffixes) or count) not in (1, count):
        raise FoveolaError(
            "as many folders of masks as suffixes",
            f"{len(folders)} and {len(suffixes)}",
            "--data pairs",
            "give one of each observer, or one for all",
        )
    names = folders if len(folders) > 1 else [Path(name).stem.strip("_-. ") for name in suffixes]
    places = [parent / name for name in folders] or [images]
    for place in places if request.labelled else []:
        existing(str(place), "folder", "pairs")
    return [
        Observer(
            names[index] if count > 1 else MASK,
            places[index % len(places)],
            suffixes[index % len(suffixes)] if suffixes else "",
        )
        for index in range(count)
    ]


def _several(text: str | None) -> list[str]:
    return [part.strip() for part in text.split("+")] if text else []


def _spacing(request: Request) -> tuple[tuple[float, float], str]:
    text, unit = (request.options.get(key) for key in ("spacing", "unit"))
    if text is None and unit is None:
        return (1.0, 1.0), "px"
    if not text or not unit:
        raise FoveolaError(
            "a spacing and its unit", "one of the two", "--data pairs", "give both, such as spacing=0.5,unit=mm"
        )
    numbers: list[Any] = [as_number(part) for part in text.lower().split("x")]
    if len(numbers) > 2 or any(number is None or number <= 0 for number in numbers):
        raise FoveolaError(
            "a positive number or HEIGHTxWIDTH", f"'{text}'", f"{OPTION} spacing", "write it as 0.5 or 0.5x0.7"
        )
    return (float(numbers[0]), float(numbers[-1])), unit


SOURCES.add(
    Source(
        "pairs",
        usage="DIR or FILE.csv[,images=,masks=,suffix=][,classes=0:background+255:vessel][,spacing=,unit=]",
        summary="images and masks: two folders, a suffix, or a CSV with file,mask",
        options=("images", "masks", "suffix", "classes", "spacing", "unit"),
        load=load,
    )
)
