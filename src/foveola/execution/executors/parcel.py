"""How a job is sent to a worker elsewhere, and what the worker says when it ends."""

from __future__ import annotations

import base64
import logging
import pickle
import traceback
from typing import Any

from foveola.execution.job import Job
from foveola.execution.work import work
from foveola.foundation.plugins import load_plugin, loaded_plugins

Parcel = dict[str, Any]
WorkerReport = dict[str, Any]
READY = b"ready\n"
"""What a worker says before its outcome, when it has begun."""
GRACE_S = 5.0
"""Seconds that a worker which is told to end may take to give back its task."""
LONGEST = 20_000
"""Characters of a traceback that are passed on; more could fill the pipe before anybody reads it."""


def packed(job: Job, worker: str) -> Parcel:
    """Returns all that a worker needs, as JSON values; the job itself stays closed until its plug-ins are loaded."""
    return {
        "worker": worker,
        "plugins": loaded_plugins(),
        "level": logging.getLogger().getEffectiveLevel(),
        "job": base64.b64encode(pickle.dumps(job)).decode("ascii"),
    }


def log_as_sender(parcel: Parcel) -> None:
    """Lets this process log as much as the sender does."""
    logging.basicConfig(level=parcel["level"], format="%(levelname)s: %(message)s")
    logging.captureWarnings(True)
    if parcel["level"] > logging.INFO:
        logging.getLogger("py.warnings").setLevel(logging.ERROR)


def unpacked(parcel: Parcel) -> Job:
    """Loads the plug-ins that the sender had, and returns the job."""
    for path in parcel["plugins"]:
        load_plugin(path)
    job: Job = pickle.loads(base64.b64decode(parcel["job"]))
    return job


def report_of_work(job: Job, worker: str) -> WorkerReport:
    """Works until nothing is left, and returns in plain values what stopped it; nothing if all went well."""
    try:
        work(job, worker=worker)
    except OSError as error:
        return {"errno": error.errno, "strerror": error.strerror or str(error), "filename": error.filename}
    except Exception as error:
        return {"mistake": "".join(traceback.format_exception(error))[-LONGEST:]}
    return {}


def check_report(outcome: WorkerReport) -> None:
    """Raises here what stopped a worker elsewhere.

    Raises:
        OSError: If files could not be written or read there.
        RuntimeError: For a mistake of ours; with the traceback.

    Example:
        >>> check_report({"errno": 28, "strerror": "No space left on device", "filename": "run/done"})
        Traceback (most recent call last):
        OSError: [Errno 28] No space left on device: 'run/done'
    """
    if "mistake" in outcome:
        raise RuntimeError(f"a worker stopped:\n{outcome['mistake']}")
    if "strerror" in outcome:
        if outcome["errno"] is None:
            raise OSError(outcome["strerror"])
        raise OSError(outcome["errno"], outcome["strerror"], outcome["filename"])
