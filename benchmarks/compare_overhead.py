"""Wall time of a comparison over the sum of its fits: what everything that is not training costs."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import pandas as pd
from record import record

from foveola.cli.demo import SETTINGS
from foveola.comparison import compare
from foveola.execution import job_status
from foveola.protocol import read_configuration, read_run


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        compare(read_configuration(options=SETTINGS), Path(folder))
        wall = time.perf_counter() - started
        job = read_run(Path(folder))
        done = job_status(job.folder, job.tasks).done
    row = {"fits": len(done), "wall_s": wall, "fits_s": sum(done.values()), "ratio": wall / sum(done.values())}
    record("compare_overhead", pd.DataFrame([row]), "The demo: wall time of compare over the sum of its fits")


if __name__ == "__main__":
    main()
