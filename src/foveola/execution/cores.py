"""How the cores and GPUs of a machine are divided among workers."""

from __future__ import annotations

import os
from collections.abc import Mapping

LIBRARIES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
"""What numerical libraries look at when they are imported."""
VISIBLE = "CUDA_VISIBLE_DEVICES"


def cores() -> int:
    """Returns how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def gpus() -> tuple[str, ...]:
    """Returns the GPUs that this process may use, as ``CUDA_VISIBLE_DEVICES`` names them."""
    if VISIBLE in os.environ:
        return tuple(name for name in os.environ[VISIBLE].split(",") if name not in ("", "-1"))
    import torch

    return tuple(map(str, range(torch.cuda.device_count())))


def thread_environment(threads: int | None, workers: int) -> dict[str, str]:
    """Returns the variables that give a worker its share of the threads, to be set before it imports anything.

    Args:
        threads: Of one worker; else what the user's own ``OMP_NUM_THREADS`` says, else an even share of the cores.
        workers: On this machine.

    Example:
        >>> thread_environment(3, 7)["OMP_NUM_THREADS"]
        '3'
    """
    if threads is None and LIBRARIES[0] in os.environ:
        return {}
    return dict.fromkeys(LIBRARIES, str(threads or max(1, cores() // workers)))


def gpu_environment(index: int, names: tuple[str, ...]) -> Mapping[str, str]:
    """Returns the variable that gives a worker one GPU in turn; nothing where there are none.

    Example:
        >>> gpu_environment(4, ("0", "2", "3"))
        {'CUDA_VISIBLE_DEVICES': '2'}
    """
    return {VISIBLE: names[index % len(names)]} if names else {}
