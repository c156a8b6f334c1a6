"""How often a test calls two arms different that are alike, and how often it finds a planted difference."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
from record import record
from scipy.stats import binomtest
from trained_pairs import trained_pairs

from foveola.statistics.hypothesis_tests.delong import influence_test
from foveola.statistics.hypothesis_tests.fold_tests import nadeau_bengio, obuchowski_rockette, paired_t
from foveola.statistics.hypothesis_tests.result import TestResult
from foveola.statistics.metrics.roc import auc, auc_influences

TRIALS = 1_500
FEATURES = 6
SIGNAL = 0.6
PLANTED = 0.3
LEVEL = 0.05
PAIRS, WORKERS = 40, 2

Labels = np.ndarray
Images = tuple[np.ndarray, Labels]
Plan = Iterator[tuple[np.ndarray, np.ndarray]]
Design = Callable[[np.random.Generator], tuple[int, Plan]]


def draw_images(count: int, gain: float, rng: np.random.Generator) -> Images:
    """Draws images of two classes with a block of features for each arm, that of the second richer by ``gain``.

    Both blocks carry the same signal for a gain of 0: the arms are alike over all data sets that could be drawn, and
    differ on each by chance, alike in all folds that share its images. That is what a valid test has to bear.
    """
    labels = rng.permutation(np.arange(count) % 2)
    means = (2 * labels[:, None] - 1) * np.repeat([SIGNAL, SIGNAL + gain], FEATURES)
    return means / 2 + rng.normal(size=(count, 2 * FEATURES)), labels


def scores(images: Images, train: np.ndarray, test: np.ndarray, arm: int, rng: np.random.Generator) -> np.ndarray:
    """Trains the classifier of the nearer class mean on the block of one arm; returns the scores of test images.

    It starts from a random choice of half the features: what a seed is to a network.
    """
    features, labels = images
    block = features[:, arm * FEATURES + rng.permutation(FEATURES)[: FEATURES // 2]]
    first, second = (block[train][labels[train] == k].mean(0) for k in (0, 1))
    return (block[test] - (first + second) / 2) @ (second - first)


def folds(count: int, parts: int, repeats: int) -> Design:
    """Deals images into parts that are tested on in turn, anew for each repeat."""

    def plan(rng: np.random.Generator) -> Plan:
        for _ in range(repeats):
            part = rng.permutation(np.arange(count) % parts)
            yield from ((np.flatnonzero(part != k), np.flatnonzero(part == k)) for k in range(parts))

    return lambda rng: (count, plan(rng))


def draws(pool: int, size: int, tested: int, number: int) -> Design:
    """Draws training sets out of a pool, all tested on the same images; a whole pool leaves the seed to vary."""

    def plan(rng: np.random.Generator) -> Plan:
        for _ in range(number):
            yield rng.permutation(pool)[:size], np.arange(pool, pool + tested)

    return lambda rng: (pool + tested, plan(rng))


DESIGNS: dict[str, Design] = {
    "5 folds of 100 images": folds(100, 5, 1),
    "5 folds of 100 images, twice": folds(100, 5, 2),
    "1 training set of 80, 200 tested on": draws(80, 80, 200, 1),
    "1 training set of 80, 3 seeds, 200 tested on": draws(80, 80, 200, 3),
    "5 draws of 30 out of 240, 200 tested on": draws(240, 30, 200, 5),
    "5 draws of 200 out of 240, 200 tested on": draws(240, 200, 200, 5),
}


def trial(design: Design, gain: float, rng: np.random.Generator) -> dict[str, TestResult]:
    """Draws one data set, trains both arms on each fold, and applies every test to their areas under the ROC curve."""
    count, plan = design(rng)
    images = draw_images(count, gain, rng)
    gains, moved, sizes, tests = [], [], [], set()
    for train, test in plan:
        labels, ones = images[1][test], np.ones((len(test), 1))
        both = [np.stack([-s, s], 1) for s in (scores(images, train, test, arm, rng) for arm in (0, 1))]
        areas = [float(auc(labels, p, ones, [1])[0]) for p in both]
        gains.append(areas[1] - areas[0])
        sizes.append((len(train), len(test)))
        first, second = (auc_influences(labels, p, [1], np.arange(len(test))) for p in both)
        moved.append(second - first)
        tests.add(test.tobytes())
    if len(gains) == 1:
        return {"DeLong": influence_test(gains[0], moved[0])}
    train_size, test_size = np.mean(sizes, axis=0)
    differences = np.array(gains)
    found = {"naive t": paired_t(differences), "Nadeau-Bengio t": nadeau_bengio(differences, train_size, test_size)}
    if len(tests) == 1:
        found["DeLong"] = influence_test(float(differences.mean()), np.mean(moved, axis=0))
        products = np.array(moved) @ np.array(moved).T
        shared = (products.sum() - np.trace(products)) / (len(gains) * (len(gains) - 1))
        found["Obuchowski-Rockette t"] = obuchowski_rockette(differences, float(shared))
    return found


def simulated(trials: int = TRIALS, seed: int = 0) -> pd.DataFrame:
    """Returns, for each design and test, the share of p-values up to 0.05 without and with a planted difference.

    Beside each share stands its exact 95 % binomial interval (Clopper-Pearson); ``planted`` is the mean difference.
    """
    rows = []
    for title, design in DESIGNS.items():
        found = [
            [trial(design, gain, np.random.default_rng([seed, k])) for k in range(trials)] for gain in (0.0, PLANTED)
        ]
        planted = math.fsum(next(iter(each.values())).difference for each in found[1]) / trials
        for test in found[0][0]:
            row: dict[str, object] = {"design": title, "test": test}
            for name, findings in zip(("false_alarms", "power"), found, strict=True):
                count = sum(each[test].p_value <= LEVEL for each in findings)
                interval = binomtest(count, trials).proportion_ci(0.95, "exact")
                row |= {name: count / trials, f"{name}_low": interval.low, f"{name}_high": interval.high}
            rows.append({**row, "planted": planted})
    return pd.DataFrame(rows)


def trained(pairs: int = PAIRS, workers: int = WORKERS) -> pd.DataFrame:
    """Returns, for each way to compare, the share of really trained pairs of alike arms with a p-value up to 0.05."""
    values = trained_pairs(pairs, workers)
    rows = []
    for name in values:
        known = values[name].dropna()
        count = int((known <= LEVEL).sum())
        interval = binomtest(count, len(known)).proportion_ci(0.95, "exact")
        rows.append(
            {
                "test": name,
                "pairs": len(known),
                "false_alarms": count / len(known),
                "false_alarms_low": interval.low,
                "false_alarms_high": interval.high,
            }
        )
    return pd.DataFrame(rows)


def main() -> None:
    record("false_alarms_simulated", simulated(), f"Two arms that are alike, {TRIALS} data sets: p up to 0.05")
    record("false_alarms_trained", trained(), "Pairs of CNNs that differ in their seeds alone: p up to 0.05")


if __name__ == "__main__":
    main()
