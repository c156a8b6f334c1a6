"""Protocols: which fit is trained on what and scored on what, and the run folder that holds it all."""

from foveola.protocol.compare import Comparison, compare, fit_model, load_data
from foveola.protocol.configuration import RunConfiguration, read_configuration
from foveola.protocol.fit import run_fit
from foveola.protocol.fit_data import FitData
from foveola.protocol.plan import PlannedFit, plan
from foveola.protocol.run_folder import RunFolder
from foveola.protocol.run_job import RunJob, read_run

__all__ = [
    "Comparison",
    "FitData",
    "PlannedFit",
    "RunConfiguration",
    "RunFolder",
    "RunJob",
    "compare",
    "fit_model",
    "load_data",
    "plan",
    "read_configuration",
    "read_run",
    "run_fit",
]
