"""The source ``isic2017``: the lesion segmentation of the ISIC 2017 challenge, photographs of skin lesions."""

from __future__ import annotations

import re
from pathlib import Path

from foveola.data.cohort import UNLABELLED, Cohort, sample_table
from foveola.data.images.decode import FileImages
from foveola.data.images.masks import FileMasks
from foveola.data.sources.files import existing, visible
from foveola.data.sources.pairing import Observer, paired
from foveola.data.sources.source import SOURCES, Request, Source
from foveola.foundation.errors import FoveolaError

PARTS = {"train": "Training", "val": "Validation", "test": "Test_v2"}
"""What each split is called in the names of the folders."""
CLASSES = ("background", "lesion")
PREPROCESSING = {"image_size": 256, "sizes": "any", "fit": "pad", "flip": False}


def load(request: Request) -> Cohort:
    """Reads the official layout: Codella et al., arXiv:1710.05006, part 1, lesion segmentation.

    In the folder, at any depth, lie ``ISIC-2017_Training_Data`` and ``ISIC-2017_Training_Part1_GroundTruth``, and
    those of ``Validation`` and ``Test_v2`` where they were downloaded; they are the splits. The superpixels and the
    table of metadata among the images are passed over. Patients are not known. Images differ in size.

    Raises:
        FoveolaError: If there are no images of the training set, or images and masks do not agree.
    """
    root = existing(request.location, "folder", "isic2017")
    images: list[Path] = []
    splits: list[str] = []
    masks: list[tuple[Path, ...]] = []
    for split, part in PARTS.items():
        folder = _folder(root, f"ISIC-2017_{part}_Data")
        if folder is None and request.labelled and split == "train":
            raise FoveolaError(
                f"the folder ISIC-2017_{part}_Data", "none", str(root), "give the folder with the unpacked archives"
            )
        if folder is None:
            continue
        found = [path for path in visible(folder) if re.fullmatch(r"ISIC_[0-9]+\.jpe?g", path.name)]
        if request.labelled:
            truth = _folder(root, f"ISIC-2017_{part}_Part1_GroundTruth")
            if truth is None:
                raise FoveolaError(
                    f"the folder ISIC-2017_{part}_Part1_GroundTruth",
                    "none",
                    str(root),
                    f"unpack it beside ISIC-2017_{part}_Data",
                )
            masks += paired(found, folder, [Observer("mask", truth, "_segmentation.png")])
        images += found
        splits += [split] * len(found)
    table = sample_table([path.stem for path in images], [UNLABELLED] * len(images), splits=splits)
    drawn = FileMasks(tuple(masks)) if request.labelled else None
    return Cohort(
        "ISIC 2017", CLASSES if drawn else (), table, FileImages(tuple(images)), dict(PREPROCESSING), masks=drawn
    )


def _folder(root: Path, name: str) -> Path | None:
    """Returns the outermost folder of that name; unpacking may have put it into one of its own name."""
    found = [path for path in (root, *sorted(root.rglob(name))) if path.is_dir() and path.name == name]
    inner = found[0] / name if found else None
    return inner if inner is not None and inner.is_dir() else found[0] if found else None


SOURCES.add(
    Source(
        "isic2017", usage="DIR", summary="ISIC 2017, part 1: skin lesions and their masks, with its split", load=load
    )
)
