"""The tables of the protocol ``paper``: what Xu et al. 2020 would report of a run, from the histories of its fits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from foveola.data.splits.repeated_splits import inner_numbers
from foveola.foundation import atomic
from foveola.protocol.planning.plan import PlannedFit
from foveola.protocol.run.run_folder import RunFolder
from foveola.protocol.settings.configuration import RunConfiguration
from foveola.statistics.tables.paper import PaperScore, paper_comparisons, paper_score

PAPER_SCORES, COMPARISONS = "paper.csv", "paper-comparisons.csv"


@dataclass(frozen=True)
class PaperTables:
    """What the paper reports; it is not valid, see `foveola.statistics.tables.paper.WARNINGS`.

    Attributes:
        scores: One row an arm and seed: ``mean`` and ``sd`` of the test accuracies at the best epochs, how many
            ``epochs`` that are, and a ``note``. An arm without epochs has one accuracy and no sd.
        comparisons: One row a pair of arms and seed: ``difference`` and ``p_value``.
    """

    scores: pd.DataFrame
    comparisons: pd.DataFrame


def write_paper_tables(
    run: RunFolder, planned: list[PlannedFit], configuration: RunConfiguration, splits: pd.DataFrame
) -> PaperTables:
    """Writes ``paper.csv`` and ``paper-comparisons.csv`` from the finished fits of a run, and returns them.

    Every fold of the training images ranks the epochs by its accuracy on the part that it leaves out; the test
    accuracies of the one fit on all training images are taken at the best of them.
    """
    by_seed: dict[int, dict[str, PaperScore]] = {}
    for fit in (fit for fit in planned if fit.tests):
        scores = by_seed.setdefault(fit.seed, {})
        if fit.watches == "val":  # an arm that has no epochs
            predictions = pd.read_csv(run.fit(fit) / "predictions.csv", dtype={"label": str}, keep_default_na=False)
            scores[fit.arm] = _without_epochs(predictions)
            continue
        folds = inner_numbers(fit.fold, splits, configuration.folds)
        ranking = [_history(run, PlannedFit(fit.arm, fold, fit.seed), "val").assign(fold=fold) for fold in folds]
        scores[fit.arm] = paper_score(pd.concat(ranking, ignore_index=True), _history(run, fit, "test"))
    rows = [
        (arm, seed, score.mean, score.sd, len(score.epochs), score.note)
        for seed, scores in by_seed.items()
        for arm, score in scores.items()
    ]
    table = pd.DataFrame(rows, columns=["arm", "seed", "mean", "sd", "epochs", "note"])
    pairs = pd.concat(
        [
            paper_comparisons({arm: score for arm, score in scores.items() if score.epochs}).assign(seed=seed)
            for seed, scores in by_seed.items()
        ],
        ignore_index=True,
    )
    atomic.write_csv(run.path / PAPER_SCORES, table)
    atomic.write_csv(run.path / COMPARISONS, pairs)
    return PaperTables(table, pairs)


def _history(run: RunFolder, fit: PlannedFit, role: str) -> pd.DataFrame:
    history = pd.read_csv(run.fit(fit) / "history.csv")
    return pd.DataFrame({"epoch": history["epoch"], "accuracy": history[f"{role}_accuracy"]})


def _without_epochs(predictions: pd.DataFrame) -> PaperScore:
    columns = [name for name in predictions.columns if name.startswith("p_")]
    predicted = np.array([name.removeprefix("p_") for name in columns])[predictions[columns].to_numpy().argmax(1)]
    accuracy = float((predicted == predictions["label"]).mean())
    return PaperScore((), (accuracy,), accuracy, float("nan"), "one fit without epochs")
