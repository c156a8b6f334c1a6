"""A tiny cohort in one file, with a split of its own, and small fits on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from foveola.protocol import RunConfiguration, read_configuration

SMALL = {
    "backbone.name": "small-cnn",
    "preprocessing.image_size": 16,
    "training.epochs": 2,
    "training.cutoff": 1,
    "training.batch_size": 7,
    "training.lr": 0.01,
}

Configure = Callable[..., RunConfiguration]
Arrays = dict[str, np.ndarray]


def draw() -> Arrays:
    """Draws noise with a bright bar whose height in the image is the class, in MedMNIST's layout."""
    rng = np.random.default_rng(0)
    arrays: Arrays = {}
    for split, count in (("train", 25), ("val", 9), ("test", 11)):
        labels = np.arange(count) % 3
        images = rng.random((count, 13, 11)) * 0.6
        for image, label in zip(images, labels, strict=True):
            image[1 + 4 * label : 4 + 4 * label, 3:8] += 0.3
        arrays |= {f"{split}_images": (images * 255).astype(np.uint8), f"{split}_labels": labels}
    return arrays


@pytest.fixture(scope="session")
def arrays() -> Arrays:
    """The images and labels of each split."""
    return draw()


@pytest.fixture(scope="session")
def scans(tmp_path_factory: pytest.TempPathFactory, arrays: Arrays) -> Path:
    """The cohort as one file."""
    path = tmp_path_factory.mktemp("scans") / "scans.npz"
    np.savez(path, **arrays)  # type: ignore[arg-type]
    return path


@pytest.fixture(scope="session")
def configure(scans: Path) -> Configure:
    """Makes a small configuration of one arm, on the cohort unless other data are given."""

    def made(arm: str = "global", options: Mapping[str, Any] | None = None) -> RunConfiguration:
        own = {"global.hidden": 5} if arm == "global" else {}
        return read_configuration(options={"data": str(scans), "arms": [arm], **SMALL, **own, **(options or {})})

    return made
