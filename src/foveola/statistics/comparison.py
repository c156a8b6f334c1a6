"""Pairs of arms on the same test images."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
from statsmodels.stats.multitest import multipletests

RESAMPLES = 5_000
CHUNK = 2**22
"""How many draws are held at a time."""
TEST = "sign flips over groups"
COLUMNS = (
    "arm_a", "arm_b", "metric", "difference", "ci_low", "ci_high", "test", "p_value", "p_corrected", "effect_size",
    "groups",
)  # fmt: skip


def compare_arms(predictions: pd.DataFrame, groups: pd.Series[str], *, seed: int = 0) -> pd.DataFrame:
    """Returns, for every pair of arms, the difference of their accuracies and how sure it is.

    An image counts with the share of its fits that got it right, and the images of a group (a patient) count together,
    because they are not independent. The interval is the 95 % percentile bootstrap over groups; the p-value that of
    the exact hypothesis that the two arms may be swapped within each group, by random sign flips; the correction Holm's
    over all pairs; the effect size the mean difference of a group over its sd. All hold for the fits at hand: they say
    whether other patients would show the difference, not whether other seeds or training sets would.

    Args:
        predictions: Rows of ``predictions.csv``: every arm on the same images with the same folds and seeds.
        groups: Group of each sample, indexed by sample; the empty string for a group of its own.
        seed: Of the resamples.

    Example:
        >>> labels, better = ["a", "b"] * 20, ["a", "b"] * 20
        >>> rows = [("s%d" % i, arm, 0, 0, label, float(label == "a") if arm == "good" else 0.9)
        ...     for arm in ("poor", "good") for i, label in enumerate(labels)]
        >>> table = pd.DataFrame(rows, columns=["sample", "arm", "fold", "seed", "label", "p_a"]).assign(
        ...     p_b=lambda t: 1 - t.p_a)
        >>> compare_arms(table, pd.Series({"s%d" % i: "" for i in range(40)})).difference.item()
        0.5
    """
    columns = [name for name in predictions.columns if name.startswith("p_")]
    predicted = np.array([name.removeprefix("p_") for name in columns])[predictions[columns].to_numpy().argmax(1)]
    scored = predictions.assign(correct=(predicted == predictions["label"]).astype(float))
    by_image = scored.pivot_table(index="sample", columns="arm", values="correct", sort=False)
    known = groups.reindex(by_image.index)
    group = known.where(known != "", "image " + by_image.index.to_series())
    sums = by_image.groupby(group.to_numpy(), sort=False).sum()
    sizes = by_image.groupby(group.to_numpy(), sort=False).size().to_numpy()
    arms = list(predictions["arm"].unique())
    rows = [
        (a, b, "accuracy", *_difference((sums[b] - sums[a]).to_numpy(), sizes, np.random.default_rng([seed, pair])))
        for pair, (a, b) in enumerate(combinations(arms, 2))
    ]
    table = pd.DataFrame(rows, columns=[name for name in COLUMNS if name != "p_corrected"])
    corrected = multipletests(table["p_value"], method="holm")[1] if len(table) else []
    table.insert(COLUMNS.index("p_corrected"), "p_corrected", corrected)
    return table


def _difference(
    differences: np.ndarray, sizes: np.ndarray, rng: np.random.Generator
) -> tuple[float, float, float, str, float, float, int]:
    """Returns difference, interval, test, p-value, effect size and the number of groups."""
    observed = differences.sum() / sizes.sum()
    resampled, flipped = np.empty(RESAMPLES), np.empty(RESAMPLES)
    chunk = max(1, CHUNK // len(sizes))
    for start in range(0, RESAMPLES, chunk):  # in parts: memory does not grow with groups x resamples
        part = slice(start, min(start + chunk, RESAMPLES))
        chosen = rng.integers(0, len(sizes), (part.stop - start, len(sizes)))
        resampled[part] = differences[chosen].sum(1) / sizes[chosen].sum(1)
        flipped[part] = rng.choice([-1.0, 1.0], chosen.shape) @ differences / sizes.sum()
    low, high = np.quantile(resampled, [0.025, 0.975])
    extreme = np.count_nonzero(np.abs(flipped) >= abs(observed) - 1e-12)
    p_value = (extreme + 1) / (RESAMPLES + 1)
    sd = differences.std(ddof=1) if len(differences) > 1 else 0.0
    effect = float(differences.mean() / sd) if sd else 0.0
    return float(observed), float(low), float(high), TEST, p_value, effect, len(sizes)
