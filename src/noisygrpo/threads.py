"""How OpenMP's threads wait for each other, which is settled before torch is loaded.

Between two parallel pieces of work the threads of PyTorch's CPU kernels (GNU's OpenMP, or Intel's)
spin for a while before they sleep. Beside other busy processes that takes the cores from whoever
they wait for, the run's own other threads among them. Passive waiting sleeps at once.
docs/performance.md has the numbers.
"""

from __future__ import annotations

import os
import sys
from collections.abc import MutableMapping

SETTINGS = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
"""Variables by which a user may have said how to wait: then nothing is changed."""


def wait_passively(environment: MutableMapping[str, str] = os.environ) -> bool:
    """Let OpenMP's threads sleep while they wait, and tell whether that was settled here.

    It is not where the user has said how to wait, or where torch is loaded and would not notice.
    """
    if "torch" in sys.modules or any(name in environment for name in SETTINGS):
        return False
    environment["OMP_WAIT_POLICY"] = "passive"
    return True
