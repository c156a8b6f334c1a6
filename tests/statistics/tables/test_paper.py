"""The paper's procedure on recorded scores, step by step, and how often it errs."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from foveola.foundation.errors import FoveolaError
from foveola.statistics.tables.paper import WARNINGS, best_epochs, paper_comparisons, paper_score, paper_t_test


def ranking(values: list[list[float]]) -> pd.DataFrame:
    """Validation accuracies, a list a fold, of epochs counted from 1, in no particular order."""
    rows = [(fold, epoch, value) for fold, own in enumerate(values) for epoch, value in enumerate(own, start=1)]
    return pd.DataFrame(rows, columns=["fold", "epoch", "accuracy"]).sample(frac=1, random_state=2)


def final(values: list[float]) -> pd.DataFrame:
    return pd.DataFrame({"epoch": range(1, len(values) + 1), "accuracy": values})


def test_the_procedure_by_hand() -> None:
    folds = [[0.5, 0.7, 0.6, 0.9], [0.7, 0.7, 0.8, 0.7]]  # means 0.6, 0.7, 0.7, 0.8
    score = paper_score(ranking(folds), final([0.1, 0.2, 0.4, 0.8]), count=3)
    assert score.epochs == (4, 2, 3)
    assert score.accuracies == (0.8, 0.2, 0.4)
    assert score.mean == pytest.approx(1.4 / 3)
    assert score.sd == pytest.approx(
        math.sqrt(((0.8 - 1.4 / 3) ** 2 + (0.2 - 1.4 / 3) ** 2 + (0.4 - 1.4 / 3) ** 2) / 2)
    )
    assert score.note == ""


def test_thirty_of_many_epochs_are_chosen_without_a_look_at_the_test_images() -> None:
    rng = np.random.default_rng(3)
    folds = rng.integers(0, 21, (5, 70)) / 20
    chosen = best_epochs(ranking(folds.tolist()))
    means = [sum(round(20 * folds[f, e]) for f in range(5)) for e in range(70)]
    assert chosen == [e + 1 for e in sorted(range(70), key=lambda e: (-means[e], e))[:30]]
    one, other = (paper_score(ranking(folds.tolist()), final(rng.random(70).tolist())) for _ in range(2))
    assert one.epochs == other.epochs
    assert one.accuracies != other.accuracies


def test_fewer_epochs_are_all_used_and_this_is_said() -> None:
    score = paper_score(ranking([[0.5, 0.7], [0.6, 0.7]]), final([0.3, 0.4]))
    assert score.epochs == (2, 1)
    assert score.note == "all 2 epochs are used: there are fewer than 30"
    assert math.isnan(paper_score(ranking([[0.5]]), final([0.3])).sd)


def test_epochs_that_are_missing_are_an_error() -> None:
    with pytest.raises(FoveolaError, match="1 missing of 4"):
        best_epochs(ranking([[0.5, 0.7], [0.6]]))
    with pytest.raises(FoveolaError, match="none of epoch 2"):
        paper_score(ranking([[0.5, 0.7]]), final([0.3]))
    with pytest.raises(FoveolaError, match="an accuracy of every epoch"):
        best_epochs(ranking([]))


def test_the_t_test_is_students_for_two_samples() -> None:
    a, b = [0.70, 0.72, 0.71, 0.75], [0.74, 0.76, 0.73]
    ma, mb = sum(a) / 4, sum(b) / 3
    pooled = (sum((x - ma) ** 2 for x in a) + sum((x - mb) ** 2 for x in b)) / 5
    t = (mb - ma) / math.sqrt(pooled * (1 / 4 + 1 / 3))
    assert paper_t_test(a, b) == pytest.approx(2 * stats.t.sf(abs(t), 5), abs=1e-12)
    assert paper_t_test(a, b) == pytest.approx(paper_t_test(b, a), abs=1e-15)


def test_the_t_test_without_spread() -> None:
    assert paper_t_test([0.5, 0.5], [0.5, 0.5]) == 1
    assert paper_t_test([0.5, 0.5], [0.6, 0.6]) == 0
    assert math.isnan(paper_t_test([0.5], [0.6]))


def test_one_row_a_pair() -> None:
    scores = {
        name: paper_score(ranking([[0.5, 0.7, 0.6]]), final([x, x + 0.02, x + 0.05]), count=2)
        for name, x in (("plain", 0.5), ("l1", 0.51), ("global", 0.6))
    }
    table = paper_comparisons(scores)
    assert table[["arm_a", "arm_b"]].values.tolist() == [["plain", "l1"], ["plain", "global"], ["l1", "global"]]
    assert table["difference"].tolist() == pytest.approx([0.01, 0.1, 0.09])
    assert table["p_value"].iloc[1] == paper_t_test(scores["plain"].accuracies, scores["global"].accuracies)


def test_it_finds_differences_between_runs_that_differ_by_chance_only() -> None:
    """Runs whose level is drawn once and whose epochs wander around it, as those of two seeds do."""
    rng, alarms = np.random.default_rng(4), 0
    for _ in range(100):
        runs = rng.normal(0.8, 0.02, (2, 1)) + rng.normal(0, 0.01, (2, 30))
        alarms += paper_t_test(runs[0], runs[1]) <= 0.05
    assert alarms > 60
    assert any("not independent" in warning for warning in WARNINGS)
    assert any("looked at" in warning for warning in WARNINGS)
