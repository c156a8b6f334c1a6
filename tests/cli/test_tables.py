from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from foveola.cli.tables import print_comparison, sentences
from foveola.protocol import Comparison
from foveola.statistics import compare_arms, results_table, summary_table


def pair(difference: float, p_corrected: float) -> pd.DataFrame:
    row = {"arm_a": "plain", "arm_b": "global", "difference": difference, "ci_low": -0.0314, "ci_high": 0.25}
    return pd.DataFrame([{**row, "p_corrected": p_corrected}])


@pytest.mark.parametrize(
    ("difference", "p_corrected", "verdict"),
    [
        (0.1, 0.0449, "better"),
        (-0.1, 0.05, "worse"),
        (0.1, 0.0501, "no difference shown"),
        (0.0, 1.0, "no difference shown"),
    ],
)
def test_a_pair_is_a_sentence(difference: float, p_corrected: float, verdict: str) -> None:
    assert sentences(pair(difference, p_corrected)) == [
        f"global against plain: accuracy {difference:+.3f} (95 % interval -0.031 to +0.250, "
        f"corrected p = {p_corrected:.4f}): {verdict}"
    ]


def printed(seeds: int, maps: pd.DataFrame) -> list[str]:
    rng = np.random.default_rng(2)
    fits = [(arm, seed) for arm in ("plain", "global") for seed in range(seeds)]
    rows = [
        (f"s{place}", arm, 0, seed, "ab"[place % 2], score, 1 - score)
        for arm, seed in fits
        for place, score in enumerate(rng.random(9))
    ]
    predictions = pd.DataFrame(rows, columns=["sample", "arm", "fold", "seed", "label", "p_a", "p_b"])
    groups = pd.Series({f"s{place}": "" for place in range(9)})
    summary = summary_table(results_table(predictions, ["a", "b"]))
    console = Console(file=io.StringIO(), width=130)
    print_comparison(Comparison(Path("[run]"), summary, compare_arms(predictions, groups), maps), console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def test_one_fit_has_no_sd_and_no_truth_no_table() -> None:
    lines = printed(1, pd.DataFrame(columns=["arm", "fold", "seed", "auc_before", "auc"]))
    assert "±" not in "".join(lines[1:])
    assert not any("truth" in line for line in lines)
    assert lines[-1] == "Everything is in [run]"


def test_scores_of_maps_are_means_over_fits() -> None:
    maps = pd.DataFrame({"arm": ["global"] * 2, "fold": 0, "seed": [0, 1], "auc_before": [0.4, 0.5], "auc": [0.8, 0.9]})
    lines = printed(2, maps)
    assert sum(" ± " in line for line in lines[1:]) == 3
    assert "│ global │           0.450 │ 0.850 ± 0.071 │" in lines
