"""The cache of prepared images: decoded and resized once, kept as one memory-mapped array."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from foveola.data.cohort import Cohort
from foveola.data.stored.array_store import (
    Progress,
    RowType,
    contents,
    described,
    in_parallel,
    key_of,
    stored,
    write_header,
    write_rows,
)
from foveola.data.stored.geometry import prepare
from foveola.data.stored.preprocessing import Preprocessing, check_crop, resolve
from foveola.foundation.atomic import replacing
from foveola.foundation.errors import FoveolaError

FORMAT = 1
"""Counts up when the same images and settings would give other bytes."""
CHECKING = "Checking images"


def prepared_images(cohort: Cohort, settings: Preprocessing, *, progress: Progress | None = None) -> np.ndarray:
    """Returns every image of the cohort after preprocessing, from the cache where it is there.

    The array is found by the content of the images and by the settings, never by file names; see ``stored``.

    Args:
        cohort: The images; the source's defaults fill in what ``settings`` leaves open.
        settings: What the user wants; ``scaling`` plays no part here.
        progress: Called after every image that is hashed or decoded.

    Returns:
        Read-only memory map ``images x channels x size x size``, in the order of the cohort: ``uint8``, or ``float32``
        in 0..1 where any image is finer than eight bits.

    Raises:
        FoveolaError: If an image cannot be read, or the images are not of one size and ``settings.sizes`` is ``same``.
        OSError: If the array cannot be written, such as on a full disk; nothing half-written is left.
    """
    settings = resolve(settings, cohort.preprocessing)

    def make(path: Path) -> dict[str, Any]:
        modal = in_modes(cohort, settings)
        _check_headers(modal, settings)
        kinds = write_rows(path, _rows(modal, settings, progress), len(cohort))
        if len(set(kinds)) > 1:
            _unify(path, kinds)
        known = {**_pixel_settings(settings), "flip": settings.flip}
        return {"format": FORMAT, **described(path), "settings": known}

    key = key_of([FORMAT, _pixel_settings(settings), mirrored(cohort, settings)], image_contents(cohort, progress))
    return stored(key, "pixels", make)


def fingerprint(cohort: Cohort, *, progress: Progress | None = None) -> str:
    """Returns a hexadecimal digest of the ids, labels and contents of the samples and their masks, in their order.

    The content of every image is read once in a process, here or by ``prepared_images``.
    """
    digest = hashlib.sha256()
    names = (*cohort.classes, "")  # a sample without a label counts as -1, which is the last one here
    table = cohort.table
    for sample, label, content in zip(table["sample"], table["label"], image_contents(cohort, progress), strict=True):
        digest.update(json.dumps([sample, names[label], content]).encode())
    if cohort.masks is not None:
        drawn = mask_contents(cohort, progress)
        digest.update(json.dumps([cohort.classes, cohort.masks.observers, drawn]).encode())
    return digest.hexdigest()


def image_contents(cohort: Cohort, progress: Progress | None) -> tuple[str, ...]:
    """Returns the digest of every image."""
    return contents(cohort.images, len(cohort), progress, CHECKING)


def mask_contents(cohort: Cohort, progress: Progress | None) -> tuple[str, ...]:
    """Returns the digest of every image's masks; nothing for a cohort without any."""
    return () if cohort.masks is None else contents(cohort.masks, len(cohort), progress, "Checking masks")


def mirrored(cohort: Cohort, settings: Preprocessing) -> list[bool]:
    """Says of every image whether it is mirrored; what is stored depends on sides no further than that."""
    return [settings.flip and side == "R" for side in cohort.table["laterality"]]


def in_modes(cohort: Cohort, settings: Preprocessing) -> Cohort:
    """Returns the cohort with images that are read as ``settings.modes`` says, where they give the choice."""
    images: Any = cohort.images
    return replace(cohort, images=replace(images, modes=settings.modes)) if hasattr(images, "modes") else cohort


def _pixel_settings(settings: Preprocessing) -> dict[str, Any]:
    # with `sizes`, because an array that was made of images of any size is no answer to who wants them the same
    return settings.model_dump(include={"image_size", "fit", "crop", "channels", "modes", "sizes"})


def _check_headers(cohort: Cohort, settings: Preprocessing) -> None:
    """Finds images of other sizes before any is decoded, where the images tell their size without."""
    header = getattr(cohort.images, "header", None)
    if header is not None:
        first: tuple[int, int] | None = None
        for index, (width, height, _) in enumerate(in_parallel(header, len(cohort), "", None)):
            first = first or (width, height)
            _check_size(cohort, settings, index, (width, height), first)
            check_crop(width, height, settings, cohort.images.where(index))


def _check_size(
    cohort: Cohort, settings: Preprocessing, index: int, size: tuple[int, int], first: tuple[int, int]
) -> None:
    if settings.sizes == "same" and size != first:
        where = cohort.images.where
        raise FoveolaError(
            "images of one size",
            f"{first[0]} x {first[1]} pixels in {where(0)} and {size[0]} x {size[1]} pixels in {where(index)}",
            cohort.name,
            "make them alike, or resize them to one size with `--set preprocessing.sizes=any`",
        )


def _rows(cohort: Cohort, settings: Preprocessing, progress: Progress | None) -> Iterator[np.ndarray]:
    """Yields every prepared image; with automatic channels each has as many as it came with."""
    images = cohort.images
    sides = cohort.table["laterality"].tolist()

    def row(index: int) -> tuple[tuple[int, int], np.ndarray]:
        image = images.read(index)
        channels = settings.channels if settings.channels != "auto" else 3 if image.ndim == 3 else 1
        size = (image.shape[1], image.shape[0])
        return size, prepare(image, sides[index], settings, channels, where=images.where(index))

    first: tuple[int, int] | None = None
    for index, (size, prepared) in enumerate(in_parallel(row, len(images), "Decoding images", progress)):
        first = first or size
        _check_size(cohort, settings, index, size, first)
        yield prepared


def _unify(path: Path, kinds: list[RowType]) -> None:
    """Rewrites rows of several kinds as rows of one that holds them all: any float, all floats; any RGB, all RGB."""
    name = "float32" if any(name == "float32" for name, _ in kinds) else "uint8"
    channels = max(channels for _, channels in kinds)
    with replacing(path) as unified, unified.open("wb") as target, path.open("rb") as source:
        np.lib.format.read_magic(source)
        shape, _, _ = np.lib.format.read_array_header_1_0(source)
        side = shape[-1]
        write_header(target, (len(kinds), channels, side, side), np.dtype(name))
        for row_name, row_channels in kinds:
            dtype = np.dtype(row_name)
            row = np.frombuffer(source.read(row_channels * side * side * dtype.itemsize), dtype)
            if row_name != name:
                row = row / np.float32(255)
            target.write(np.tile(row, channels // row_channels).tobytes())
