"""What every test can use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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


@pytest.fixture(scope="session")
def gate_arm() -> Any:
    """An arm that no one else has: one gate a position and image behind every stage, or everywhere the same."""
    import torch
    from torch import Tensor, nn

    from foveola.attention import Arm, LayerSettings, Mechanism, Operator, Pointwise

    class GateSettings(LayerSettings):
        flat: bool = False

    class Gate(Mechanism):
        def __init__(self, channels: int, flat: bool) -> None:
            super().__init__()
            self.score, self.flat = nn.Conv2d(channels, 1, 1), flat

        def operator(self, features: Tensor, *context: Any) -> Operator:
            scores = self.score(features)
            return Pointwise(torch.sigmoid(0 * scores if self.flat else scores))

    return Arm("gate", "a gate a position", GateSettings, "pointwise",
               layer=lambda channels, size, settings: Gate(channels, settings.flat))  # fmt: skip


@pytest.fixture(scope="module")
def gate(gate_arm: Any) -> Iterator[str]:
    """The name of that arm, known for the tests of a module."""
    from foveola.attention import ARMS

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(ARMS._members, gate_arm.name, gate_arm)
        yield gate_arm.name
