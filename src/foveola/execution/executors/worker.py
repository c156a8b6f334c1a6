"""One worker in a process of its own: ``python -m foveola.execution.executors.worker``, started by `LocalProcesses`.

It reads one line from its standard input, the parcel with the job, and works. It writes lines to its standard output:
`READY`, and its outcome at the end. Everything else that it says goes to its standard error, a file. When its standard
input ends, whoever started it is gone; it gives back its task then, and ends.
"""

from __future__ import annotations

import _thread
import json
import os
import signal
import sys
import threading
import time

from foveola.execution.executors.parcel import GRACE_S, READY, log_as_sender, report_of_work, unpacked


def main() -> int:
    """Works, and returns the exit code."""
    answer = os.dup(1)
    os.dup2(2, 1)  # what a library prints is no answer
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends a worker as Ctrl-C ends a command
    try:
        parcel = json.loads(sys.stdin.buffer.readline())
        threading.Thread(target=_end_with_the_starter, daemon=True).start()
        log_as_sender(parcel)
        job = unpacked(parcel)
        os.write(answer, READY)
        outcome = report_of_work(job, parcel["worker"])
    except KeyboardInterrupt:
        return 1
    os.write(answer, json.dumps(outcome).encode("ascii"))
    return 0


def _end_with_the_starter() -> None:
    """Waits for the end of the standard input, which is never written to again."""
    os.read(0, 1)
    _thread.interrupt_main(signal.SIGTERM)
    time.sleep(GRACE_S)
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main())
