"""Statistics of predictions: scores of masks, metrics of each fit, their summary, and what arms differ by."""

from foveola.statistics.hypothesis_tests.ranks import friedman_table, nemenyi_table
from foveola.statistics.metrics.mask_scores import mask_scores, score_columns
from foveola.statistics.metrics.metric_sets import METRICS, fit_metrics, metric_set
from foveola.statistics.tables.comparison import compare_arms
from foveola.statistics.tables.intervals import interval_table
from foveola.statistics.tables.learning_curve import learning_curve
from foveola.statistics.tables.summary import results_table, summary_table
from foveola.statistics.tables.verdict import sentences

__all__ = [
    "METRICS",
    "compare_arms",
    "fit_metrics",
    "friedman_table",
    "interval_table",
    "learning_curve",
    "mask_scores",
    "metric_set",
    "nemenyi_table",
    "results_table",
    "score_columns",
    "sentences",
    "summary_table",
]
