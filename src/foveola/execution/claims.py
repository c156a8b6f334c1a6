"""Claims: at most one worker works on a task, and what a dead worker held is taken over.

The claims of a task are files in its folder, ``.claim-1``, ``.claim-2``, and so on; the highest number holds. A worker
claims by creating the next number, which the file system grants to one alone, and only if there is none or the one that
holds is dead. Nobody ever renames, replaces or removes the claim of a living worker, so there is no moment at which a
slow one could do harm. The numbers count the workers that died.

A holder writes into its claim every `BEAT_S` seconds. Another worker takes it for dead at once if its process ran on
the same machine and is gone, else after `LEASE_S` seconds of its own clock in which the record did not change; the
clocks of two machines are never compared.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from pathlib import Path

from foveola.execution.record import Record

PREFIX = ".claim-"
BEAT_S = 2.0
LEASE_S = 60.0

log = logging.getLogger(__name__)


class ClaimLost(Exception):  # noqa: N818 - no error: somebody else goes on
    """Another worker took the task over, because this one seemed dead."""


def claim_numbers(folder: Path) -> list[int]:
    """Returns the numbers of the claims in the folder of a task, the holder's last."""
    try:
        names = os.listdir(folder)  # noqa: PTH208 - the names alone, for thousands of folders
    except FileNotFoundError:
        return []
    return sorted(int(end) for name in names if (end := name.removeprefix(PREFIX)) != name and end.isdecimal())


def holder(folder: Path) -> Record | None:
    """Returns the claim that holds a task, or none."""
    numbers = claim_numbers(folder)
    return Record.read(_path(folder, numbers[-1])) if numbers else None


def _path(folder: Path, number: int) -> Path:
    return folder / f"{PREFIX}{number}"


class Claim:
    """A task that this worker holds, until it is released or lost.

    Args:
        folder: Of the task.
        number: Of the claim.
        worker: What this worker is called.

    Raises:
        FileExistsError: If the number is taken.
    """

    def __init__(self, folder: Path, number: int, worker: str) -> None:
        self.folder, self.attempt = folder, number
        self._path, self._record = _path(folder, number), Record.own(worker, number)
        folder.mkdir(parents=True, exist_ok=True)
        self._file = os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o644)
        try:
            self._write()
        except OSError as error:
            os.close(self._file)
            self._path.unlink()
            error.filename = str(self._path)
            raise
        self._said = ("", 0, 0)
        self._lost, self._ended = False, threading.Event()
        self._thread = threading.Thread(target=self._keep, name=f"claim of {folder.name}", daemon=True)

    @property
    def token(self) -> str:
        """Tells this claim from every other."""
        return self._record.token

    def keep(self) -> Claim:
        """Begins to tell others that this worker lives."""
        self._thread.start()
        return self

    def report(self, what: str, done: int, total: int) -> None:
        """Notes how far the task is.

        Raises:
            ClaimLost: If another worker has taken the task over.
        """
        self._said = (what, done, total)
        if self._lost:
            raise ClaimLost(f"another worker took over {self.folder}")

    def release(self) -> None:
        """Gives the task back, and forgets the workers that died on it."""
        self._ended.set()
        if self._thread.ident is not None:
            self._thread.join()
        os.close(self._file)
        if self._lost:
            return
        for number in claim_numbers(self.folder):  # the own one last: it keeps others away until then
            if number <= self.attempt:
                _remove(_path(self.folder, number))

    def withdraw(self) -> None:
        """Takes back a claim that was never kept."""
        os.close(self._file)
        _remove(self._path)

    def _keep(self) -> None:
        beaten = time.monotonic()
        while not self._ended.wait(BEAT_S):
            try:
                if self._is_taken():
                    self._lost = True
                    return
                self._record = self._record.now(*self._said)
                self._write()
                beaten = time.monotonic()
            except OSError as error:  # it may pass, as a network does; others wait as long
                log.warning("cannot write %s: %s", self._path, error)
                if time.monotonic() - beaten > LEASE_S:
                    self._lost = True
                    return

    def _is_taken(self) -> bool:
        kept = Record.read(self._path)
        return kept is None or kept.token != self.token or _path(self.folder, self.attempt + 1).exists()

    def _write(self) -> None:
        """Writes the record over itself, through the file that was created: never into somebody else's claim."""
        os.lseek(self._file, 0, os.SEEK_SET)
        os.write(self._file, self._record.encode())
        os.fsync(self._file)  # only then other machines see it


class Claims:
    """Claims tasks for one worker, and remembers when it last saw the others alive.

    Args:
        worker: What the worker is called.
        lease_s: After so many seconds without a sign of life a claim is taken over.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> claim = Claims("one").take(folder)
        >>> Claims("other").take(folder) is None
        True
        >>> claim.release()
        >>> claim_numbers(folder)
        []
    """

    def __init__(self, worker: str, lease_s: float = LEASE_S) -> None:
        self.worker, self.lease_s = worker, lease_s
        self._seen: dict[Path, tuple[object, float]] = {}

    def take(self, folder: Path) -> Claim | None:
        """Claims the task of a folder; none if somebody else holds it.

        Raises:
            OSError: If the claim cannot be written.
        """
        numbers = claim_numbers(folder)
        number = numbers[-1] if numbers else 0
        dead = Record.read(_path(folder, number)) if number else None
        if number and not self._is_stale(_path(folder, number), dead):
            return None
        try:
            claim = Claim(folder, number + 1, self.worker)
        except FileExistsError:
            return None
        if claim_numbers(folder)[-1] != number + 1 or (number and not _is_same(_path(folder, number), dead)):
            claim.withdraw()  # what was seen is no longer so: the task went through other hands since
            return None
        return claim.keep()

    def _is_stale(self, path: Path, record: Record | None) -> bool:
        if record and record.is_dead:
            return True
        sign, now = record and (record.token, record.beat), time.monotonic()
        seen, since = self._seen.get(path, (None, now))
        if path not in self._seen or seen != sign:
            self._seen[path] = (sign, now)
            return False
        return now - since > self.lease_s


def _is_same(path: Path, before: Record | None) -> bool:
    now = Record.read(path)
    return path.exists() and (now and now.token) == (before and before.token)


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:  # others see that its process is gone, or wait for the lease
        log.warning("cannot remove %s: %s", path, error)
