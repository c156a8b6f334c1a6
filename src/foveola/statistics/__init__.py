"""Statistics of predictions: scores of masks, metrics of each fit, their summary, and what arms differ by."""

from foveola.statistics.comparison import compare_arms
from foveola.statistics.intervals import interval_table
from foveola.statistics.learning_curve import learning_curve
from foveola.statistics.mask_scores import mask_scores, score_columns
from foveola.statistics.metrics import METRICS, fit_metrics, metric_set
from foveola.statistics.ranks import friedman_table, nemenyi_table
from foveola.statistics.summary import results_table, summary_table
from foveola.statistics.verdict import sentences

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
