"""The source ``npz``: arrays in the layout of MedMNIST."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from foveola.data.cohort import SPLITS, UNLABELLED, Cohort, sample_table
from foveola.data.images.arrays import ArrayImages, JoinedImages
from foveola.data.sources.files import existing
from foveola.data.sources.source import SOURCES, Request, Source
from foveola.foundation.errors import FoveolaError


def load(request: Request) -> Cohort:
    """Reads an ``.npz`` file with the arrays of MedMNIST, or with ``images`` and ``labels`` only.

    Raises:
        FoveolaError: If the file cannot be read, an array is missing, lengths differ, or labels are not one whole
            number an image.
    """
    return read_npz(existing(request.location, "file", "npz"), labelled=request.labelled)


def read_npz(path: Path, *, labelled: bool = True, names: Mapping[int, str] | None = None) -> Cohort:
    """Makes a cohort of an ``.npz`` file; samples are called ``train-00012``, or ``image-00012`` without splits.

    Args:
        path: The file.
        labelled: Whether labels are needed; if not, they are not read.
        names: The name of each label; the number itself where there is none. Only labels that occur become classes.

    Raises:
        FoveolaError: If the file breaks the layout.
    """
    images: list[ArrayImages] = []
    labels: list[np.ndarray] = []
    samples: list[str] = []
    splits: list[str] = []
    try:
        with path.open("rb") as handle:
            archive = np.load(handle, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise ValueError("a single array, not an archive of arrays")
            for split, prefix in _parts(archive.files, path, labelled):
                part = ArrayImages(archive[f"{prefix}images"], f"{prefix}images of {path}")
                images.append(part)
                if labelled:
                    labels.append(_whole_numbers(archive[f"{prefix}labels"], len(part), f"{prefix}labels of {path}"))
                samples += [f"{split or 'image'}-{place:05d}" for place in range(len(part))]
                splits += [split] * len(part)
    except (OSError, EOFError, ValueError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise FoveolaError("a readable .npz file of plain arrays", str(error), str(path), "replace the file") from error
    codes = np.concatenate(labels) if labels else np.zeros(0, int)
    values, places = np.unique(codes, return_inverse=True)
    classes = tuple((names or {}).get(int(value), str(value)) for value in values)
    table = sample_table(samples, places.tolist() if labelled else [UNLABELLED] * len(samples), splits=splits)
    return Cohort(path.stem, classes, table, JoinedImages(tuple(images)))


def _parts(names: list[str], path: Path, labelled: bool) -> list[tuple[str, str]]:
    """Returns the splits that the file holds and the prefixes of their arrays."""
    wanted = ("images", "labels") if labelled else ("images",)
    if set(wanted) <= set(names):
        return [("", "")]
    parts = [(split, f"{split}_") for split in SPLITS if any(f"{split}_{array}" in names for array in wanted)]
    if labelled:
        parts = [part for part in [(split, f"{split}_") for split in SPLITS] if part in parts or part[0] != "val"]
    needed = [f"{prefix}{array}" for _, prefix in parts for array in wanted] or ["images"]
    if missing := [name for name in needed if name not in names]:
        raise FoveolaError(
            f"the array '{missing[0]}'",
            f"only {', '.join(names) or 'none'}",
            str(path),
            "name the arrays train_images, train_labels, test_images, test_labels, or images, labels",
        )
    return parts


def _whole_numbers(labels: np.ndarray, count: int, where: str) -> np.ndarray:
    if labels.ndim == 2 and labels.shape[1] > 1:
        raise FoveolaError(
            "one label an image", f"{labels.shape[1]} (a multi-label task)", where, "keep one column and save it again"
        )
    if labels.size != count or labels.ndim not in (1, 2):
        shape = " x ".join(map(str, labels.shape))
        raise FoveolaError(f"{count} labels, as many as images", shape, where, "save labels and images in one order")
    flat = labels.reshape(-1)
    if flat.dtype.kind not in "biuf":
        raise FoveolaError("whole numbers", f"type {flat.dtype}", where, "number the classes from 0")
    bad = np.flatnonzero(
        ~(np.isfinite(flat) & (flat == np.floor(flat)) & (flat >= 0)) if flat.dtype.kind == "f" else flat < 0
    )
    if len(bad):
        raise FoveolaError("whole numbers from 0", f"{flat[bad[0]]} at place {bad[0]}", where, "correct the label")
    return flat.astype(np.int64)


SOURCES.add(
    Source(
        "npz",
        usage="FILE.npz",
        summary="arrays train_images, train_labels, [val_...,] test_...; or images, labels",
        load=load,
    )
)
