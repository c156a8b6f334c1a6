"""A real cluster of two nodes on this machine, one of which is lost."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from foveola.execution import InProcess, JobStatus, RayCluster
from foveola.execution.claims import holder
from foveola.execution.executors import ray_cluster as module
from foveola.execution.executors.parcel import packed
from foveola.execution.machine import host, process_space
from foveola.foundation.errors import FoveolaError

MakeJob = Callable[..., Any]


@pytest.fixture
def cluster() -> Iterator[Any]:
    """Two nodes of one core each."""
    pytest.importorskip("ray", reason="Ray is not installed")
    os.environ.update(module.QUIET)
    import ray
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    cluster.add_node(num_cpus=1)
    yield cluster
    ray.shutdown()
    cluster.shutdown()


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.skipif(not process_space(), reason="this system does not tell which processes live")
def test_a_node_that_is_lost_costs_nothing(cluster: Any, make_job: MakeJob, look: Any) -> None:
    job = make_job("slow/0", "slow/1", "a/0", "a/1")
    lost: list[str] = []

    def dead() -> list[str]:
        return [name for name in ("slow/0", "slow/1") if (claim := holder(job.folder / name)) and claim.is_dead]

    def watch(status: JobStatus) -> None:
        if not lost and len(status.running) == 2:
            (node,) = cluster.worker_nodes
            cluster.remove_node(node, allow_graceful=False)
            deadline = time.monotonic() + 60  # its workers notice that it is gone, and end
            while not lost:
                assert time.monotonic() < deadline, "no worker went with its node"
                time.sleep(0.02)
                lost.extend(dead())
            (job.folder / "hurry").touch()

    RayCluster(cluster.address).run(job, watch)
    begun = look["begun"](job)
    assert len(lost) == 1
    assert {name: len(processes) for name, processes in begun.items()} == {
        name: 2 if name in lost else 1 for name in begun
    }
    assert look["results"](job) == {name: name.upper() for name in ("slow/0", "slow/1", "a/0", "a/1")}
    assert look["leftovers"](job) == []


def test_an_address_where_nobody_listens_is_refused_at_once(make_job: MakeJob) -> None:
    pytest.importorskip("ray", reason="Ray is not installed")
    for address in ("127.0.0.1:1", "nowhere", "ray://127.0.0.1:1"):
        with pytest.raises(
            FoveolaError, match=f"expected the address of a Ray cluster, .*, got '{address}' .*--cluster"
        ):
            RayCluster(address).run(make_job("a/0"))


def test_without_ray_the_extra_is_named(make_job: MakeJob, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(FoveolaError, match=r'run `pip install "foveola\[cluster\]"`'):
        RayCluster().run(make_job("a/0"))


def test_a_node_that_does_not_see_the_folder_says_so_and_does_nothing(make_job: MakeJob, tmp_path: Path) -> None:
    job = make_job("a/0")
    for mark, folder in ((tmp_path / "missing", tmp_path), (tmp_path, tmp_path / "missing")):
        assert module._worker(packed(job, "0"), str(mark), str(folder), 1) == host()
    assert not job.folder.exists()

    class Call:
        """A call that has come back, and all that is asked of Ray then."""

        class exceptions:  # noqa: N801 - as in Ray
            RayError = RayTaskError = TaskCancelledError = ConnectionError

        def get(self, call: object) -> str:
            return "node-7"

    worker = module._Worker(None, {}, tmp_path / "run" / ".cluster-1", 1)
    with pytest.raises(FoveolaError, match=r"expected nodes that share one file system, got node node-7 .*, in .*run;"):
        module._ended(Call(), None, worker)


def test_nothing_left_needs_no_cluster(make_job: MakeJob, monkeypatch: pytest.MonkeyPatch) -> None:
    job = make_job("a/0")
    InProcess().run(job)
    monkeypatch.setitem(sys.modules, "ray", None)
    seen: list[JobStatus] = []
    RayCluster().run(job, seen.append)
    assert [status.is_finished for status in seen] == [True]
