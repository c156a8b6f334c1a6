"""Fixtures of all tests: real images, a tiny cohort in one file, a finished comparison on it, an arm of their own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch: the inputs are small, and threads only get in their way

if TYPE_CHECKING:
    from foveola.protocol import RunConfiguration

ROOT = Path(__file__).resolve().parents[1]
CLASSES = 3
SMALL = {
    "protocol": "holdout",
    "backbone.name": "small-cnn",
    "preprocessing.image_size": 16,
    "training.epochs": 2,
    "training.cutoff": 1,
    "training.batch_size": 7,
    "training.lr": 0.01,
}

Arrays = dict[str, np.ndarray]

LONGEST_FIRST = (
    "contract/test_exports.py",
    "comparison/test_workers.py",
    "contract/test_arms.py",
    "comparison/test_segmentation.py",
    "comparison/test_read_only.py",
    "estimator/test_classifier.py",
    "execution/executors/test_ray_cluster.py",
    "search/test_study.py",
    "estimator/test_classifier_checks.py",
)
"""Files that take longest: begun first, so that no worker is left alone with one at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the longest files first, and leaves the order within files as it is."""
    places = {ROOT / "tests" / name: place for place, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: places.get(item.path, len(places)))


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real images; tests that need it skip where it is not at hand."""
    folder = Path(os.environ.get("FOVEOLA_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("no real images: set FOVEOLA_DATA to the folder that holds chest-xray, chase-db1 and orl-faces")
    return folder


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keeps the cache of decoded images out of the user's own."""
    monkeypatch.setenv("FOVEOLA_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(scope="session")
def gate_arm() -> Any:
    """An arm that no one else has: one gate a position and image behind every stage, or everywhere the same."""
    import torch
    from torch import Tensor, nn

    from foveola.attention import Arm, LayerSettings, Mechanism
    from foveola.attention.algebra import Operator, Pointwise

    class GateSettings(LayerSettings):
        flat: bool = False

    class Gate(Mechanism):
        def __init__(self, channels: int, flat: bool) -> None:
            super().__init__()
            self.score, self.flat = nn.Conv2d(channels, 1, 1), flat

        def operator(self, features: Tensor, *context: Any) -> Operator:
            scores = self.score(features)
            return Pointwise(torch.sigmoid(0 * scores if self.flat else scores))

    return Arm(
        "gate",
        "a gate a position",
        GateSettings,
        "pointwise",
        layer=lambda channels, size, settings: Gate(channels, settings.flat),
    )


@pytest.fixture(scope="module")
def gate(gate_arm: Any) -> Iterator[str]:
    """The name of that arm, known for the tests of a module."""
    from foveola.attention import ARMS

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(ARMS._members, gate_arm.name, gate_arm)
        yield gate_arm.name


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
def draw_scans() -> Callable[..., Arrays]:
    """Draws the arrays of a cohort; counts and seed may be given."""
    return draw


@pytest.fixture(scope="session")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cohort as one file."""
    path = tmp_path_factory.mktemp("scans") / "scans.npz"
    np.savez(path, **draw())  # type: ignore[arg-type]
    return path


@pytest.fixture(scope="session")
def configure(scans: Path) -> Callable[..., RunConfiguration]:
    """Makes a small configuration of some arms, on the cohort unless other data are given."""
    from foveola.protocol import read_configuration

    def made(arms: Sequence[str] = ("plain", "global"), options: Mapping[str, Any] | None = None) -> RunConfiguration:
        own = {"global.hidden": 5} if "global" in arms else {}
        return read_configuration(options={"data": str(scans), "arms": list(arms), **SMALL, **own, **(options or {})})

    return made


@pytest.fixture(scope="session")
def finished(configure: Callable[..., RunConfiguration], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of three arms and two seeds; to be read only."""
    from foveola.comparison import compare

    folder = tmp_path_factory.mktemp("finished") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FOVEOLA_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        compare(configure(["plain", "l1-fair", "global"], {"seeds": 2}), folder)
    return folder


@pytest.fixture
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves out the drawing, which takes longer than the training of so few images."""
    from foveola.reporting import cohort_maps

    for name in ("map_picture", "before_after_picture", "arms_picture"):
        monkeypatch.setattr(cohort_maps, name, lambda *_, **__: None)


@pytest.fixture(scope="session")
def contents() -> Callable[[Path], dict[str, tuple[int, bytes]]]:
    """Tells when each file below a folder was changed and what it holds, by its path."""

    def look(folder: Path) -> dict[str, tuple[int, bytes]]:
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        return {path.relative_to(folder).as_posix(): (path.stat().st_mtime_ns, path.read_bytes()) for path in files}

    return look
