"""The cache of prepared masks: what ``prepared_images`` does to images, done to their masks without mixing classes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from foveola.data.cohort import Cohort
from foveola.data.images.masks import IGNORED, Masks
from foveola.data.stored.array_store import Progress, described, in_parallel, key_of, stored, write_rows
from foveola.data.stored.cache import image_contents, in_modes, mask_contents, mirrored
from foveola.data.stored.geometry import Frame, frame_of
from foveola.data.stored.preprocessing import Preprocessing, resolve
from foveola.foundation.errors import FoveolaError

FORMAT = 1
"""Counts up when the same masks and settings would give other bytes."""


def prepared_masks(cohort: Cohort, settings: Preprocessing, *, progress: Progress | None = None) -> np.ndarray:
    """Returns every mask of the cohort after preprocessing, pixel by pixel beside ``prepared_images``.

    A stored pixel has the class of the original pixel that its centre lies in, or the one that covers most of it; see
    ``Preprocessing.masks``. What the image does not fill is ``IGNORED``. The array is found by the content of images
    and masks and by the settings; see ``stored``.

    Args:
        cohort: The images and their masks.
        settings: What the user wants; the source's defaults fill in what they leave open.
        progress: Called after every image whose masks are hashed or decoded.

    Returns:
        Read-only memory map ``images x observers x size x size`` in ``uint8``, in the order of the cohort.

    Raises:
        FoveolaError: If a mask cannot be read, is not of the size of its image, or holds what stands for no class.
        OSError: If the array cannot be written, such as on a full disk; nothing half-written is left.
    """
    masks = cohort.masks
    if masks is None:
        raise ValueError(f"{cohort.name} has no masks")
    settings = resolve(settings, cohort.preprocessing)
    geometry = settings.model_dump(include={"image_size", "fit", "crop", "masks"})

    def make(path: Path) -> dict[str, Any]:
        modal = in_modes(cohort, settings)
        _check_headers(modal, masks)
        write_rows(path, _rows(modal, masks, settings, progress), len(cohort))
        return {"format": FORMAT, **described(path), "settings": {**geometry, "flip": settings.flip}}

    contents = (*image_contents(cohort, progress), *mask_contents(cohort, progress))
    known = [FORMAT, "masks", geometry, mirrored(cohort, settings), masks.observers]
    return stored(key_of(known, contents), "masks", make)


def _rows(cohort: Cohort, masks: Masks, settings: Preprocessing, progress: Progress | None) -> Iterator[np.ndarray]:
    sides = cohort.table["laterality"].tolist()

    def row(index: int) -> np.ndarray:
        drawn = [masks.read(index, observer) for observer in range(len(masks.observers))]
        height, width = drawn[0].shape
        size = cohort.size_of(index)
        for observer, mask in enumerate(drawn):
            _check_size(cohort, masks, index, observer, (mask.shape[1], mask.shape[0]), size)
        frame = frame_of(height, width, settings, sides[index], where=cohort.images.where(index))
        if settings.masks == "majority":
            return np.stack([majority(mask, frame, len(cohort.classes)) for mask in drawn])
        return np.stack([frame.to_stored(mask, nearest=True, padding=IGNORED) for mask in drawn])

    yield from in_parallel(row, len(cohort), "Decoding masks", progress)


def majority(mask: np.ndarray, frame: Frame, classes: int) -> np.ndarray:
    """Returns the stored mask whose pixels have the class that covers most of their area.

    Of classes that cover the same area it is the last, so that thin objects keep their width when sides are halved.

    Args:
        mask: ``height x width`` numbers of classes.
        frame: Where the image lies in the stored square.
        classes: How many there are.

    Example:
        >>> frame = frame_of(8, 16, Preprocessing(image_size=8), "")
        >>> mask = np.zeros((8, 16), np.uint8)
        >>> mask[:, 3:6] = 1
        >>> majority(mask, frame, 2)[0].tolist()
        [0, 1, 1, 0, 0, 0, 0, 0]
    """
    area = np.full((frame.size, frame.size), -1.0, np.float32)
    chosen = np.full((frame.size, frame.size), IGNORED, np.uint8)
    for number in range(classes):
        own = frame.to_stored((mask == number).astype(np.float32))
        most = np.zeros_like(chosen, dtype=bool)
        most[frame.inside] = own[frame.inside] >= area[frame.inside]
        area[most], chosen[most] = own[most], number
    return chosen


def _check_headers(cohort: Cohort, masks: Masks) -> None:
    """Finds masks of another size than their image before any is decoded, where both tell their size without."""
    header = getattr(masks, "header", None)
    if header is None or not hasattr(cohort.images, "header"):
        return

    def check(index: int) -> None:
        size = cohort.size_of(index)
        for observer in range(len(masks.observers)):
            _check_size(cohort, masks, index, observer, header(index, observer), size)

    for _ in in_parallel(check, len(cohort), "", None):
        pass


def _check_size(
    cohort: Cohort, masks: Masks, index: int, observer: int, size: tuple[int, int], expected: tuple[int, int]
) -> None:
    if size != expected:
        raise FoveolaError(
            f"a mask of {expected[0]} x {expected[1]} pixels, as its image {cohort.images.where(index)}",
            f"{size[0]} x {size[1]}",
            masks.where(index, observer),
            "give the mask that was drawn on this image; a mask is not stretched",
        )
