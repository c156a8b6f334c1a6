"""Doing many tasks: in this process, in several, or on many machines, all of which may be at it together.

The folder of a job is the queue: each task is a folder in it, claims in there tell who is at it, and ``done`` marks it
as whole. Nothing else is shared, so that whoever sees the folder can help, and whoever dies is replaced.
"""

from foveola.execution.executors.executor import Executor, Watch
from foveola.execution.executors.in_process import InProcess
from foveola.execution.executors.local_processes import LocalProcesses
from foveola.execution.executors.ray_cluster import RayCluster
from foveola.execution.job import DONE, Job, JobTask, Progress
from foveola.execution.status import JobStatus, Running, job_status

__all__ = [
    "DONE",
    "Executor",
    "InProcess",
    "Job",
    "JobStatus",
    "JobTask",
    "LocalProcesses",
    "Progress",
    "RayCluster",
    "Running",
    "Watch",
    "job_status",
]
