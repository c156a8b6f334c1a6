"""Really trained pairs of identical arms, which differ in their seeds alone: how often each protocol sees a winner.

Used by ``false_alarms.py``.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.datasets import load_digits

DIGITS = (3, 5, 8)
IMAGES = 150
TRAINING: dict[str, Any] = {
    "arms": ["plain"],
    "seeds": 2,
    "backbone.name": "small-cnn",
    "preprocessing.image_size": 8,
    "training.lr": 0.003,
    "training.batch_size": 16,
}
FOLDS, REPEATS = 5, 3
SOUND = {"protocol": "sound", "folds": FOLDS, "repeats": REPEATS, "training.epochs": 10}
PAPER = {"protocol": "paper", "folds": FOLDS, "training.epochs": 60}
"""The paper chooses 30 of 250 epochs; so many are not needed for images of 8 x 8."""


def draw(index: int, path: Path) -> None:
    """Writes another random set of images, drawn from all handwritten digits 3, 5 and 8."""
    digits = load_digits()
    known = np.flatnonzero(np.isin(digits.target, DIGITS))
    rows = np.random.default_rng(index).choice(known, IMAGES, replace=False)
    images = (digits.images[rows] * 15).astype(np.uint8)
    labels = np.searchsorted(DIGITS, digits.target[rows])
    np.savez(path, images=images, labels=labels)


def one_pair(index: int) -> dict[str, float]:
    """Trains two identical arms under both protocols, and returns the p-value of every test.

    The two seeds of one arm play the two arms, because arms share their seeds.
    """
    import torch

    from foveola.comparison import compare
    from foveola.protocol import read_configuration
    from foveola.protocol.run.run_folder import read_splits
    from foveola.statistics.hypothesis_tests.fold_tests import nadeau_bengio, paired_t
    from foveola.statistics.tables.paper import paper_t_test

    torch.set_num_threads(1)
    values: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        os.environ["FOVEOLA_CACHE"] = str(folder / "cache")
        draw(index, folder / "set.npz")
        for name, protocol in (("sound", SOUND), ("paper", PAPER)):
            options = {"data": str(folder / "set.npz"), **TRAINING, **protocol}
            compare(read_configuration(options=options), folder / name)
        results = pd.read_csv(folder / "sound" / "results.csv")
        own = results[results["metric"] == "accuracy"]
        differences = own.groupby("fold")["value"].apply(lambda pair: float(pair.iloc[1] - pair.iloc[0])).to_numpy()
        roles = read_splits(folder / "sound").groupby("role").size()
        sizes = ((roles["train"] + roles["val"]) / (FOLDS * REPEATS), roles["test"] / (FOLDS * REPEATS))
        values["naive t over folds"] = paired_t(differences).p_value
        values["corrected t over folds"] = nadeau_bengio(differences, *sizes).p_value
        values["naive t over five folds"] = paired_t(differences[:FOLDS]).p_value
        chosen = [_chosen_accuracies(folder / "paper", seed) for seed in (0, 1)]
        values["paper"] = paper_t_test(*chosen)
    return values


def _chosen_accuracies(run: Path, seed: int) -> Sequence[float]:
    """Returns the test accuracies at the 30 epochs that the paper's procedure chooses."""
    from foveola.statistics.tables.paper import paper_score

    def history(fold: int, role: str) -> pd.DataFrame:
        table = pd.read_csv(run / "fits" / "plain" / f"{fold}-{seed}" / "history.csv")
        return pd.DataFrame({"epoch": table["epoch"], "accuracy": table[f"{role}_accuracy"]})

    ranking = pd.concat([history(fold, "val").assign(fold=fold) for fold in range(1, 1 + FOLDS)])
    return paper_score(ranking, history(0, "test")).accuracies


def trained_pairs(count: int, workers: int) -> pd.DataFrame:
    """Returns the p-values of ``count`` pairs, one row a pair."""
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        rows: Sequence[dict[str, float]] = list(pool.map(one_pair, range(count)))
    return pd.DataFrame(rows)
