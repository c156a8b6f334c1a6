"""What a claim says: who works on a task, since when, and how far it is."""

from __future__ import annotations

import errno
import json
import os
import time
import uuid
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from foveola.execution.machine import host, process_space, process_start

SIZE = 1024
"""Bytes of a record, always the same, so that it is written over in one piece."""
LONGEST = 120
"""Characters that are kept of a text."""


@dataclass(frozen=True)
class Record:
    """One worker's word on one task.

    Attributes:
        token: Tells this claim from every other.
        host: The machine of the worker.
        space: Where its process number means something, see `foveola.execution.machine.process_space`.
        pid: Its process number.
        started: When the process began, see `foveola.execution.machine.process_start`.
        worker: What the worker is called.
        attempt: Counts the workers that began this task, this one included.
        begun: When it did, in seconds of its clock.
        beat: When it last said so, in seconds of its clock.
        what: What is being done.
        done: How much of it is done.
        total: How much of it there is.
    """

    token: str
    host: str
    space: str
    pid: int
    started: str
    worker: str
    attempt: int
    begun: float
    beat: float
    what: str = ""
    done: int = 0
    total: int = 0

    @classmethod
    def own(cls, worker: str, attempt: int) -> Record:
        """Returns the first word of this process."""
        pid, now = os.getpid(), time.time()
        return cls(
            uuid.uuid4().hex,
            host()[:LONGEST],
            process_space(),
            pid,
            process_start(pid),
            worker[:LONGEST],
            attempt,
            now,
            now,
        )

    @classmethod
    def read(cls, path: Path) -> Record | None:
        """Returns the record in a file; none if the file is gone, or caught in the moment before it is written."""
        try:
            return cls(**json.loads(path.read_bytes()))
        except (ValueError, TypeError):
            return None
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ESTALE):  # a network file system says the latter of what was removed
                return None
            raise

    def encode(self) -> bytes:
        """Returns the record as JSON of exactly `SIZE` bytes."""
        return json.dumps(asdict(self)).encode("ascii").ljust(SIZE)

    def now(self, what: str, done: int, total: int) -> Record:
        """Returns the record of the same claim with what is to be said now."""
        return replace(self, beat=time.time(), what=what[:LONGEST], done=int(done), total=int(total))

    @property
    def is_dead(self) -> bool:
        """Whether its process is known to be gone; of another machine that is never known."""
        return bool(self.space) and self.space == process_space() and process_start(self.pid) != self.started
