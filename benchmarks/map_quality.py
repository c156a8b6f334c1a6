"""How well maps find the phantom's truth region: exact against compressed, and global against free masks."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import pandas as pd
from record import record

from foveola.cli.demo import SETTINGS
from foveola.comparison import compare
from foveola.protocol import read_configuration


def measure(arms: list[str], seeds: int, folder: Path, **settings: object) -> pd.DataFrame:
    options = {key: value for key, value in SETTINGS.items() if not key.startswith("global.") or "global" in arms}
    result = compare(read_configuration(options={**options, "arms": arms, "seeds": seeds, **settings}), folder)
    results = pd.read_csv(folder / "results.csv").query("metric == 'accuracy'")
    accuracy = results.set_index(["arm", "seed"])["value"]
    rows = [
        {"arm": row.arm, "seed": row.seed, "map_auc": row.auc, "accuracy": accuracy[row.arm, row.seed]}
        for row in result.maps.itertuples()
    ]
    rows += [
        {"arm": "plain", "seed": seed, "map_auc": float("nan"), "accuracy": accuracy["plain", seed]}
        for seed in range(seeds if "plain" in arms else 0)
    ]
    return pd.DataFrame(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    masks = ["plain", "global", "l1", "l1-fair", "free-mask", "coarse-mask", "stochastic-gates"]
    with tempfile.TemporaryDirectory() as folder:
        compressed = measure(masks, arguments.seeds, Path(folder) / "masks")
        exact = {"global.representation": "exact"}
        exactly = measure(["global"], arguments.seeds, Path(folder) / "exact", **exact)
    table = pd.concat([compressed, exactly.assign(arm="global (exact P)")], ignore_index=True)
    rows = table.groupby("arm", sort=False)[["map_auc", "accuracy"]].agg(["mean", "min", "max"])
    rows.columns = ["_".join(column) for column in rows.columns]
    record("map_quality", rows.reset_index(), f"The demo's phantom, {arguments.seeds} seeds; d = 32 unless exact")


if __name__ == "__main__":
    main()
