"""How long OpenMP's threads spin while they wait, which is settled before torch is loaded.

Between two parallel pieces of work the threads of PyTorch's CPU kernels (GNU's OpenMP) spin, by
default some 300,000 times, before they sleep. Beside other busy processes that takes the cores from
whoever they wait for, the run's own other thread among them. Sleeping at once
(``OMP_WAIT_POLICY=passive``) costs a quiet machine as much again as a second thread brings; a short
spin costs it nothing that can be measured. docs/performance.md has the numbers.
"""

from __future__ import annotations

import os
import sys
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
