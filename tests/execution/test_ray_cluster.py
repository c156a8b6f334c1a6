"""A real cluster of two nodes on this machine, one of which is lost."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from foveola.execution import JobStatus, RayCluster
from foveola.execution import ray_cluster as module
from foveola.execution.claims import holder
from foveola.execution.machine import process_space

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
    job = make_job("slow/0", "slow/1", "a/0", "a/1", steps=100)
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
