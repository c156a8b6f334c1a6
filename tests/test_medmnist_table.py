"""The published table that is done again, on a drawn file with MedMNIST's layout."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from foveola.foundation.errors import FoveolaError

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    specification = importlib.util.spec_from_file_location("medmnist_table", BENCHMARKS / "medmnist_table.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    yield module  # type: ignore[misc]
    sys.modules.pop("record", None)


def test_ours_stands_beside_the_published_values(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    arrays: dict[str, np.ndarray] = {}
    for split, count in (("train", 21), ("val", 8), ("test", 10)):
        arrays |= {
            f"{split}_images": rng.integers(0, 256, (count, 28, 28), dtype=np.uint8),
            f"{split}_labels": (np.arange(count) % 2).astype(np.uint8)[:, None],
        }
    np.savez(tmp_path / "breastmnist.npz", **arrays)  # type: ignore[arg-type]
    kept: dict[str, pd.DataFrame] = {}
    monkeypatch.setattr(script, "record", lambda name, table, note: kept.update({name: table}))
    script.main(tmp_path / "breastmnist.npz", epochs=1, seeds=2, out=tmp_path / "run")
    table = kept["medmnist_breastmnist"]
    assert table["published"].tolist() == [0.901, 0.863]
    results = pd.read_csv(tmp_path / "run" / "results.csv").groupby("metric")["value"].mean()
    assert table["ours"].tolist() == pytest.approx([results["medmnist_auc"], results["medmnist_acc"]], rel=1e-8)
    for row, tolerance in zip(table.to_dict("records"), (0.02, 0.03), strict=True):
        assert row["difference"] == pytest.approx(row["ours"] - row["published"])
        assert row["within"] == (abs(row["difference"]) <= tolerance)
    splits = pd.read_csv(tmp_path / "run" / "splits.csv")
    assert splits["role"].value_counts().to_dict() == {"train": 21, "test": 10, "val": 8}, (
        "it is not the official split"
    )


def test_a_file_of_another_name_is_refused(script: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(FoveolaError, match=r"one of pathmnist, .*, got 'mine'"):
        script.main(tmp_path / "mine.npz")
