from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import Console

from foveola.cli.tables import TITLES, print_comparison, print_forecast
from foveola.comparison import Comparison
from foveola.comparison.forecast import Forecast
from foveola.protocol import read_configuration
from foveola.reporting.paper_tables import PaperTables
from foveola.statistics import compare_arms, results_table, summary_table
from foveola.statistics.tables.paper import WARNINGS


def pair(a: str, b: str, *, primary: bool = True) -> dict[str, object]:
    return {
        "train_size": 90,
        "arm_a": a,
        "arm_b": b,
        "metric": "macro_auc",
        "test": "Nadeau-Bengio t",
        "primary": primary,
        "difference": 0.1,
        "ci_low": -0.1,
        "ci_high": 0.3,
        "p_value": 0.4,
        "p_corrected": 1.0,
        "detectable": 0.2,
        "fits": 10,
        "folds": 10,
        "groups": 90,
    }


def shown(print_it: Callable[[Console], None]) -> list[str]:
    console = Console(file=io.StringIO(), width=130)
    print_it(console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def printed(seeds: int, maps: pd.DataFrame) -> list[str]:
    rng = np.random.default_rng(2)
    fits = [(arm, seed) for arm in ("plain", "global") for seed in range(seeds)]
    rows = [
        (f"s{place}", arm, 0, seed, "ab"[place % 2], score, 1 - score)
        for arm, seed in fits
        for place, score in enumerate(rng.random(9))
    ]
    predictions = pd.DataFrame(rows, columns=["sample", "arm", "fold", "seed", "label", "p_a", "p_b"])
    splits = pd.DataFrame({"sample": [f"s{place}" for place in range(9)], "group": "", "fold": 0, "role": "test"})
    summary = summary_table(results_table(predictions, ["a", "b"]))
    comparison = Comparison(Path("[run]"), summary, compare_arms(predictions, splits, ["a", "b"]), maps)
    return shown(lambda console: print_comparison(comparison, console))


def test_one_fit_has_no_sd_and_no_truth_no_table() -> None:
    lines = printed(1, pd.DataFrame(columns=["arm", "fold", "seed", "auc_before", "auc", "auc_images"]))
    assert "±" not in "".join(lines[1:])
    assert not any("truth" in line for line in lines)
    assert lines[-1] == "Everything is in [run]"


def test_of_many_pairs_those_with_the_first_arm_are_printed() -> None:
    arms = ["plain", *"abcde"]
    pairs = [(a, b) for i, a in enumerate(arms) for b in arms[i + 1 :]]
    rows = [pair(a, b, primary=primary) for a, b in pairs for primary in (True, False)]
    summary = pd.DataFrame({name: [0.5] for title in TITLES for name in (title, f"{title}_sd")} | {"fits": [1]})
    comparison = Comparison(Path("run"), summary, pd.DataFrame(rows), pd.DataFrame())
    lines = shown(lambda console: print_comparison(comparison, console))
    assert sum("against plain" in line for line in lines) == 5
    assert sum(" against " in line for line in lines) == 5
    assert "10 more pairs are in comparisons.csv" in lines


def test_a_learning_curve_has_a_column_a_size() -> None:
    curve = pd.DataFrame(
        {
            "arm": ["plain", "plain", "global"],
            "train_size": [50, 1200, 1200],
            "mean": [0.5, 0.75, 0.8],
            "ci_low": [0.25, 0.7, np.nan],
            "ci_high": [0.75, 0.8, np.nan],
            "fits": 3,
        }
    )
    comparison = Comparison(Path("run"), pd.DataFrame(), pd.DataFrame([pair("plain", "global")]), pd.DataFrame(), curve)
    lines = shown(lambda console: print_comparison(comparison, console))
    assert any("50" in line and "1,200" in line for line in lines)
    assert any("0.500 (0.250 to 0.750) │ 0.750 (0.700 to 0.800)" in line for line in lines)
    assert any(line.startswith("│ global │") and "0.800 │" in line for line in lines)


def test_the_paper_is_printed_with_what_is_wrong_with_it() -> None:
    scores = pd.DataFrame(
        {"arm": ["plain", "svm"], "seed": 0, "mean": [0.8, 0.7], "sd": [0.02, np.nan], "epochs": [30, 0]}
    )
    pairs = pd.DataFrame({"arm_a": ["plain"], "arm_b": ["l1"], "difference": [0.05], "p_value": [1e-9], "seed": [0]})
    summary = pd.DataFrame({"fits": [1], "accuracy": [0.5], "accuracy_sd": [np.nan]}, index=["plain"])
    paper = PaperTables(scores, pairs)
    comparison = Comparison(Path("run"), summary, pd.DataFrame([pair("plain", "l1")]), pd.DataFrame(), None, paper)
    lines = shown(lambda console: print_comparison(comparison, console))
    text = "\n".join(lines)
    assert "0.800 ± 0.020" in text
    assert "l1 against plain, seed 0: accuracy +0.050, t-test over epochs p = 1e-09" in text
    assert all(f"- {warning}" in lines for warning in WARNINGS)


def test_a_forecast_says_how_long_and_what_it_does_not_know() -> None:
    rows = [("plain", "is tested", 12, "50-1,200", "0", "383", 7200.0), ("svm", "is tested", 3, "9", "0", "2", np.nan)]
    columns = ["arm", "purpose", "fits", "train", "validate", "test", "seconds"]
    expected = Forecast(pd.DataFrame(rows, columns=columns))
    configuration = read_configuration(options={"data": "digits", "arms": ["plain", "svm"]})
    lines = shown(lambda console: print_forecast(expected, configuration, 2, console))
    assert lines[-1] == (
        "15 fits, about 1 h 00 min with 2 workers, without the arms whose time is not known. "
        "Nothing was fitted or written."
    )
    assert any("50-1,200" in line and "2 h 00 min" in line for line in lines)
    assert any("svm" in line and "not known" in line for line in lines)


def test_scores_of_maps_are_means_over_fits() -> None:
    scores = {"auc_before": [0.4, 0.5], "auc": [0.8, 0.9], "auc_images": [0.6, 0.8]}
    maps = pd.DataFrame({"arm": ["global"] * 2, "fold": 0, "seed": [0, 1], **scores})
    lines = printed(2, maps)
    assert sum(" ± " in line for line in lines[1:]) == 3
    assert "│ global │           0.450 │ 0.850 ± 0.071 │ 0.700 ± 0.141 │" in lines
