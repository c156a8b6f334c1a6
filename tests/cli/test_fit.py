from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

Foveola = Callable[..., Any]


def test_one_model_is_left_and_its_scores_are_said(
    foveola: Foveola, draw_folder: Callable[..., Path], small: tuple[str, ...]
) -> None:
    command = ("fit", "--data", draw_folder(), "--arm", "global", *small, "--set", "global.hidden=4", "--out", "model")
    answer = foveola(*command)
    assert (answer.code, answer.err) == (0, "")
    predictions = pd.read_csv("model/predictions.csv")
    predicted = predictions[["p_a", "p_b", "p_c"]].to_numpy().argmax(axis=1)
    accuracy = (pd.Series(list("abc"))[predicted].to_numpy() == predictions["label"]).mean()
    assert answer.out.startswith(f"Test images: accuracy {accuracy:.3f}, balanced accuracy ")
    assert answer.out.endswith("The model is in model\n")
    written = Path("model/done").stat().st_mtime_ns
    assert foveola(*command).out == answer.out
    assert Path("model/done").stat().st_mtime_ns == written


def test_one_arm_at_a_time(
    foveola: Foveola, refused: Callable[..., str], draw_folder: Callable[..., Path], small: tuple[str, ...]
) -> None:
    Path("two.yaml").write_text("arms: [plain, l1]\n")
    sentence = refused("fit", "--config", "two.yaml", "--data", draw_folder(), *small)
    assert "expected one arm, got 2, in --arm; use `foveola compare` for several" in sentence
    assert not Path("model").exists()
