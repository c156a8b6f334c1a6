"""Tasks that failed: what is kept of the reason, and the one error that is made of it at the end."""

from __future__ import annotations

import json
import traceback
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from foveola.foundation import atomic
from foveola.foundation.errors import FoveolaError

FAILED = "failed.json"
"""The file in the folder of a task that failed; it goes when the job is given again."""


@dataclass(frozen=True)
class Failure:
    """Why a task failed.

    Attributes:
        expected: As in `foveola.foundation.errors.FoveolaError`.
        got: Likewise.
        where: Likewise.
        remedy: Likewise.
        attempts: How many workers began it.
        traceback: Where in the code, if it was nothing that a user could mend.
    """

    expected: str
    got: str
    where: str
    remedy: str
    attempts: int
    traceback: str = ""

    @classmethod
    def of(cls, error: Exception, folder: Path, attempts: int) -> Failure:
        """Returns the failure of the task in a folder by an exception."""
        if isinstance(error, FoveolaError):
            return cls(error.expected, error.got, error.where, error.remedy, attempts)
        lines = traceback.format_exception(error)
        return cls(
            "a task that runs to its end",
            lines[-1].strip(),
            str(folder / FAILED),
            "the traceback is there",
            attempts,
            "".join(lines),
        )

    @classmethod
    def of_deaths(cls, folder: Path, attempts: int, logs: Path) -> Failure:
        """Returns the failure of a task on which every worker died."""
        return cls(
            "a task that runs to its end",
            f"a worker that died {attempts} times",
            str(folder),
            f"see what it said, in {logs} or Ray's own logs, and whether the memory was enough",
            attempts,
        )

    @classmethod
    def read(cls, folder: Path) -> Failure | None:
        """Returns the failure that is kept in the folder of a task, or none."""
        try:
            return cls(**json.loads((folder / FAILED).read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None

    def write(self, folder: Path) -> None:
        """Keeps the failure in the folder of its task."""
        atomic.write_json(folder / FAILED, asdict(self))

    def error(self, more: str = "") -> FoveolaError:
        """Returns the failure as an error, with more to say of the place."""
        return FoveolaError(self.expected, self.got, self.where + more, self.remedy)


def failed_job(failures: Sequence[Failure], tasks: int) -> FoveolaError:
    """Returns the error of a job of which some tasks failed: the first of them, and how many there are.

    Example:
        >>> print(failed_job([Failure("finite numbers", "NaN", "fits/a", "give a smaller --lr", 1)] * 2, 7))
        expected finite numbers, got NaN, in fits/a (the first of 2 that failed, of 7); give a smaller --lr
    """
    first = "the first of " if len(failures) > 1 else ""
    return failures[0].error(f" ({first}{len(failures)} that failed, of {tasks})")
