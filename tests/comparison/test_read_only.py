"""Storage that is read-only loses nothing of a run; the same command goes on when it can be written again."""

from __future__ import annotations

import errno
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from foveola.comparison import compare
from foveola.execution import Executor, InProcess, JobStatus, LocalProcesses
from foveola.protocol import RunConfiguration


def mount(*arguments: object) -> None:
    subprocess.run(["mount", *map(str, arguments)], check=True, capture_output=True)


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, which can be made read-only even for the superuser."""
    folder = tmp_path / "storage"
    folder.mkdir()
    try:
        mount("-t", "tmpfs", "tmpfs", folder)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"nothing can be mounted here: {error}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.usefixtures("no_pictures")
@pytest.mark.parametrize("executor", [InProcess(), LocalProcesses(2)], ids=["in process", "two workers"])
def test_nothing_is_lost(
    slow_configuration: RunConfiguration, slow_finished: Path, storage: Path, executor: Executor
) -> None:
    configuration, run = slow_configuration, storage / "run"

    def stop(status: JobStatus) -> None:
        if len(status.done) >= 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compare(configuration, run, executor=executor, watch=stop)
    mount("-o", "remount,ro", storage)
    with pytest.raises(OSError, match="Read-only file system") as caught:
        compare(configuration, run, executor=executor)
    assert caught.value.errno == errno.EROFS
    kept = {path: path.stat().st_mtime_ns for path in run.glob("fits/*/*/done")}
    assert 1 <= len(kept) < 6
    mount("-o", "remount,rw", storage)
    compare(configuration, run, executor=executor)
    for name in ("predictions.csv", "results.csv", "comparisons.csv"):
        assert (run / name).read_bytes() == (slow_finished / name).read_bytes(), name
    assert {path: path.stat().st_mtime_ns for path in kept} == kept, "a finished fit was made again"
