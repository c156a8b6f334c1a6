"""Commands and scripts in processes of their own, forked from one that has imported everything already.

A new Python takes seconds to import PyTorch and the others; a fork takes none. The processes are real: they can be
killed, have their own working directory and output, and know nothing of the checks of types that tests run with.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from subprocess import CompletedProcess

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(
    ["foveola.cli", "foveola.comparison", "foveola.contract", "foveola.inference.explanation", "foveola.search"]
)


class Started:
    """A process that was started, and what it said."""

    def __init__(self, run: Callable[..., None], arguments: Sequence[object], folder: Path) -> None:
        self.said = Path(tempfile.mkdtemp())
        self.process: ForkServerProcess = FORKS.Process(
            target=_run, args=(run, arguments, str(folder), str(self.said), dict(os.environ))
        )
        self.process.start()

    def poll(self) -> int | None:
        """The exit status; below 0 for the signal that killed it, ``None`` while it runs."""
        return self.process.exitcode

    def kill(self) -> None:
        """Kills it, as ``kill -9`` does."""
        self.process.kill()

    def wait(self, timeout: float = 600) -> CompletedProcess[str]:
        """Waits for its end, and returns what a `subprocess.run` would."""
        self.process.join(timeout)
        assert self.process.exitcode is not None, "it never ends"
        texts = [(self.said / name).read_text(encoding="utf-8", errors="replace") for name in ("out", "err")]
        return CompletedProcess([], self.process.exitcode, *texts)


def start(words: Sequence[str], folder: Path = Path()) -> Started:
    """Starts ``foveola WORDS`` in a folder."""
    return Started(_command, list(words), folder.absolute())


def command(words: Sequence[str], folder: Path = Path()) -> CompletedProcess[str]:
    """Runs ``foveola WORDS`` in a folder to its end."""
    return start(words, folder).wait()


def script(code: str, *arguments: str) -> CompletedProcess[str]:
    """Runs Python code to its end, with arguments behind ``sys.argv[0]`` and without warnings."""
    return Started(_script, [code, *arguments], Path().absolute()).wait()


def _command(*words: str) -> None:
    from foveola.cli import main

    sys.argv = ["foveola", *words]
    main()


def _script(code: str, *arguments: str) -> None:
    import warnings

    warnings.simplefilter("ignore")
    sys.argv = ["-c", *arguments]
    exec(compile(code, "<script>", "exec"), {"__name__": "__main__"})


def _run(
    run: Callable[..., None], arguments: Sequence[object], folder: str, said: str, environment: dict[str, str]
) -> None:
    """Runs in the new process, as if it had been started in the folder with this environment."""
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    for number, name in ((1, "out"), (2, "err")):
        file = os.open(Path(said) / name, os.O_WRONLY | os.O_CREAT)
        os.dup2(file, number)
        os.close(file)
    sys.stdout = open(1, "w", closefd=False, encoding="utf-8")  # noqa: SIM115
    sys.stderr = open(2, "w", closefd=False, encoding="utf-8")  # noqa: SIM115
    try:
        run(*arguments)
    except SystemExit:
        raise
    except BaseException:
        traceback.print_exc()
        sys.exit(1)
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
