"""The statistics of the paper that introduced global spatial attention, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from scipy import stats

from foveola.foundation.errors import FoveolaError
from foveola.statistics.hypothesis_tests.result import NOTHING

BEST_EPOCHS = 30
WARNINGS = (
    "Epochs of one run are not independent samples: they share training images, starting weights and most of their "
    "training, so the t-test over them finds differences between arms that differ by nothing but the seed.",
    "The standard deviation is that of epochs of one run; it says nothing of other seeds, training sets or patients.",
    "Each arm is trained once on one split, so a lucky seed or split cannot be told from a better arm.",
    "The test images are looked at after each of the chosen epochs, and no single model with the reported accuracy is "
    "handed over.",
    "Epochs are chosen for each arm by their rank in cross-validation, so the values of two arms are not measured at "
    "the same epochs.",
    "Accuracy alone favours the largest class where classes are unequal.",
    "p-values are not corrected for the number of arms compared.",
)
"""What a reader of these numbers has to know."""


@dataclass(frozen=True)
class PaperScore:
    """What the paper reports of an arm.

    Attributes:
        epochs: The chosen epochs, the best first.
        accuracies: Test accuracy of the final fit at each of them.
        mean: Mean of the accuracies.
        sd: Their sample standard deviation; NaN for one epoch.
        note: What was not as the paper has it, or the empty string.
    """

    epochs: tuple[int, ...]
    accuracies: tuple[float, ...]
    mean: float
    sd: float
    note: str


def best_epochs(ranking: pd.DataFrame, count: int = BEST_EPOCHS) -> list[int]:
    """Returns the epochs with the highest mean accuracy over the folds, the best first; of equal ones the earlier.

    Source: Xu et al. 2020, section 4.6: "the 30 epochs which were associated with the highest accuracy" in five-fold
    cross-validation on the training images. That epochs are ranked by their mean over folds is our reading. With fewer
    than ``count`` epochs all are returned. Means equal to the 12th digit are equal.

    Args:
        ranking: The columns ``fold``, ``epoch`` and ``accuracy`` (on the images left out), one row a fold and epoch.
        count: How many epochs to choose.

    Raises:
        FoveolaError: If the folds do not have the same epochs, or there is none.

    Example:
        >>> best_epochs(pd.DataFrame({"fold": 0, "epoch": [1, 2, 3], "accuracy": [0.7, 0.9, 0.9]}), 2)
        [2, 3]
    """
    table = ranking.pivot(index="epoch", columns="fold", values="accuracy").sort_index()
    if table.empty or table.isna().to_numpy().any():
        raise FoveolaError(
            "an accuracy of every epoch in every fold",
            f"{int(table.isna().to_numpy().sum())} missing of {table.size}",
            "the accuracies that rank the epochs",
            "train every fold for the same number of epochs",
        )
    means = table.mean(axis=1).round(12)
    return [int(epoch) for epoch in means.sort_values(ascending=False, kind="stable").index[:count]]


def paper_score(ranking: pd.DataFrame, final: pd.DataFrame, count: int = BEST_EPOCHS) -> PaperScore:
    """Returns the test accuracies of the one final fit at the epochs that cross-validation ranks best.

    Args:
        ranking: As `best_epochs` takes it.
        final: The columns ``epoch`` and ``accuracy`` (on the test images) of the fit on all training images.
        count: How many epochs to choose.

    Raises:
        FoveolaError: If the final fit lacks a chosen epoch, or for what `best_epochs` raises it.
    """
    epochs = best_epochs(ranking, count)
    tested = final.set_index("epoch")["accuracy"]
    if lacking := [epoch for epoch in epochs if epoch not in tested.index]:
        raise FoveolaError(
            "a test accuracy of each of the best epochs",
            f"none of epoch {lacking[0]}",
            "the final fit",
            "train it for as many epochs as the folds",
        )
    accuracies = tuple(float(tested[epoch]) for epoch in epochs)
    note = f"all {len(epochs)} epochs are used: there are fewer than {count}" if len(epochs) < count else ""
    sd = float(np.std(accuracies, ddof=1)) if len(accuracies) > 1 else float("nan")
    return PaperScore(tuple(epochs), accuracies, float(np.mean(accuracies)), sd, note)


def paper_t_test(first: Sequence[float] | np.ndarray, second: Sequence[float] | np.ndarray) -> float:
    """Returns the two-sided p-value of the paper's t-test between the accuracies of two arms; it is not valid.

    Source: Xu et al. 2020, section 4.6. Which t-test it was the paper does not say. Our reading is Student's for two
    samples with equal variances, as `scipy.stats.ttest_ind` does by default: values are not paired, for each arm has
    epochs of its own. Without spread p is 1 for equal means and 0 for others; with one epoch in each it is NaN.
    """
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if len(a) + len(b) < 3:
        return float("nan")
    if np.ptp(a) <= NOTHING and np.ptp(b) <= NOTHING:
        return float(abs(a.mean() - b.mean()) <= NOTHING)
    described = [(x.mean(), x.std(ddof=1) if len(x) > 1 else 0.0, len(x)) for x in (a, b)]
    return float(stats.ttest_ind_from_stats(*described[0], *described[1]).pvalue)  # says nothing of one without spread


def paper_comparisons(scores: dict[str, PaperScore]) -> pd.DataFrame:
    """Returns a row for every pair of arms: the difference of their means (second less first), and the paper's p-value.

    Read it beside ``WARNINGS``.
    """
    rows = [
        (a, b, scores[b].mean - scores[a].mean, paper_t_test(scores[a].accuracies, scores[b].accuracies))
        for a, b in combinations(scores, 2)
    ]
    return pd.DataFrame(rows, columns=["arm_a", "arm_b", "difference", "p_value"])
