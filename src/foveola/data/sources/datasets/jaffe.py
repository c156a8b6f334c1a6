"""The source ``jaffe``: the Japanese Female Facial Expression data set."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import numpy as np

from foveola.data.cohort import Cohort, sample_table
from foveola.data.images.decode import FileImages
from foveola.data.sources.files import existing, find_images
from foveola.data.sources.source import SOURCES, Request, Source
from foveola.foundation.errors import FoveolaError

EMOTIONS = ("HAP", "SAD", "SUR", "ANG", "DIS", "FEA")
"""Happiness, sadness, surprise, anger, disgust and fear, in the order of the table of ratings."""
HEADER = re.compile(r"\W*" + r"\s+".join((*EMOTIONS, "PIC")) + r"\s*")
OTHER_HEADER = re.compile(r"\W*(" + "|".join(EMOTIONS) + r")\b.*\bPIC\s*")
ROW = re.compile(r"\s*([0-9]+)((?:\s+[0-9]+(?:\.[0-9]+)?){6})\s+([A-Z]{2}-[A-Z]{2}[0-9]+)\s*")
PICTURE = re.compile(r"([A-Z]{2})\.([A-Z]{2}[0-9]+)\.([0-9]+)")

log = logging.getLogger(__name__)


def load(request: Request) -> Cohort:
    """Reads JAFFE: the images, and the mean ratings of six emotions from the README beside them.

    The class of an image is the emotion with the highest mean rating, the first of them where two are equal, as in
    Xu et al., arXiv:2007.15897, supplement 1.2. Only emotions that some image has are classes. The group is the woman
    who is seen. Images and ratings are joined by their number; where the names differ (the table says ``YN-HA2`` of
    ``YM.HA2.53``) there is a warning. Ratings without an image are left out.

    Raises:
        FoveolaError: If there is no table of ratings, an image has none or another name, or two have one number.
    """
    root = existing(request.location, "folder", "jaffe")
    ratings = _ratings(root)
    paths: list[Path] = []
    subjects: list[str] = []
    emotions: list[int] = []
    seen: dict[int, Path] = {}
    for path in find_images(root):
        match = PICTURE.fullmatch(path.stem)
        if match is None:
            raise FoveolaError("names like KA.AN1.39.tiff", f"'{path.name}'", str(root), "move the file elsewhere")
        number, key = int(match[3]), f"{match[1]}-{match[2]}"
        if number in seen:
            raise FoveolaError("every number once", f"{seen[number]} and {path}", str(root), "remove one of the two")
        if number not in ratings:
            raise FoveolaError("ratings of every image", f"none of number {number}", str(path), "remove the image")
        rated, values = ratings[number]
        if rated != key:
            log.warning("rating %d is of %s, but the image of that number is %s; they are joined", number, rated, path)
        seen[number] = path
        paths.append(path)
        subjects.append(match[1])
        emotions.append(int(np.argmax(values)))
    log.info("%d ratings have no image", len(ratings) - len(seen))
    present = sorted(set(emotions))
    table = sample_table([path.stem for path in paths], [present.index(place) for place in emotions], groups=subjects)
    classes = tuple(EMOTIONS[place] for place in present) if request.labelled else ()
    return Cohort("JAFFE", classes, table, FileImages(tuple(paths)))


def _ratings(root: Path) -> dict[int, tuple[str, list[float]]]:
    """Returns the first table of six ratings in a README: the picture's key and the ratings, by number."""
    for path in sorted(root.rglob("*")):
        if "readme" not in path.name.lower() or path.name.startswith(".") or not path.is_file():
            continue
        lines = iter(path.read_text(encoding="latin-1").splitlines())
        if not any(HEADER.fullmatch(line) for line in lines):
            continue
        ratings: dict[int, tuple[str, list[float]]] = {}
        for line in lines:
            if OTHER_HEADER.fullmatch(line):  # a later table is of another study
                break
            if row := ROW.fullmatch(line):
                if int(row[1]) in ratings:
                    raise FoveolaError("every rating once", f"number {row[1]} twice", str(path), "repair the file")
                ratings[int(row[1])] = (row[3], [float(value) for value in row[2].split()])
        return ratings
    raise FoveolaError(
        f"a README with the table of ratings '{' '.join(EMOTIONS)} PIC'",
        "none",
        str(root),
        "put README_FIRST.txt of the data set beside the images",
    )


SOURCES.add(
    Source("jaffe", usage="DIR", summary="JAFFE: 213 faces, the class is the emotion that was rated highest", load=load)
)
