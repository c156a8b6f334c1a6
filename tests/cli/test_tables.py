from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from foveola.cli.tables import TITLES, print_comparison, sentences
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
    lines = printed(1, pd.DataFrame(columns=["arm", "fold", "seed", "auc_before", "auc", "auc_images"]))
    assert "±" not in "".join(lines[1:])
    assert not any("truth" in line for line in lines)
    assert lines[-1] == "Everything is in [run]"


def test_of_many_pairs_those_with_the_first_arm_are_printed() -> None:
    arms = ["plain", *"abcde"]
    rows = [pair(0.1, 1.0).assign(arm_a=a, arm_b=b) for i, a in enumerate(arms) for b in arms[i + 1 :]]
    console = Console(file=io.StringIO(), width=130)
    summary = pd.DataFrame({name: [0.5] for title in TITLES for name in (title, f"{title}_sd")} | {"fits": [1]})
    print_comparison(Comparison(Path("run"), summary, pd.concat(rows), pd.DataFrame()), console)
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    assert sum("against plain" in line for line in lines) == 5
    assert sum(" against " in line for line in lines) == 5
    assert "10 more pairs are in comparisons.csv" in lines


def test_scores_of_maps_are_means_over_fits() -> None:
    scores = {"auc_before": [0.4, 0.5], "auc": [0.8, 0.9], "auc_images": [0.6, 0.8]}
    maps = pd.DataFrame({"arm": ["global"] * 2, "fold": 0, "seed": [0, 1], **scores})
    lines = printed(2, maps)
    assert sum(" ± " in line for line in lines[1:]) == 3
    assert "│ global │           0.450 │ 0.850 ± 0.071 │ 0.700 ± 0.141 │" in lines
