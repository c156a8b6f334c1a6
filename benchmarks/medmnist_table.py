"""A published table on the same work: MedMNIST's own protocol, on a file of that benchmark which you have.

    python benchmarks/medmnist_table.py breastmnist.npz --epochs 100 --seeds 3

Published values: Yang et al., MedMNIST v2, Scientific Data 10:41 (2023), doi:10.1038/s41597-022-01721-8, table 3,
ResNet-18 at 28 px: official split, three runs, 100 epochs, Adam at 1e-3 that falls to a tenth at epochs 50 and 75,
batches of 128, the epoch with the best validation AUC. Ours differs in one thing: the learning rate falls as a cosine.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer
from record import record

from foveola.comparison import compare
from foveola.foundation.errors import FoveolaError
from foveola.protocol import read_configuration

PUBLISHED = {
    "pathmnist": (0.983, 0.907),
    "octmnist": (0.943, 0.743),
    "pneumoniamnist": (0.944, 0.854),
    "retinamnist": (0.717, 0.524),
    "breastmnist": (0.901, 0.863),
    "tissuemnist": (0.930, 0.676),
    "organamnist": (0.997, 0.935),
}
"""AUC and accuracy, of the data sets whose row of that table was checked against its source."""
TOLERANCE = (0.02, 0.03)
"""Of AUC and accuracy; what a replication of this table has to keep to."""


def main(
    file: Annotated[Path, typer.Argument(help="The .npz of a data set of MedMNIST, 28 px.")],
    epochs: int = 100,
    seeds: int = 3,
    out: Annotated[Path | None, typer.Option(help="The run folder; a temporary one if none is given.")] = None,
) -> None:
    name = file.stem.lower()
    if name not in PUBLISHED:
        raise FoveolaError(f"one of {', '.join(PUBLISHED)}", f"'{name}'", str(file), "name the file as MedMNIST does")
    options = {
        "data": str(file),
        "arms": ["plain"],
        "protocol": "holdout",
        "seeds": seeds,
        "metrics": "medmnist",
        "backbone.name": "resnet18",
        "backbone.pretrained": False,
        "training.epochs": epochs,
        "training.lr": 1e-3,
        "training.batch_size": 128,
        "training.weight_decay": 0.0,
        "training.keep": "best",
        "training.criterion": "macro_auc",
    }
    with tempfile.TemporaryDirectory() as scratch:
        summary = compare(read_configuration(options=options), out or Path(scratch) / "run").summary.loc["plain"]
    rows = []
    for metric, published, tolerance in zip(("AUC", "ACC"), PUBLISHED[name], TOLERANCE, strict=True):
        ours = float(summary[f"medmnist_{metric.lower()}"])
        rows.append(
            {
                "data": name,
                "metric": metric,
                "published": published,
                "ours": ours,
                "difference": ours - published,
                "within": abs(ours - published) <= tolerance,
            }
        )
    record(f"medmnist_{name}", pd.DataFrame(rows), f"MedMNIST's protocol, {seeds} runs of {epochs} epochs")


if __name__ == "__main__":
    typer.run(main)
