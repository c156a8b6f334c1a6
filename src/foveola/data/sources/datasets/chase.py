"""The source ``chase``: CHASE_DB1, retinal photographs of children with the vessels that two observers drew."""

from __future__ import annotations

import re
from pathlib import Path

from foveola.data.cohort import UNLABELLED, Cohort, sample_table
from foveola.data.images.decode import FileImages
from foveola.data.images.masks import FileMasks
from foveola.data.sources.files import existing, find_images
from foveola.data.sources.source import SOURCES, Request, Source
from foveola.foundation.errors import FoveolaError

CHILDREN, TRAINED_ON = 14, 10
"""How many children were photographed, and how many of them, the first, are trained on."""
OBSERVERS = ("1stHO", "2ndHO")
CLASSES = ("background", "vessel")
PREPROCESSING = {"image_size": 512, "fit": "pad", "flip": False}


def load(request: Request) -> Cohort:
    """Reads CHASE_DB1 wherever it was unpacked: Fraz et al., IEEE TBME 2012, doi:10.1109/TBME.2012.2205687.

    The first observer is the reference. The group is the child, whose two eyes stay together. The first 20 photographs
    are the training set and the last 8 the test set, as in most papers on these data. The size of a pixel is not
    published. Right eyes are not mirrored: vessels look alike in both.

    Raises:
        FoveolaError: If a file is missing; without masks, if there is no photograph.
    """
    root = existing(request.location, "folder", "chase")
    there: dict[str, Path] = {}
    for path in find_images(root):
        there.setdefault(path.name.lower(), path)
    names = [f"Image_{child:02d}{side}" for child in range(1, CHILDREN + 1) for side in "LR"]
    if not request.labelled:
        names = [name for name in names if f"{name}.jpg".lower() in there] or names
    suffixes = ("", *(f"_{observer}" for observer in OBSERVERS)) if request.labelled else ("",)
    files = [[_file(there, f"{name}{suffix}", root) for suffix in suffixes] for name in names]
    children = [int(re.sub(r"\D", "", name)) for name in names]
    table = sample_table(
        names,
        [UNLABELLED] * len(names),
        groups=[f"child {child:02d}" for child in children],
        splits=["train" if child <= TRAINED_ON else "test" for child in children],
        laterality=[name[-1] for name in names],
    )
    masks = FileMasks(tuple(tuple(drawn) for _, *drawn in files), OBSERVERS) if request.labelled else None
    images = FileImages(tuple(image for image, *_ in files))
    return Cohort("CHASE_DB1", CLASSES if masks else (), table, images, dict(PREPROCESSING), masks=masks)


def _file(there: dict[str, Path], name: str, root: Path) -> Path:
    full = name + (".png" if name.endswith(OBSERVERS) else ".jpg")
    if full.lower() not in there:
        raise FoveolaError(
            f"the {CHILDREN * 2} photographs of CHASE_DB1 and two masks of each",
            f"no {full}",
            str(root),
            "complete the copy of the data set, or give other pairs of images and masks with --data pairs:DIR",
        )
    return there[full.lower()]


SOURCES.add(
    Source(
        "chase",
        usage="DIR",
        summary="CHASE_DB1: 28 photographs of both eyes of 14 children, two observers' vessel masks",
        load=load,
    )
)
