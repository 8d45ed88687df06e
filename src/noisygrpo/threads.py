"""Threads: how long OpenMP's spin while they wait, and how long a process waits for its own.

The first is settled before torch is loaded.

Between two parallel pieces of work the threads of PyTorch's CPU kernels (GNU's OpenMP) spin, by
default some 300,000 times, before they sleep. Beside other busy processes that takes the cores from
whoever they wait for, the run's own other thread among them. Sleeping at once
(``OMP_WAIT_POLICY=passive``) costs a quiet machine as much again as a second thread brings; a short
spin costs it nothing that can be measured. docs/performance.md has the numbers.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
from collections.abc import MutableMapping

SPIN = "5000"
"""Turns that a waiting thread takes before it sleeps."""

SETTINGS = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
"""Variables by which a user may have said how to wait: then nothing is changed."""


def wait_briefly(environment: MutableMapping[str, str] = os.environ) -> bool:
    """Let OpenMP's threads sleep soon while they wait; tells whether that was settled here.

    It is not where the user has said how to wait, or where torch is loaded and would not notice.
    """
    if "torch" in sys.modules or any(name in environment for name in SETTINGS):
        return False
    environment["GOMP_SPINCOUNT"] = SPIN
    return True


def leave_soon(status: int, seconds: float = 60.0) -> None:
    """End the process with ``status`` if in so many seconds its threads have not ended.

    Python waits on its way out for every thread, so a reward's that hangs would keep a run from
    ending for ever. What is done after that (``atexit``: trackers that upload) is not cut short.
    """
    ended = threading.Event()
    atexit.register(ended.set)  # runs first of all, once the threads have ended

    def watch() -> None:
        if not ended.wait(seconds):
            sys.stderr.write(f"a thread still runs after {seconds:g} s; left without it\n")
            sys.stderr.flush()
            os._exit(status)

    threading.Thread(target=watch, daemon=True).start()
