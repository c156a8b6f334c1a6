"""Published claims at small scale: Learn to Pay Attention against its fair control, its scores, and PPCR."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
from record import record

from foveola.cli.demo import SETTINGS
from foveola.comparison import compare
from foveola.protocol import read_configuration

VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "plain": ("plain", {}),
    "learn-to-pay-control": ("learn-to-pay-control", {}),
    "learn-to-pay, additive": ("learn-to-pay", {"score": "additive"}),
    "learn-to-pay, dp": ("learn-to-pay", {"score": "dp"}),
    "learn-to-pay, pc": ("learn-to-pay", {"score": "pc"}),
    "learn-to-pay, additive, sigmoid": ("learn-to-pay", {"score": "additive", "normaliser": "sigmoid"}),
    "learn-to-pay, additive, indep": ("learn-to-pay", {"score": "additive", "head": "indep"}),
    "ppcr": ("ppcr", {}),
    "ppcr, paper-like": ("ppcr", {"preset": "paper-like"}),
}
"""What is compared: the arm and its settings, by the name in the table."""


def measure(arm: str, settings: dict[str, Any], seeds: int, folder: Path) -> dict[str, float]:
    options = {key: value for key, value in SETTINGS.items() if not key.startswith("global.")}
    own = {f"{arm}.{key}": value for key, value in settings.items()}
    result = compare(read_configuration(options={**options, "arms": [arm], "seeds": seeds, **own}), folder)
    results = pd.read_csv(folder / "results.csv").pivot(index="seed", columns="metric", values="value")
    found = results[["accuracy", "macro_auc"]].agg(["mean", "min", "max"]).T.stack()
    row = {f"{metric}_{kind}": value for (metric, kind), value in found.items()}
    return row | {name: result.maps[name].mean() for name in ("auc_before", "auc", "auc_images")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    rows = []
    for name, (arm, settings) in VARIANTS.items():
        with tempfile.TemporaryDirectory() as folder:
            rows.append({"variant": name, **measure(arm, settings, arguments.seeds, Path(folder) / "run")})
    note = f"The demo's phantom, {arguments.seeds} seeds: accuracy, macro AUC, and how well maps find the truth region"
    record("published_behaviour", pd.DataFrame(rows), note)


if __name__ == "__main__":
    main()
