"""A job that can be sent to another process: it is loaded as a plug-in, here and there."""

from __future__ import annotations

import errno
import os
import time
from dataclasses import dataclass
from pathlib import Path

from foveola.execution import DONE, JobTask, Progress
from foveola.foundation import atomic
from foveola.foundation.errors import FoveolaError


@dataclass(frozen=True)
class ToyJob:
    """Tasks that write down their own name in some steps; what else they do is said by the first part of the name.

    ``slow`` waits, until the folder of the job holds ``hurry``; ``bad`` is a mistake of the user, ``wrong``
    one of ours; ``full`` meets a full disk, ``deadly`` kills its process, ``forgetful`` does not say that it is done.
    """

    folder: Path
    tasks: tuple[JobTask, ...]
    steps: int = 3

    def run(self, name: str, progress: Progress) -> None:
        folder, kind = self.folder / name, name.split("/")[0]
        with (folder / "begun").open("a") as begun:
            begun.write(f"{os.getpid()}\n")
        for step in range(self.steps):
            patience = time.monotonic() + 60
            while kind == "slow" and not (self.folder / "hurry").exists() and time.monotonic() < patience:
                time.sleep(0.05)
                progress(f"step {step + 1}/{self.steps}", step, self.steps)
            if kind == "deadly":
                os.kill(os.getpid(), 9)
            if kind == "bad":
                raise FoveolaError("a good task", "a bad one", name, "mend it")
            if kind == "wrong" and step == 1:
                raise ZeroDivisionError("of our own")
            if kind == "full":
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder / "big"))
            progress(f"step {step + 1}/{self.steps}", step + 1, self.steps)
        atomic.write_text(folder / "result", name.upper())
        if kind != "forgetful":
            atomic.write_json(folder / DONE, {"seconds": 0.25, "threads": os.environ.get("OMP_NUM_THREADS")})
