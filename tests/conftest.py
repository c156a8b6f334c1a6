"""What every test can use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch: the inputs are small, and threads only get in their way

ROOT = Path(__file__).resolve().parents[1]


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
