"""What the comparison of two arms says, in a sentence that claims no more than its row."""

from __future__ import annotations

from typing import Any

import pandas as pd

from foveola.statistics.hypothesis_tests.pair_tests import (
    BOOTSTRAP,
    DELONG,
    MCNEMAR,
    NADEAU_BENGIO,
    OBUCHOWSKI_ROCKETTE,
    SIGN_FLIPS,
    SPEAKS_ABOUT,
    WILCOXON,
)
from foveola.statistics.hypothesis_tests.result import LEVEL, NOTHING
from foveola.statistics.metrics.metric_sets import lower_is_better

TITLES = {
    "macro_auc": "macro AUC",
    "macro_f1": "macro F1",
    "brier": "Brier score",
    "medmnist_auc": "MedMNIST AUC",
    "medmnist_acc": "MedMNIST ACC",
    "dice": "Dice",
    "jaccard": "Jaccard index",
    "hd95": "HD95",
    "surface_distance": "mean surface distance",
    "auc": "AUC",
    "boundary_dice": "boundary Dice",
}
"""Names of metrics that are not their own with blanks for underscores."""
EVIDENCE = {
    NADEAU_BENGIO: "Nadeau-Bengio t over {folds} folds",
    OBUCHOWSKI_ROCKETTE: "Obuchowski-Rockette t over {fits} fits an arm",
    WILCOXON: "Wilcoxon's signed ranks over {folds} folds",
    DELONG: "DeLong's test over {groups} groups of images",
    SIGN_FLIPS: "sign flips over {groups} groups of images",
    MCNEMAR: "McNemar's exact test over {groups} images",
    BOOTSTRAP: "bootstrap over {groups} groups of images",
}


def metric_title(metric: str) -> str:
    """Returns what a person calls a metric.

    Example:
        >>> metric_title("macro_auc"), metric_title("balanced_accuracy")
        ('macro AUC', 'balanced accuracy')
    """
    return TITLES.get(metric, metric.replace("_", " "))


def sentences(comparisons: pd.DataFrame) -> list[str]:
    """Says of each pair of arms, by its primary test, what was found, how sure, and whether it could have been found.

    Better or worse is said only if the corrected p-value is at most 0.05, and with whom or what the p-value speaks
    about. Where nothing is shown, the difference that could have been found is named.

    Args:
        comparisons: Rows of ``comparisons.csv``; those that are not primary are skipped.

    Example:
        >>> row = {"train_size": 90, "arm_a": "plain", "arm_b": "global", "metric": "macro_auc",
        ...     "test": "Nadeau-Bengio t", "primary": True, "difference": 0.004, "ci_low": -0.01, "ci_high": 0.018,
        ...     "p_value": 0.53, "p_corrected": 0.53, "detectable": 0.019, "fits": 10, "folds": 10, "groups": 100}
        >>> print(sentences(pd.DataFrame([row]))[0])
        global against plain: macro AUC +0.004 (95 % interval -0.010 to +0.018, Nadeau-Bengio t over 10 folds,
        Holm-corrected p = 0.53): no difference shown. A true difference of 0.019 would have been found here with 80 %
        power; smaller ones may be missed.
    """
    shown = comparisons[comparisons["primary"].astype(bool)]
    many = shown["train_size"].nunique() > 1
    return [_sentence({str(key): value for key, value in row.items()}, many) for row in shown.to_dict("records")]


def _sentence(row: dict[str, Any], many: bool) -> str:
    title = metric_title(row["metric"])
    place = f"with {row['train_size']} training images, " if many else ""
    subject = f"{place}{row['arm_b']} against {row['arm_a']}: {title}"
    if pd.isna(row["difference"]):
        return f"{subject} is not defined in any fit that both arms have: nothing can be said."
    if pd.isna(row["p_value"]):
        return f"{subject} {row['difference']:+.3f}, which the data do not suffice to test: nothing can be said."
    evidence = EVIDENCE[row["test"]].format(**row)
    facts = f"{_interval(row)}{evidence}, Holm-corrected {_p(row['p_corrected'])}"
    return f"{subject} {row['difference']:+.3f} ({facts}): {_verdict(row)}{_could_have(row)}"


def _interval(row: dict[str, Any]) -> str:
    if pd.isna(row["ci_low"]):
        return ""
    return f"95 % interval {row['ci_low']:+.3f} to {row['ci_high']:+.3f}, "


def _verdict(row: dict[str, Any]) -> str:
    without_spread = not pd.isna(row["ci_low"]) and row["ci_high"] - row["ci_low"] <= NOTHING
    if without_spread and abs(row["difference"]) > NOTHING:
        return "the same wherever it was measured, so its spread cannot be seen and nothing can be said of chance."
    if row["p_corrected"] > LEVEL:
        return "no difference shown."
    better = (row["difference"] > 0) != lower_is_better(row["metric"])
    return f"{'better' if better else 'worse'}, as far as this speaks about {SPEAKS_ABOUT[row['test']]}."


def _could_have(row: dict[str, Any]) -> str:
    if row["p_corrected"] <= LEVEL or pd.isna(row["detectable"]):
        return ""
    return (
        f" A true difference of {row['detectable']:.3f} would have been found here with 80 % power; "
        "smaller ones may be missed."
    )


def _p(p_value: float) -> str:
    return f"p = {p_value:.3g}" if p_value >= 0.0001 else "p < 0.0001"
