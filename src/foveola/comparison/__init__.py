"""The comparison of arms, and its forecast."""

from foveola.comparison.compare import Comparison, compare, fit_model, load_data
from foveola.comparison.forecast import Forecast, forecast

__all__ = ["Comparison", "Forecast", "compare", "fit_model", "forecast", "load_data"]
