from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from foveola.cli import demo


def test_the_demo_compares_and_says_which_map_finds_the_macula(
    foveola: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    smaller = {
        "data": "phantom:n=60,size=32",
        "training.epochs": 2,
        "training.cutoff": 1,
        "global.hidden": 4,
        "global.dim": 8,
    }
    monkeypatch.setattr(demo, "SETTINGS", {**demo.SETTINGS, **smaller})
    answer = foveola("demo", "--out", "run")
    assert (answer.code, answer.err) == (0, "")
    assert "How well each map finds the truth region (ROC AUC over pixels)" in " ".join(answer.out.split())
    truth = pd.read_csv("run/maps/truth.csv").set_index("arm")
    assert list(truth.index) == ["l1-fair", "global"]
    for arm, row in truth.iterrows():
        assert f"│ {arm:<7} │           {row['auc_before']:.3f} │ {row['auc']:.3f} │" in answer.out
    assert answer.out.endswith("Everything is in run\nSee the maps in run/maps/arms.png\n")
    assert Path("run/maps/arms.png").stat().st_size > 1000


def test_the_demo_is_what_it_says() -> None:
    assert demo.SETTINGS["data"] == "phantom"
    assert demo.SETTINGS["arms"] == ["plain", "l1-fair", "global"]
