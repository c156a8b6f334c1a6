"""The procedure of Xu et al. 2020, step by step, on recorded scores of every epoch and on a small run."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from foveola.comparison import compare
from foveola.comparison.compare import load_data
from foveola.protocol import RunConfiguration, RunFolder, plan
from foveola.reporting.paper_tables import write_paper_tables

Configure = Callable[..., RunConfiguration]
EPOCHS, FOLDS = 44, 3


def recorded(arm: str, fold: int) -> np.ndarray:
    """Accuracies of every epoch as a fit might have left them, in steps of 1/20 so that there are ties."""
    rng = np.random.default_rng([sum(map(ord, arm)), fold])
    return np.round(np.clip(np.linspace(0.4, 0.8, EPOCHS) + rng.normal(0, 0.1, EPOCHS), 0, 1) * 20) / 20


@pytest.fixture
def run(configure: Configure, tmp_path: Path) -> tuple[RunFolder, RunConfiguration, pd.DataFrame]:
    """A run folder with the histories of two arms, and the predictions of one that has no epochs."""
    options = {"protocol": "paper", "folds": FOLDS}
    configuration, data, _ = load_data(configure(["plain", "l1", "majority"], options))
    run = RunFolder(tmp_path)
    for fit in plan(configuration, data.splits):
        folder = run.fit(fit)
        folder.mkdir(parents=True)
        role = fit.watches
        history = pd.DataFrame({"epoch": range(1, EPOCHS + 1), f"{role}_accuracy": recorded(fit.arm, fit.fold)})
        history.to_csv(folder / "history.csv", index=False)
        if fit.arm == "majority":
            predictions = pd.DataFrame({"label": ["0", "1", "2", "0"], "p_0": 0.5, "p_1": 0.3, "p_2": 0.2})
            predictions.to_csv(folder / "predictions.csv", index=False)
    return run, configuration, data.splits


def by_hand(arm: str) -> list[float]:
    """The test accuracies of the 30 epochs with the highest sum over folds; the earlier one of equal ones."""
    sums = [sum(recorded(arm, fold)[epoch] for fold in range(1, FOLDS + 1)) for epoch in range(EPOCHS)]
    order = sorted(range(EPOCHS), key=lambda epoch: (-round(sums[epoch], 9), epoch))
    return [recorded(arm, 0)[epoch] for epoch in order[:30]]


def test_golden_on_recorded_scores(run: tuple[RunFolder, RunConfiguration, pd.DataFrame]) -> None:
    folder, configuration, splits = run
    tables = write_paper_tables(folder, plan(configuration, splits), configuration, splits)
    scores = tables.scores.set_index("arm")
    for arm in ("plain", "l1"):
        chosen = by_hand(arm)
        mean = math.fsum(chosen) / 30
        sd = math.sqrt(math.fsum((value - mean) ** 2 for value in chosen) / 29)
        assert scores.loc[arm, ["epochs", "mean", "sd"]].tolist() == pytest.approx([30, mean, sd], rel=1e-12)
    assert scores.loc["majority", "mean"] == 0.5
    assert (scores.loc["majority", "epochs"], scores.loc["majority", "note"]) == (0, "one fit without epochs")
    assert math.isnan(scores.loc["majority", "sd"])
    (pair,) = tables.comparisons.to_dict("records")
    assert (pair["arm_a"], pair["arm_b"], pair["seed"]) == ("plain", "l1", 0)
    assert pair["p_value"] == pytest.approx(stats.ttest_ind(by_hand("plain"), by_hand("l1")).pvalue, rel=1e-10)
    written = pd.read_csv(folder.path / "paper.csv")
    assert written["mean"].tolist() == pytest.approx(tables.scores["mean"].tolist(), rel=1e-8)
    assert (folder.path / "paper-comparisons.csv").is_file()


@pytest.mark.usefixtures("no_pictures")
def test_a_run_looks_at_the_test_images_after_every_epoch_of_one_fit(configure: Configure, tmp_path: Path) -> None:
    options = {"protocol": "paper", "folds": 2, "training.epochs": 3}
    result = compare(configure(["plain", "l1"], options), tmp_path / "run")
    assert result.paper is not None
    assert result.paper.scores["epochs"].tolist() == [3, 3]
    assert result.summary["fits"].tolist() == [1, 1]
    final = pd.read_csv(tmp_path / "run/fits/plain/0-0/history.csv")
    predictions = pd.read_csv(tmp_path / "run/predictions.csv", dtype={"label": str})
    own = predictions[predictions["arm"] == "plain"]
    right = own[["p_0", "p_1", "p_2"]].to_numpy().argmax(1) == own["label"].astype(int)
    assert final["test_accuracy"].iloc[-1] == pytest.approx(right.mean())
    ranked = pd.read_csv(tmp_path / "run/fits/plain/1-0/history.csv")
    assert "val_accuracy" in ranked
    assert not (tmp_path / "run/fits/plain/1-0/predictions.csv").exists()
    assert result.paper.scores["mean"].iloc[0] == pytest.approx(final["test_accuracy"].mean())
