"""Work in a process of its own: with a time limit, its output in a file, and nothing left of it.

A process per piece of work gives all of a card's memory back, whatever happened in it.
"""

import ctypes
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

PR_SET_PDEATHSIG = 1
"""``prctl(2)``: the signal that a process gets when its parent has died."""


def alone(
    work: Callable[..., None],
    *given: Any,
    limit: float | None,
    log: Path,
    fresh: bool,
    grace: float = 0.0,
) -> int | None:
    """Run ``work`` and return its exit status; None where it was killed after ``limit`` seconds.

    Args:
        work: a function of a module, whose result nobody needs.
        given: its arguments.
        limit: in seconds.
        log: where its output goes.
        fresh: in a new interpreter, as CUDA needs it; else a fork of this one, which has its
            imports already.
        grace: seconds between SIGTERM and SIGKILL, where it is to end before it is done.
    """
    context = multiprocessing.get_context("spawn" if fresh else "fork")
    process: Any = context.Process(target=_work, args=(work, given, log))
    with _asked_to_stop():
        process.start()
        try:
            process.join(limit)
            return None if process.exitcode is None else int(process.exitcode)
        finally:
            _end(process, grace)


def _work(work: Callable[..., None], given: tuple[Any, ...], log: Path) -> None:
    os.setsid()  # a group of its own, which ends as a whole
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    file = log.open("w", buffering=1)  # left open: a traceback comes after the work
    for stream in (1, 2):
        os.dup2(file.fileno(), stream)
    sys.stdout = sys.stderr = file
    work(*given)


def _end(process: Any, grace: float) -> None:
    """End the process and all that it has started."""
    if grace and process.is_alive():
        process.terminate()
        process.join(grace)
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:  # none is left, or it has not made its group yet
        process.kill()
    process.join()


class _asked_to_stop:
    """Within this context SIGTERM is an exception, so that the work does not outlive its parent."""

    def __enter__(self) -> None:
        self.kept = signal.signal(signal.SIGTERM, self._stop)

    def __exit__(self, *error: object) -> None:
        signal.signal(signal.SIGTERM, self.kept)

    @staticmethod
    def _stop(number: int, frame: Any) -> None:
        raise SystemExit(128 + number)


def told(main: Callable[[], int]) -> int:
    """Run a command's ``main``; what stops it is said in a line. Returns the exit status."""
    from noisygrpo.errors import UserError

    try:
        return main()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; the same command goes on", file=sys.stderr)
        return 130


def last_line(log: Path) -> str:
    """Return the last line that says anything, for a message."""
    text = log.read_text(errors="replace") if log.exists() else ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "it said nothing"
