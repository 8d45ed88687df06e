"""math-verify outside this process, with a time limit.

math-verify limits its time with ``signal.alarm``, which works in the main thread only and fails
silently elsewhere, and sympy can hang in code that no signal interrupts. So formulas are compared
in a worker process, started when first needed (a fresh interpreter, not a fork: forking a process
with threads or CUDA is unsafe), reused, and killed when its time is over. A time-out or an
exception gives None, unscorable, never zero.

The limit counts the worker's processor time, so that a verdict does not depend on how busy the
machine is; the wall clock ends what waits longer than ``WALL_FACTOR`` times that.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, NamedTuple

from noisygrpo.errors import UserError

START_LIMIT = 600.0
"""Seconds for the worker to start; importing sympy takes one, on a busy machine many more. A worker
that fails to start says so at once."""

WALL_FACTOR = 10.0 if sys.platform != "win32" else 1.0
"""Wall-clock seconds per second of processor time (which Windows does not limit)."""


class Reply(NamedTuple):
    """What a worker found out."""

    correct: bool | None
    """None: unscorable."""
    why: str
    lasting: bool = True
    """Whether the same request would end the same way; not so where the worker was killed."""


class MathWorker:
    """One worker process; ``ask`` starts it, and starts it again after it was killed."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._replies: queue.Queue[str | None] = queue.Queue()
        self._lock = threading.Lock()
        self._owner = os.getpid()

    def ask(
        self, request: dict[str, Any], time_limit: float, wall_limit: float | None = None
    ) -> Reply:
        """Send a request (see ``math_worker``); None and the reason if it fails or takes too long.

        ``time_limit``: seconds of the worker's processor time; ``wall_limit``: on the clock,
        ``WALL_FACTOR`` times as many if None or more than that. Raises ``UserError`` if the worker
        cannot start.
        """
        if os.getpid() != self._owner:  # a fork: the pipes belong to the parent
            self.__init__()  # type: ignore[misc]
        patience = time_limit * WALL_FACTOR
        with self._lock:
            process = self._process or self._start()
            assert process.stdin is not None
            try:
                process.stdin.write(json.dumps({**request, "seconds": time_limit}) + "\n")
                process.stdin.flush()
                waiting = patience if wall_limit is None else min(wall_limit, patience)
                reply = self._replies.get(timeout=waiting)
            except queue.Empty:
                self._kill()
                why = f"math-verify took more than {min(time_limit, waiting):g} s"
                return Reply(None, why, waiting == patience)
            except BrokenPipeError:
                reply = None
            if reply is None:
                timed_out = self._kill() == -SIGXCPU
                reason = f"took more than {time_limit:g} s" if timed_out else "ended its process"
                return Reply(None, f"math-verify {reason}", timed_out)
            answer = json.loads(reply)
            return Reply(answer["result"], answer["why"])

    def close(self) -> None:
        """End the worker process, if this process started one."""
        if os.getpid() == self._owner:
            with self._lock:
                self._kill()

    @property
    def pid(self) -> int | None:
        """Process id of the running worker."""
        return self._process.pid if self._process else None

    def _start(self) -> subprocess.Popen[str]:
        script = Path(__file__).with_name("math_worker.py")
        process = subprocess.Popen(
            [sys.executable, "-P", str(script)],  # -P: this folder's modules shadow nothing
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            start_new_session=True,  # an interrupt from the keyboard is for the parent
        )
        self._process, self._replies = process, queue.Queue()
        threading.Thread(target=_pump, args=(process, self._replies), daemon=True).start()
        try:
            first = self._replies.get(timeout=START_LIMIT)
        except queue.Empty:
            first = None
        hello = json.loads(first) if first else {"failed": "no sign of life"}
        if "failed" in hello:
            self._kill()
            raise UserError(f"the math-verify process does not start: {hello['failed']}")
        return process

    def _kill(self) -> int | None:
        """End the process; returns how it ended, if it had ended by itself."""
        if self._process is None:
            return None
        process, self._process = self._process, None
        process.kill()
        status = process.wait()
        if process.stdin is not None:
            _close_quietly(process.stdin)
        return status


def _pump(process: subprocess.Popen[str], replies: queue.Queue[str | None]) -> None:
    """Move lines from the worker to the queue; None marks the end."""
    assert process.stdout is not None
    with process.stdout:
        for line in process.stdout:
            replies.put(line)
    replies.put(None)


def _close_quietly(stream: Any) -> None:
    try:
        stream.close()
    except BrokenPipeError:
        return  # unsent text of a request to a killed process


SIGXCPU = 24
"""The signal of a process that had its processor time, by the same number on Linux and macOS."""
