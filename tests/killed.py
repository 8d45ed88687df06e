"""A real kill, at a point that the work is held at: work in a fork of the tests' process."""

import multiprocessing
import signal
import time


def kill_once(there, work, *arguments):
    """SIGKILL ``work(*arguments)``, which runs in a fork, once ``there()`` is true.

    The work has to wait at what it must not get past; a fork has its imports already.
    """
    child = multiprocessing.get_context("fork").Process(target=work, args=arguments)
    child.start()
    while child.is_alive() and not there():
        time.sleep(0.01)
    child.kill()
    child.join()
    assert child.exitcode == -signal.SIGKILL, "it ended before it could be killed"


def hold():
    """Wait to be killed; a test that never does so fails."""
    time.sleep(600)
