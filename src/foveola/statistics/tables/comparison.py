"""Pairs of arms: what they differ by, how sure it is, and what could have been seen.

The tests, each described in its function; what their p-values speak about is in `pair.SPEAKS_ABOUT`:

- over folds `nadeau_bengio`, the primary test of folds that have test sets of their own, and `wilcoxon`;
- on one test set, over draws of the training set, or over seeds if there is one draw, `obuchowski_rockette`: the
  primary test of several draws (a learning curve);
- over images, for the fits at hand: `delong` for areas, `sign_flips` for means over images (their interval is that of
  the bootstrap), `mcnemar` where every image is independent and has one prediction an arm (its difference weighs images
  alike, not folds), and the `paired_bootstrap` for every metric. With one fold the first of them that suits the metric
  is the primary test.

Of draws on one test set `nadeau_bengio` is given for comparison only: its term ``test_size / train_size`` stands for
what folds of one set share. Here draws share the test set whatever its size, so it finds next to nothing after training
on few images, and gives false alarms after training on many where seeds make little difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from foveola.foundation.errors import unknown_name
from foveola.statistics.fit_scores import Design, Fit, read_design, read_fits
from foveola.statistics.hypothesis_tests.bootstrap import RESAMPLES, resampled_metrics
from foveola.statistics.hypothesis_tests.corrections import benjamini_hochberg, holm
from foveola.statistics.hypothesis_tests.pair_tests import MetricData, compare_pair, group_parts, primary_test
from foveola.statistics.hypothesis_tests.power import detectable_difference
from foveola.statistics.hypothesis_tests.result import LEVEL
from foveola.statistics.metrics.metric import Metric
from foveola.statistics.metrics.metric_sets import PRIMARY, metric_set

COMPARISON_COLUMNS = (
    "train_size",
    "arm_a",
    "arm_b",
    "metric",
    "test",
    "primary",
    "difference",
    "ci_low",
    "ci_high",
    "p_value",
    "p_corrected",
    "q_value",
    "effect_size",
    "detectable",
    "fits",
    "folds",
    "groups",
)


def compare_arms(
    predictions: pd.DataFrame,
    splits: pd.DataFrame,
    classes: Sequence[str],
    *,
    metrics: str = "default",
    ordered: bool = False,
    primary: str | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> pd.DataFrame:
    """Returns the rows of ``comparisons.csv``: one for every pair of arms, metric and test that the design allows.

    The difference is that of the second arm less the first: the mean over folds of the means over seeds. Only folds and
    seeds that both arms have, and in which the metric is defined for both, are used; ``fits`` counts them in each arm.
    A training size that is repeated on the same test images has rows of its own (a learning curve); otherwise
    ``train_size`` is the mean over folds. `fits.Design.families` says when sizes are alike. Which tests there are, and
    which is the primary one, stands at the top of this module.

    ``p_corrected`` (Holm) and ``q_value`` (Benjamini-Hochberg) are over the pairs within a training size, metric and
    test. ``detectable`` is the true difference that would have been found with 80 % power at the level that the
    strictest of these corrected tests has, 0.05 over the number of pairs, for tests that have a standard error.

    Args:
        predictions: Rows of ``predictions.csv``.
        splits: Rows of ``splits.csv``.
        classes: Names of the classes, in order.
        metrics: Name of the set of metrics, as in `metric_set`.
        ordered: Whether the classes are grades.
        primary: The metric of the verdict, that of the set in `metrics.PRIMARY` if not given. In the column
            ``primary`` one row of each pair is true: this metric with its primary test.
        resamples: How often the groups are drawn.
        seed: Of draws and signs.

    Raises:
        FoveolaError: If the tables do not belong together, or the primary metric is not in the set.

    Example:
        >>> labels = ["a", "b"] * 20
        >>> rows = [("s%d" % i, arm, 0, 0, label, float(label == "a") if arm == "good" else 0.9)
        ...     for arm in ("poor", "good") for i, label in enumerate(labels)]
        >>> table = pd.DataFrame(rows, columns=["sample", "arm", "fold", "seed", "label", "p_a"]).assign(
        ...     p_b=lambda t: 1 - t.p_a)
        >>> splits = pd.DataFrame({"sample": table["sample"].unique(), "group": "", "fold": 0, "role": "test"})
        >>> pairs = compare_arms(table, splits, ["a", "b"], primary="accuracy")
        >>> pairs[pairs.primary][["test", "difference"]].values.tolist()
        [['sign flips over groups', 0.5]]
    """
    design = read_design(splits)
    fits = read_fits(predictions, design, classes, metrics)
    chosen = metric_set(metrics, ordered=ordered)
    main = primary or PRIMARY[metrics]
    if main not in chosen:
        raise unknown_name("metric", main, chosen, "the primary metric")
    tables = [
        _compare_family(size, [fit for fit in fits if fit.fold in folds], design, chosen, main, resamples, seed)
        for size, folds in design.families({fit.fold for fit in fits})
    ]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=list(COMPARISON_COLUMNS))


def _compare_family(
    size: int,
    fits: list[Fit],
    design: Design,
    metrics: dict[str, Metric],
    main: str,
    resamples: int,
    seed: int,
) -> pd.DataFrame:
    """Returns the rows of the folds that answer one question together."""
    resampled = resampled_metrics(fits, list(metrics.values()), design, resamples=resamples, seed=seed)
    folds = sorted({fit.fold for fit in fits})
    rows = []
    data = {
        name: MetricData(
            metric,
            np.array([metric(fit.labels, fit.scores) for fit in fits]),
            resampled[:, place],
            group_parts(fits, metric, design),
        )
        for place, (name, metric) in enumerate(metrics.items())
    }
    places: dict[str, dict[tuple[int, int], int]] = {}
    for place, fit in enumerate(fits):
        places.setdefault(fit.arm, {})[fit.fold, fit.seed] = place
    for a, b in combinations(places, 2):
        shared = sorted(places[a].keys() & places[b].keys())
        first, second = (np.array([places[arm][key] for key in shared], dtype=np.int64) for arm in (a, b))
        for name, metric in metrics.items():
            best = primary_test(design, folds, metric)
            pair = compare_pair(fits, first, second, data[name], design, primary=best, seed=seed)
            for test, found in pair.findings.items():
                rows.append(
                    {
                        "train_size": size,
                        "arm_a": a,
                        "arm_b": b,
                        "metric": name,
                        "test": test,
                        "primary": name == main and test == best,
                        **vars(found),
                        "fits": pair.fits,
                        "folds": pair.folds,
                        "groups": pair.groups,
                    }
                )
    return _corrected(pd.DataFrame(rows)) if rows else pd.DataFrame(columns=list(COMPARISON_COLUMNS))


def _corrected(table: pd.DataFrame) -> pd.DataFrame:
    """Adds what depends on how many pairs are tested alike."""
    alike = table.groupby(["metric", "test"], sort=False)["p_value"]
    table["p_corrected"] = alike.transform(lambda p: holm(p.to_numpy()))
    table["q_value"] = alike.transform(lambda p: benjamini_hochberg(p.to_numpy()))
    levels = LEVEL / alike.transform("count").clip(lower=1)
    table["detectable"] = [
        detectable_difference(error, freedom, level=level)
        for error, freedom, level in zip(table["standard_error"], table["degrees_of_freedom"], levels, strict=True)
    ]
    return table[list(COMPARISON_COLUMNS)]
