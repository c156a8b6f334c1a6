"""The cache of prepared images: decoded and resized once, kept as one memory-mapped array."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import numpy as np
import platformdirs

from foveola.atomic import replacing, write_json
from foveola.data.cohort import Cohort, Images
from foveola.data.preprocessing import Preprocessing, check_crop, prepare, resolve
from foveola.errors import FoveolaError

FORMAT = 1
"""Counts up when the same images and settings would give other bytes."""
ABANDONED_S = 3600.0
"""A partial array that nobody has written to for so many seconds belongs to a run that was killed."""

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how many images are done, and how many there are."""
Kind = tuple[str, int]
"""The type and the number of channels of one row."""

Result = TypeVar("Result")
_DIGESTS: dict[int, tuple[str, ...]] = {}

log = logging.getLogger(__name__)


def prepared_images(cohort: Cohort, settings: Preprocessing, *, progress: Progress | None = None) -> np.ndarray:
    """Returns every image of the cohort after preprocessing, from the cache where it is there.

    The array is found by the content of the images and by the settings, never by file names. It lies in the folder that
    the environment variable ``FOVEOLA_CACHE`` names, else in the user's cache folder. A run that is killed while the
    array is written leaves none.

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
    path = _folder() / _key(cohort, settings, progress) / "pixels.npy"
    if not path.is_file():
        _remove_abandoned(path.parent)
        cohort = in_modes(cohort, settings)
        _check_headers(cohort, settings)
        with replacing(path) as temporary:
            kinds = _write(temporary, _rows(cohort, settings, progress), len(cohort))
            if len(set(kinds)) > 1:
                _unify(temporary, kinds)
            write_json(path.with_suffix(".json"), _description(temporary, settings))
        log.info("wrote %s", path)
    array: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    return array


def fingerprint(cohort: Cohort, *, progress: Progress | None = None) -> str:
    """Returns a hexadecimal digest of the ids, labels and contents of the samples, in their order.

    The content of every image is read once in a process, here or by ``prepared_images``.
    """
    digest = hashlib.sha256()
    names = (*cohort.classes, "")  # a sample without a label counts as -1, which is the last one here
    table = cohort.table
    for sample, label, content in zip(table["sample"], table["label"], _contents(cohort.images, progress), strict=True):
        digest.update(json.dumps([sample, names[label], content]).encode())
    return digest.hexdigest()


def _folder() -> Path:
    return Path(os.environ.get("FOVEOLA_CACHE") or platformdirs.user_cache_dir("foveola"))


def _key(cohort: Cohort, settings: Preprocessing, progress: Progress | None) -> str:
    """Returns the name for what the array depends on; sides count only where images are mirrored."""
    mirrored = [settings.flip and side == "R" for side in cohort.table["laterality"]]
    digest = hashlib.sha256(json.dumps([FORMAT, _pixel_settings(settings), mirrored]).encode())
    for content in _contents(cohort.images, progress):
        digest.update(f"{content}\n".encode())
    return digest.hexdigest()[:32]


def _pixel_settings(settings: Preprocessing) -> dict[str, Any]:
    # with `sizes`, because an array that was made of images of any size is no answer to who wants them the same
    return settings.model_dump(include={"image_size", "crop", "channels", "modes", "sizes"})


def _description(array: Path, settings: Preprocessing) -> dict[str, Any]:
    pixels = np.load(array, mmap_mode="r", allow_pickle=False)
    known = {"format": FORMAT, "images": len(pixels), "shape": list(pixels.shape), "dtype": str(pixels.dtype)}
    return {**known, "settings": {**_pixel_settings(settings), "flip": settings.flip}}


def _contents(images: Images, progress: Progress | None) -> tuple[str, ...]:
    """Returns the digest of every image; asked again for the same object, it reads nothing."""
    key = id(images)
    if key not in _DIGESTS:
        _DIGESTS[key] = tuple(_in_parallel(images.digest, len(images), "Checking images", progress))
        weakref.finalize(images, _DIGESTS.pop, key)
    return _DIGESTS[key]


def in_modes(cohort: Cohort, settings: Preprocessing) -> Cohort:
    """Returns the cohort with images that are read as ``settings.modes`` says, where they give the choice."""
    images: Any = cohort.images
    return replace(cohort, images=replace(images, modes=settings.modes)) if hasattr(images, "modes") else cohort


def _in_parallel(
    function: Callable[[int], Result], count: int, description: str, progress: Progress | None
) -> Iterator[Result]:
    """Yields ``function(0), function(1), ...`` in this order, computing a few ahead of the one that is asked for."""
    workers = os.cpu_count() or 1
    pool = ThreadPoolExecutor(workers)
    try:
        ahead: deque[Future[Result]] = deque()
        for index in range(count + 2 * workers):
            if index < count:
                ahead.append(pool.submit(function, index))
            if index >= 2 * workers:
                yield ahead.popleft().result()
                if progress is not None:
                    progress(description, index - 2 * workers + 1, count)
    finally:
        pool.shutdown(cancel_futures=True)


def _check_headers(cohort: Cohort, settings: Preprocessing) -> None:
    """Finds images of other sizes before any is decoded, where the images tell their size without."""
    header = getattr(cohort.images, "header", None)
    if header is not None:
        first: tuple[int, int] | None = None
        for index, (width, height, _) in enumerate(_in_parallel(header, len(cohort), "", None)):
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
            cohort.name, "make them alike, or stretch them to one size with `--set preprocessing.sizes=any`",
        )  # fmt: skip


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
    for index, (size, prepared) in enumerate(_in_parallel(row, len(images), "Decoding images", progress)):
        first = first or size
        _check_size(cohort, settings, index, size, first)
        yield prepared


def _write(path: Path, rows: Iterable[np.ndarray], count: int) -> list[Kind]:
    """Writes rows under a header that fits the first, and returns the kind of each.

    The rows are written as a stream: a full disk is then an ``OSError``, while it kills who writes to a memory map.
    """
    kinds: list[Kind] = []
    with path.open("wb") as file:
        for row in rows:
            if not kinds:
                _write_header(file, (count, *row.shape), row.dtype)
            kinds.append((row.dtype.name, row.shape[0]))
            file.write(row.tobytes())
    return kinds


def _unify(path: Path, kinds: list[Kind]) -> None:
    """Rewrites rows of several kinds as rows of one that holds them all: any float, all floats; any RGB, all RGB."""
    name = "float32" if any(name == "float32" for name, _ in kinds) else "uint8"
    channels = max(channels for _, channels in kinds)
    with replacing(path) as unified, unified.open("wb") as target, path.open("rb") as source:
        np.lib.format.read_magic(source)
        shape, _, _ = np.lib.format.read_array_header_1_0(source)
        side = shape[-1]
        _write_header(target, (len(kinds), channels, side, side), np.dtype(name))
        for row_name, row_channels in kinds:
            dtype = np.dtype(row_name)
            row = np.frombuffer(source.read(row_channels * side * side * dtype.itemsize), dtype)
            if row_name != name:
                row = row / np.float32(255)
            target.write(np.tile(row, channels // row_channels).tobytes())


def _write_header(file: BinaryIO, shape: tuple[int, ...], dtype: np.dtype) -> None:
    description = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, description)


def _remove_abandoned(folder: Path) -> None:
    for partial in folder.glob(".*.partial.npy"):
        if time.time() - partial.stat().st_mtime > ABANDONED_S:
            partial.unlink(missing_ok=True)
