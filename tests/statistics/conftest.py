"""Random runs: predictions and split tables of several arms, folds and seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

CLASSES = ("late", "early", "none")


@dataclass(frozen=True)
class Run:
    """Predictions and splits of a run, and the group of each image."""

    predictions: pd.DataFrame
    splits: pd.DataFrame
    groups: np.ndarray

    def fit(self, arm: str, fold: int = 0, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Labels, probabilities and group of every test image of one fit, in the order of the splits."""
        rows = self.predictions
        own = rows[(rows["arm"] == arm) & (rows["fold"] == fold) & (rows["seed"] == seed)].set_index("sample")
        columns = [name for name in rows.columns if name.startswith("p_")]
        classes = [name.removeprefix("p_") for name in columns]
        tested = self.splits[(self.splits["fold"] == fold) & (self.splits["role"] == "test")]["sample"]
        own = own.loc[tested]
        places = [int(str(sample)[1:]) for sample in own.index]
        labels = np.array([classes.index(label) for label in own["label"]])
        return labels, own[columns].to_numpy(), self.groups[places]


def make_run(
    *,
    arms: Sequence[tuple[str, float]] = (("plain", 0.6), ("global", 0.9)),
    images: int = 60,
    folds: int = 1,
    seeds: int = 1,
    classes: Sequence[str] = CLASSES,
    group_size: int = 1,
    seed: int = 0,
) -> Run:
    """A run of arms of some skill: ``folds`` of a cross-validation, or a hold-out of half the images for one fold."""
    rng = np.random.default_rng(seed)
    groups = np.arange(images) // group_size
    label = rng.permutation(np.arange(images) % len(classes))
    part = groups % folds if folds > 1 else (groups % 2 == 0).astype(int) - 1
    names = np.array([f"s{place}" for place in range(images)])
    splits, predictions = [], []
    group_names = [f"g{group}" if group_size > 1 else "" for group in groups]
    for fold in range(folds):
        role = np.where(part == fold, "test", "train")
        labels = np.array(classes)[label]
        splits.append(
            pd.DataFrame({"sample": names, "group": group_names, "label": labels, "fold": fold, "role": role})
        )
    shared = rng.normal(size=(images, len(classes)))
    for arm, skill in arms:
        for fold in range(folds):
            for number in range(seeds):
                tested = np.flatnonzero(part == fold)
                scores = skill * np.eye(len(classes))[label] + shared + 0.6 * rng.normal(size=shared.shape)
                p = np.exp(scores[tested])
                p /= p.sum(1, keepdims=True)
                fit = {"sample": names[tested], "arm": arm, "fold": fold, "seed": number, "epoch": 3}
                columns = {f"p_{name}": p[:, k] for k, name in enumerate(classes)}
                predictions.append(pd.DataFrame({**fit, "label": np.array(classes)[label[tested]], **columns}))
    return Run(pd.concat(predictions, ignore_index=True), pd.concat(splits, ignore_index=True), groups)


@pytest.fixture(scope="session")
def run() -> Callable[..., Run]:
    return make_run
