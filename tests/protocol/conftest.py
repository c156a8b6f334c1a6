"""A tiny cohort in one file, and a finished comparison on it that many tests look at and none changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from foveola.protocol import RunConfiguration, cohort_maps, compare, read_configuration

CLASSES = 3
SMALL = {
    "protocol": "holdout", "backbone.name": "small-cnn", "preprocessing.image_size": 16, "training.epochs": 2,
    "training.cutoff": 1, "training.batch_size": 7, "training.lr": 0.01,
}  # fmt: skip

Arrays = dict[str, np.ndarray]
DrawScans = Callable[..., Arrays]
Configure = Callable[..., RunConfiguration]


def draw(counts: Mapping[str, int] | None = None, seed: int = 0) -> Arrays:
    """Draws noise with a bright bar whose height in the image is the class, in MedMNIST's layout."""
    rng = np.random.default_rng(seed)
    arrays: Arrays = {}
    for split, count in (counts or {"train": 25, "val": 6, "test": 10}).items():
        labels = np.arange(count) % CLASSES
        images = rng.random((count, 13, 11)) * 0.6
        for image, label in zip(images, labels, strict=True):
            image[1 + 4 * label : 4 + 4 * label, 3:8] += 0.3
        arrays |= {f"{split}_images": (images * 255).astype(np.uint8), f"{split}_labels": labels}
    return arrays


@pytest.fixture(scope="session")
def draw_scans() -> DrawScans:
    """Draws the arrays of a cohort; counts and seed may be given."""
    return draw


@pytest.fixture(scope="session")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cohort as one file."""
    path = tmp_path_factory.mktemp("scans") / "scans.npz"
    np.savez(path, **draw())  # type: ignore[arg-type]
    return path


@pytest.fixture(scope="session")
def configure(scans: Path) -> Configure:
    """Makes a small configuration of some arms, on the cohort unless other data are given."""

    def made(arms: Sequence[str] = ("plain", "global"), options: Mapping[str, Any] | None = None) -> RunConfiguration:
        own = {"global.hidden": 5} if "global" in arms else {}
        return read_configuration(options={"data": str(scans), "arms": list(arms), **SMALL, **own, **(options or {})})

    return made


@pytest.fixture(scope="session")
def finished(configure: Configure, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of three arms and two seeds; to be read only."""
    folder = tmp_path_factory.mktemp("finished") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FOVEOLA_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        compare(configure(["plain", "l1-fair", "global"], {"seeds": 2}), folder)
    return folder


@pytest.fixture
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves out the drawing, which takes longer than the training of so few images."""
    for name in ("map_picture", "before_after_picture", "arms_picture"):
        monkeypatch.setattr(cohort_maps, name, lambda *_, **__: None)


@pytest.fixture(scope="session")
def contents() -> Callable[[Path], dict[str, tuple[int, bytes]]]:
    """Tells when each file below a folder was changed and what it holds, by its path."""

    def look(folder: Path) -> dict[str, tuple[int, bytes]]:
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        return {path.relative_to(folder).as_posix(): (path.stat().st_mtime_ns, path.read_bytes()) for path in files}

    return look
