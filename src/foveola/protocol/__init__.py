"""Protocols: which fit is trained on what and scored on what, and the run folder that holds it all."""

from foveola.protocol.planning.plan import PlannedFit, plan
from foveola.protocol.run.fit import run_fit
from foveola.protocol.run.fit_data import FitData
from foveola.protocol.run.run_folder import RunFolder
from foveola.protocol.run.run_job import RunJob, read_run
from foveola.protocol.settings.configuration import RunConfiguration, read_configuration

__all__ = [
    "FitData",
    "PlannedFit",
    "RunConfiguration",
    "RunFolder",
    "RunJob",
    "plan",
    "read_configuration",
    "read_run",
    "run_fit",
]
