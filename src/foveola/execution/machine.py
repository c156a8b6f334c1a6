"""Which process on which machine holds something, and whether that process is still there."""

from __future__ import annotations

import functools
import os
import socket
from pathlib import Path

PROC = Path("/proc")


@functools.cache
def host() -> str:
    """Returns the name of this machine."""
    return socket.gethostname()


@functools.cache
def process_space() -> str:
    """Returns what two processes have in common when the number of the one means something to the other.

    That is the machine since it was last started, the container, and the user. Empty where the system does not tell.
    """
    try:
        boot = (PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{host()} {boot} {(PROC / 'self/ns/pid').readlink()} {os.getuid()}"
    except OSError:
        return ""


def process_start(pid: int) -> str:
    """Returns when a process of this process space began, in ticks since the machine was started; empty if it is gone.

    A process that is dead and has not been waited for is gone too.

    Example:
        >>> bool(process_start(os.getpid())) is bool(process_space())
        True
    """
    try:
        status = (PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""
    fields = status.rpartition(")")[2].split()  # the name before may hold anything
    return "" if fields[0] in "ZX" else fields[19]
