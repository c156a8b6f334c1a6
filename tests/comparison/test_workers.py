"""A comparison made by several workers, some of which are lost, is that of one quiet process."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import forked
import pytest
import yaml

from foveola.comparison import compare
from foveola.execution import JobStatus, LocalProcesses, RayCluster
from foveola.execution.claims import holder
from foveola.execution.executors.ray_cluster import QUIET
from foveola.execution.machine import process_space
from foveola.protocol import RunConfiguration

pytestmark = [
    pytest.mark.usefixtures("no_pictures"),
    pytest.mark.skipif(not process_space(), reason="this system does not tell which processes live"),
]

Configure = Callable[..., RunConfiguration]
PATIENCE_S = 600


@pytest.fixture
def configuration(configure: Configure) -> RunConfiguration:
    """That of the run which one process made."""
    return configure(["plain", "l1-fair", "global"], {"seeds": 2})


def files(folder: Path) -> dict[str, bytes]:
    """Every table of a run, and what each of its fits left."""
    paths = [*folder.glob("*.csv"), *folder.glob("fits/*/*/*.*"), *folder.glob("maps/*.npy")]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths if path.name[0] != "."}


def check_same(folder: Path, finished: Path) -> None:
    assert {"results.csv", "comparisons.csv", "fits/global/0-1/model.safetensors"} <= files(folder).keys()
    assert files(folder) == files(finished)
    assert not list(folder.rglob(".claim*")), "who is dead still holds a fit"


def wait_for(what: Callable[[], list[Any]]) -> list[Any]:
    deadline = time.monotonic() + PATIENCE_S
    while not (found := what()):
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.01)
    return found


def test_a_worker_and_then_the_driver_are_killed(
    configuration: RunConfiguration, finished: Path, tmp_path: Path
) -> None:
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(configuration.model_dump(mode="json"), sort_keys=False))
    run = tmp_path / "run"
    command = [
        "compare",
        "--config",
        str(tmp_path / "study.yaml"),
        "--out",
        str(run),
        "--workers",
        "2",
    ]

    def workers() -> list[int]:
        claims = [holder(path.parent) for path in run.glob("fits/*/*/.claim-1")]
        return [claim.pid for claim in claims if claim]

    def done() -> list[tuple[Path, int]]:
        return [(path, path.stat().st_mtime_ns) for path in run.glob("fits/*/*/done")]

    driver = forked.start(command)
    os.kill(wait_for(workers)[0], signal.SIGKILL)
    wait_for(done)
    driver.kill()
    assert driver.wait().returncode == -signal.SIGKILL
    assert not (run / "results.csv").exists()
    before = done()
    result = forked.command(command)
    assert result.returncode == 0, result.stderr
    assert set(before) <= set(done()), "a finished fit was made again"
    check_same(run, finished)


def test_the_disk_is_full_for_a_worker(configure: Configure, finished: Path, tmp_path: Path) -> None:
    resource = pytest.importorskip("resource", reason="no limits on files here")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    start = subprocess.Popen.__init__

    def limited(*arguments: Any, **options: Any) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, hard))  # the worker inherits it
        try:
            start(*arguments, **options)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    run = tmp_path / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subprocess.Popen, "__init__", limited)
        with pytest.raises(OSError, match="File too large") as caught:
            compare(configure(["plain"]), run, executor=LocalProcesses(2))
    assert caught.value.filename == str(run / "fits/plain/0-0/last.ckpt")
    assert not list(run.rglob(".*"))
    compare(configure(["plain"]), run)
    for path in finished.glob("fits/plain/0-0/*.*"):
        if path.is_file():
            assert (run / "fits/plain/0-0" / path.name).read_bytes() == path.read_bytes(), path.name


@pytest.fixture
def cluster() -> Iterator[Any]:
    """Two nodes of one core each."""
    pytest.importorskip("ray", reason="Ray is not installed")
    os.environ.update(QUIET)
    import ray
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    cluster.add_node(num_cpus=1)
    yield cluster
    ray.shutdown()
    cluster.shutdown()


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_node_is_lost(
    cluster: Any, slow_configuration: RunConfiguration, slow_finished: Path, tmp_path: Path
) -> None:
    lost: list[str] = []

    def watch(status: JobStatus) -> None:
        if not lost and len(status.running) == 2:
            (node,) = cluster.worker_nodes
            cluster.remove_node(node, allow_graceful=False)
            lost.extend(running.name for running in status.running)

    compare(slow_configuration, tmp_path / "run", executor=RayCluster(cluster.address), watch=watch)
    assert len(lost) == 2, "two workers were at it"
    check_same(tmp_path / "run", slow_finished)
