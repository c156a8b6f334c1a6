"""Statistics of predictions: metrics of each fit, their summary, and what arms differ by."""

from foveola.statistics.comparison import compare_arms
from foveola.statistics.metrics import METRICS, fit_metrics
from foveola.statistics.summary import results_table, summary_table

__all__ = ["METRICS", "compare_arms", "fit_metrics", "results_table", "summary_table"]
