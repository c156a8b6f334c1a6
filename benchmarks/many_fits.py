"""Fits per hour with one and two workers and on a Ray cluster of two nodes, and what an executor adds to each fit."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
from record import record

from foveola.comparison.compare import load_data
from foveola.execution import Executor, InProcess, LocalProcesses, RayCluster
from foveola.protocol import RunFolder, RunJob, read_configuration

FEW, MANY = 4, 16
"""The difference of two jobs is free of what starting the workers costs."""
OPTIONS = {
    "data": "phantom:n=200",
    "arms": ["plain"],
    "protocol": "holdout",
    "backbone.name": "small-cnn",
    "training.epochs": 6,
    "training.lr": 0.002,
}


def timed(executor: Executor, seeds: int, folder: Path) -> tuple[float, float]:
    """Makes so many fits; returns the wall time and the sum of the times of the fits, in seconds."""
    configuration, data, digest = load_data(read_configuration(options={**OPTIONS, "seeds": seeds}))
    RunFolder(folder).open(configuration, data.splits, digest, ["benchmark"])
    job = RunJob(folder, configuration, data.splits, Path(data.pixels.filename))  # type: ignore[attr-defined]
    started = time.perf_counter()
    executor.run(job)
    wall = time.perf_counter() - started
    done = [json.loads((folder / task.name / "done").read_text()) for task in job.tasks]
    return wall, sum(fit["seconds"] for fit in done)


@contextmanager
def two_nodes() -> Iterator[str]:
    """Starts a Ray cluster of two nodes with one core each on this machine, and yields its address."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        cluster.add_node(num_cpus=1)
        yield str(cluster.address)
    finally:
        cluster.shutdown()


def main() -> None:
    rows = []
    with tempfile.TemporaryDirectory() as scratch, two_nodes() as address:
        os.environ["FOVEOLA_CACHE"] = str(Path(scratch) / "cache")
        executors = {
            "in process": (InProcess(threads=1), 1),
            "1 worker": (LocalProcesses(1, threads=1), 1),
            "2 workers": (LocalProcesses(2, threads=1), 2),
            "Ray, 2 nodes": (RayCluster(address, workers=2, threads=1), 2),
        }
        timed(InProcess(threads=1), 1, Path(scratch) / "warm")
        single = None
        for name, (executor, workers) in executors.items():
            few, _ = timed(executor, FEW, Path(scratch) / f"{name}-few")
            many, fits = timed(executor, MANY, Path(scratch) / f"{name}-many")
            pace = (many - few) / (MANY - FEW)
            single = single or fits / MANY
            rows.append(
                {
                    "executor": name,
                    "start_s": many - pace * MANY,
                    "fit_s": fits / MANY,
                    "overhead_s": pace * workers - fits / MANY,
                    "fits_per_hour": 3600 / pace,
                    "speed_up": single / pace,
                }
            )
    note = (
        "Fits of about a second; start_s: what the executor takes before and after; overhead_s: what it adds to a fit; "
        "speed_up: over single fits one after the other, in process"
    )
    record("many_fits", pd.DataFrame(rows), note)


if __name__ == "__main__":
    main()
