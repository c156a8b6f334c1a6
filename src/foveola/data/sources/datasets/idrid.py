"""The source ``idrid``: the Indian Diabetic Retinopathy Image Dataset, task B, "Disease Grading"."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from foveola.data.cohort import Cohort, sample_table
from foveola.data.images.decode import FileImages
from foveola.data.sources.classes import as_number
from foveola.data.sources.csv_table import column, read_csv
from foveola.data.sources.datasets.idrid_eyes import RIGHT_EYES
from foveola.data.sources.files import existing, find_images
from foveola.data.sources.source import SOURCES, Request, Source
from foveola.foundation.errors import FoveolaError, unknown_name

TASKS = {"dr": ("Retinopathy grade", 5), "dme": ("Risk of macular edema", 3)}
"""The column and the number of grades of each task."""
COUNTS = {"train": 413, "test": 103}
"""How many images each split has; the numbers of both begin at 1."""
WIDTH, FIRST_COLUMN, LAST_COLUMN = 4288, 260, 3685
"""The width of an image, and the columns between which Xu et al. (arXiv:2007.15897, supplement 1.1) keep it."""

log = logging.getLogger(__name__)


def load(request: Request) -> Cohort:
    """Reads IDRiD wherever it was unpacked, in its official split.

    The label files are found by their names at any depth, and so are the images. Ids carry the split, because the
    numbers begin at 1 in both. The crop is the paper's. The side of an eye is the paper's too (see ``idrid_eyes``); the
    index there is the number in the file's name less 1, and an image beyond the official numbers has no side.

    Raises:
        FoveolaError: If a label file is missing or found twice, labels and images do not agree, or a grade is unknown.
    """
    root = existing(request.location, "folder", "idrid")
    task = _task(request)
    paths: list[Path] = []
    samples: list[str] = []
    grades: list[int] = []
    splits: list[str] = []
    sides: list[str] = []
    for split, count in COUNTS.items():
        labels = _label_file(root, split)
        images = _images(root, labels, split)
        for number, grade in sorted(_grades(labels, task, images).items()):
            paths.append(images[number])
            samples.append(f"{split}/IDRiD_{number:03d}")
            grades.append(grade)
            splits.append(split)
            side = "R" if number - 1 in RIGHT_EYES[split] else "L"
            sides.append(side if 1 <= number <= count else "")
    present = sorted(set(grades))
    table = sample_table(samples, [present.index(grade) for grade in grades], splits=splits, laterality=sides)
    images_read = FileImages(tuple(paths))
    classes = tuple(f"{task.upper()} {grade}" for grade in present) if request.labelled else ()
    return Cohort(f"IDRiD {task.upper()}", classes, table, images_read, _crop(images_read))


def _task(request: Request) -> str:
    task = request.options.get("task", request.label or "dr").lower()
    if task not in TASKS:
        raise unknown_name("task", task, TASKS, "--data idrid, option task")
    if request.label and request.label.lower() != task:
        raise FoveolaError("one task", f"task={task} and --label {request.label}", "--data idrid", "leave out one")
    return task


def _plain(name: str) -> str:
    """Undoes what browsers, archives and mirrors do to names: percent codes, underscores, dashes, capitals."""
    return re.sub(r"[^a-z0-9]+", " ", re.sub(r"_20(?=[A-Za-z])", " ", unquote(name)).lower())


def _label_file(root: Path, split: str) -> Path:
    found = [
        path
        for path in sorted(root.rglob("*"))
        if path.suffix.lower() == ".csv" and re.search(rf"\b{split}(ing)? labels?\b", _plain(path.stem))
        if not path.name.startswith(".")
    ]
    if len(found) != 1:
        got = " and ".join(str(path.relative_to(root)) for path in found) or "none"
        raise FoveolaError(
            f"one CSV file of the {split}ing labels",
            got,
            str(root),
            "give the folder of one copy of 'B. Disease Grading'",
        )
    return found[0]


def _images(root: Path, labels: Path, split: str) -> dict[int, Path]:
    """Returns the images of a split by number, from the nearest folder above the labels that holds any."""
    for above in labels.parents:
        images: dict[int, Path] = {}
        for path in find_images(above):
            folders = " ".join(_plain(part) for part in path.relative_to(above).parts[:-1])
            number = _number(path.stem)
            if number is None or not re.search(rf"\b{split}", folders):
                continue
            if number in images:
                raise FoveolaError(
                    f"every {split}ing image once",
                    f"{images[number]} and {path}",
                    str(above),
                    "remove one of the copies",
                )
            images[number] = path
        if images or above == root:
            return images
    return {}


def _number(name: str) -> int | None:
    match = re.fullmatch(r"idrid ([0-9]+)( jpe?g)?", _plain(name).strip())
    return int(match[1]) if match else None


def _grades(path: Path, task: str, images: dict[int, Path]) -> dict[int, int]:
    """Returns the grade of every image by number, after checking that labels and images agree."""
    table = read_csv(path)
    name, grade_count = TASKS[task]
    remedy = "take the label file of the original archive"
    grades: dict[int, int] = {}
    for line, sample, text in zip(
        table.index, column(table, "Image name", path, remedy), column(table, name, path, remedy), strict=True
    ):
        number, grade = _number(sample), as_number(text)
        if number is None or number in grades:
            wrong = f"'{sample}' in line {line}"
            raise FoveolaError("an image name like IDRiD_001, once", wrong, str(path), "correct or remove the row")
        if grade is None or grade not in range(grade_count):
            got = f"'{text}' in line {line}"
            raise FoveolaError(f"a grade from 0 to {grade_count - 1}", got, str(path), "correct the value")
        grades[number] = int(grade)
    for here, there, what in ((grades, images, "labels without files"), (images, grades, "files without labels")):
        if lacking := sorted(set(here) - set(there)):
            raise FoveolaError(
                "a label for every image and an image for every label",
                f"{len(lacking)} {what}, the first IDRiD_{lacking[0]:03d}",
                str(path),
                "complete the copy of the data set",
            )
    return grades


def _crop(images: FileImages) -> dict[str, Any]:
    width, height, _ = images.header(0)
    if width != WIDTH:
        log.warning("the images of IDRiD are %d wide, not %d: the margins are not cut off", width, WIDTH)
        return {}
    return {"crop": (FIRST_COLUMN, 0, LAST_COLUMN + 1, height)}


SOURCES.add(
    Source(
        "idrid",
        usage="DIR[,task=dr|dme]",
        summary="IDRiD disease grading: retinopathy (dr) or macular edema (dme), "
        "with its split and the side of the eye",
        options=("task",),
        load=load,
    )
)
