"""Wall time of a comparison over the sum of its fits: what everything that is not training costs."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import pandas as pd
from record import record

from foveola.cli.demo import SETTINGS
from foveola.protocol import PlannedFit, RunFolder, compare, read_configuration


def main() -> None:
    planned: list[PlannedFit] = []

    def remember(fit: PlannedFit, number: int, total: int) -> object:
        planned.append(fit)
        return lambda *_: None

    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        compare(read_configuration(options=SETTINGS), Path(folder), fit_progress=remember)
        wall = time.perf_counter() - started
        fits = sum(RunFolder(Path(folder)).seconds(fit) for fit in planned)
    row = {"fits": len(planned), "wall_s": wall, "fits_s": fits, "ratio": wall / fits}
    record("compare_overhead", pd.DataFrame([row]), "The demo: wall time of compare over the sum of its fits")


if __name__ == "__main__":
    main()
