"""Arrays that are made once, row by row, and found again by what they are made of."""

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
from pathlib import Path
from typing import Any, BinaryIO, Protocol, TypeVar, runtime_checkable

import numpy as np
import platformdirs

from foveola.foundation.atomic import replacing, write_json

ABANDONED_S = 3600.0
"""A partial array that nobody has written to for so many seconds belongs to a run that was killed."""

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how many images are done, and how many there are."""
RowType = tuple[str, int]
"""The type and the length of the first axis of one row."""

Result = TypeVar("Result")
_DIGESTS: dict[int, tuple[str, ...]] = {}

log = logging.getLogger(__name__)


@runtime_checkable
class Digested(Protocol):
    """What has a digest of the content of each of its members."""

    def digest(self, index: int) -> str:
        """Returns the digest of member ``index``."""


def stored(key: str, name: str, make: Callable[[Path], dict[str, Any]]) -> np.ndarray:
    """Returns an array, which is made if it is not there yet.

    It lies in the folder that the environment variable ``FOVEOLA_CACHE`` names, else in the user's cache folder. A run
    that is killed while the array is written leaves none.

    Args:
        key: Of everything that the array depends on; see ``key_of``.
        name: What the file is called.
        make: Writes the array to a path, and returns what is to be said of it in a file beside it.

    Returns:
        A read-only memory map.

    Raises:
        OSError: If the array cannot be written, such as on a full disk; nothing half-written is left.
    """
    path = _folder() / key / f"{name}.npy"
    if not path.is_file():
        _remove_abandoned(path.parent)
        with replacing(path) as temporary:
            write_json(path.with_suffix(".json"), make(temporary))
        log.info("wrote %s", path)
    array: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    return array


def key_of(settings: Any, contents: Iterable[str]) -> str:
    """Returns the name for an array that depends on settings, which JSON can hold, and on contents in their order."""
    digest = hashlib.sha256(json.dumps(settings).encode())
    for content in contents:
        digest.update(f"{content}\n".encode())
    return digest.hexdigest()[:32]


def contents(members: Digested, count: int, progress: Progress | None, description: str) -> tuple[str, ...]:
    """Returns the digest of every member; asked again for the same object, it reads nothing."""
    key = id(members)
    if key not in _DIGESTS:
        _DIGESTS[key] = tuple(in_parallel(members.digest, count, description, progress))
        weakref.finalize(members, _DIGESTS.pop, key)
    return _DIGESTS[key]


def in_parallel(
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


def write_rows(path: Path, rows: Iterable[np.ndarray], count: int) -> list[RowType]:
    """Writes rows under a header that fits the first, and returns the kind of each.

    The rows are written as a stream: a full disk is then an ``OSError``, while it kills who writes to a memory map.
    """
    kinds: list[RowType] = []
    with path.open("wb") as file:
        for row in rows:
            if not kinds:
                write_header(file, (count, *row.shape), row.dtype)
            kinds.append((row.dtype.name, row.shape[0]))
            file.write(row.tobytes())
    return kinds


def write_header(file: BinaryIO, shape: tuple[int, ...], dtype: np.dtype) -> None:
    """Writes what stands before the values in an ``.npy`` file."""
    description = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, description)


def described(array: Path) -> dict[str, Any]:
    """Returns the shape and the type of an array on disk."""
    values = np.load(array, mmap_mode="r", allow_pickle=False)
    return {"images": len(values), "shape": list(values.shape), "dtype": str(values.dtype)}


def _folder() -> Path:
    return Path(os.environ.get("FOVEOLA_CACHE") or platformdirs.user_cache_dir("foveola"))


def _remove_abandoned(folder: Path) -> None:
    for partial in folder.glob(".*.partial.npy"):
        if time.time() - partial.stat().st_mtime > ABANDONED_S:
            partial.unlink(missing_ok=True)
