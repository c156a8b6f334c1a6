from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from foveola.cli.sweep import varied
from foveola.foundation.errors import FoveolaError
from foveola.protocol import RunConfiguration


def test_a_sweep_is_printed_and_kept(
    foveola: Callable[..., Any], draw_folder: Callable[..., Path], small: tuple[str, ...], no_pictures: None
) -> None:
    answer = foveola(
        "sweep",
        "--data",
        draw_folder(),
        "--arm",
        "plain",
        *small,
        "--protocol",
        "holdout",
        "--seeds",
        "2",
        "--vary",
        "training.lr=0.01,0.001",
        "--lr",
        "0.001",
        "--out",
        "swept",
    )
    assert (answer.code, answer.err) == (0, "")
    table = pd.read_csv("swept/sweep.csv")
    own = table[table["metric"] == "macro_auc"]
    assert own["value"].tolist() == [0.001, 0.01]
    assert own["is_base"].tolist() == [True, False]
    for value, mean in zip(("0.001 (base)", "0.01"), own["mean"], strict=True):
        assert any(value in line and f"{mean:.3f}" in line for line in answer.out.splitlines()), answer.out
    assert answer.out.endswith("Everything is in swept\n")
    assert Path("swept/training.lr.png").is_file()


def test_values_and_the_papers_come_together() -> None:
    configuration = RunConfiguration(data="digits", arms={"global": {}})
    found = varied(["paper", "training.lr=0.1,0.2"], configuration)
    assert list(found) == ["global.hidden", "global.penalty", "training.cutoff", "training.lr"]
    with pytest.raises(FoveolaError, match="expected key=values, got 'papr', in --vary"):
        varied(["papr"], configuration)
