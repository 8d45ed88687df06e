"""Running a user's function so that, however it ends, this program goes on or says why not.

A reward or an adapter may raise, never return, or ask the process to exit; ``sys.exit()`` in it
must not look like a run that is done. Inside `contained` each of these ends as one `UserCodeError`.

What is out of time is interrupted where it is, because a thread cannot be ended from outside and
a process would not have the user's models and connections. Three things do it, each where the one
before it cannot:

1. In the main thread a signal (SIGVTALRM, which next to nobody uses; SIGALRM is math-verify's and
   other graders') raises `OutOfTime` in the function. A thread of ours sends it, and it ends a
   ``time.sleep`` or a read of a socket; where Python's own C code keeps the interpreter's lock
   (``re``, long integers), so that no thread can run, the system's timer of processor time sends
   it. In another thread Python raises the error at the next line. Again every second, in case it
   is caught.
2. `LAST` seconds later the process ends with exit code 1 and the line that says why.
3. Where a library keeps the lock and looks at no signals, ``faulthandler`` ends the process, and
   shows in which line it was.

``os._exit`` is refused inside, in this process; forks of it may call it.
"""

from __future__ import annotations

import ctypes
import faulthandler
import math
import os
import signal
import sys
import threading
import time
import traceback
from contextlib import suppress
from types import TracebackType
from typing import Any

from noisygrpo.terminal import one_line, say

LAST = 30.0
"""Seconds after which a process is ended whose function does not let itself be interrupted."""

AGAIN = 1.0
"""Seconds between two interruptions."""

SIGNAL = getattr(signal, "SIGVTALRM", None)
"""None on Windows, which has no such signals."""

leave_at_once = os._exit
"""The system's own, which is not refused anywhere."""


class UserCodeError(Exception):
    """How a user's function ended, in one line, with the line of their file where it was."""


class OutOfTime(BaseException):
    """Raised within the function; no ``Exception``, so that ``except Exception`` lets it pass."""


class _Exit(SystemExit):
    """``os._exit`` was called."""


class contained:
    """Within this context a user's function runs.

    Args:
        seconds: how long; None: as long as it likes.
        limit: what the message calls the limit, ``reward_time_limit``, say.
        hard: also guard against a library that keeps the interpreter's lock; it costs a thread.

    Raises:
        UserCodeError: it raised, ran out of time, or asked the process to exit.
    """

    def __init__(self, seconds: float | None, limit: str = "", *, hard: bool = False) -> None:
        """Take the limit."""
        self._seconds, self._limit, self._hard = seconds, limit, hard
        self._due: Due | None = None

    def __enter__(self) -> None:
        """Begin to count."""
        _refuse_exit(+1)
        if self._seconds is not None:
            self._due = WATCH.add(self._seconds)
            if self._hard:
                _arm(self._seconds + 2 * LAST)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop counting, and say how it ended."""
        if self._due is not None:
            WATCH.remove(self._due)
            if self._hard:
                faulthandler.cancel_dump_traceback_later()
        _refuse_exit(-1)
        if isinstance(error, (Exception, OutOfTime, SystemExit)):
            limit = f"{self._limit} {self._seconds:g} s" if self._seconds is not None else ""
            raise UserCodeError(said(error, limit.strip())) from error


def said(error: BaseException, limit: str = "") -> str:
    """Return how a function ended, and in which line of its file."""
    if isinstance(error, OutOfTime):
        text = f"is not done after {limit}"
    elif isinstance(error, SystemExit):
        call = "os._exit" if isinstance(error, _Exit) else "exit"
        text = f"asks the process to exit: {call}({error.code if error.code is not None else ''})"
    else:
        text = f"raises {type(error).__name__}: {one_line(str(error))[:300]}"
    return text + _place(error)


def _place(error: BaseException) -> str:
    """The innermost line that is neither of this package nor of an installed one."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if not any(part in frame.filename for part in _INSTALLED):
            return f" ({os.path.basename(frame.filename)}:{frame.lineno})"
    return ""


_INSTALLED = (os.path.dirname(__file__), os.path.dirname(os.__file__), "site-packages", "<")


class Due:
    """A thread that is to be interrupted at a time."""

    def __init__(self, at: float) -> None:
        """``at``: on the monotonic clock."""
        self.at, self.ends = at, at + LAST
        self.over = False
        self.thread = threading.get_ident()
        self.main = threading.current_thread() is threading.main_thread()


class Watch:
    """One thread that interrupts those whose time is over."""

    def __init__(self) -> None:
        """It starts when it is needed."""
        self._changed = threading.Condition()
        self._dues: list[Due] = []
        self._wakes = 0.0
        self._owner = 0

    def add(self, seconds: float) -> Due:
        """Interrupt this thread after some seconds, unless `remove` comes first."""
        if self._owner != os.getpid():  # a fork has no threads but the one that forked
            self._changed, self._dues, self._wakes = threading.Condition(), [], 0.0
            self._owner = os.getpid()
            threading.Thread(target=self._watch, name="noisygrpo-watch", daemon=True).start()
        due = Due(time.monotonic() + seconds)
        if due.main and SIGNAL is not None and signal.getsignal(SIGNAL) != self._hear:
            signal.signal(SIGNAL, self._hear)
        if due.main and SIGNAL is not None and math.isfinite(seconds):
            signal.setitimer(signal.ITIMER_VIRTUAL, max(seconds / 4, AGAIN / 20), AGAIN)
        with self._changed:
            self._dues.append(due)
            if due.at < self._wakes:
                self._changed.notify()
        return due

    def move(self, due: Due, seconds: float) -> None:
        """Interrupt it after some seconds from now, and not when it was to be; from any thread."""
        with self._changed:
            due.at = time.monotonic() + seconds
            due.ends = due.at + LAST
            self._changed.notify()

    def remove(self, due: Due) -> None:
        """Interrupt it no more."""
        due.over = True
        with self._changed:
            self._dues.remove(due)
            if due.main and SIGNAL is not None and not any(other.main for other in self._dues):
                signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            if not due.main and due.at <= time.monotonic():
                _raise_in(due.thread, None)  # one that is on its way

    def _watch(self) -> None:
        with self._changed:
            while True:
                now = time.monotonic()
                for due in [due for due in self._dues if due.at <= now and not due.over]:
                    self._interrupt(due, now)
                self._wakes = min([now + 3600, *(due.at for due in self._dues)])
                self._changed.wait(max(0.0, self._wakes - time.monotonic()))

    def _interrupt(self, due: Due, now: float) -> None:
        if now >= due.ends:
            say("error: a function that is out of time does not stop: this ends", error=True)
            leave_at_once(1)
        due.at = now + AGAIN
        if due.main and SIGNAL is not None:
            signal.pthread_kill(due.thread, SIGNAL)
        elif not due.main:
            _raise_in(due.thread, OutOfTime)

    def _hear(self, number: int, frame: Any) -> None:
        now = time.monotonic()
        if any(due.main and not due.over and due.ends - LAST <= now for due in self._dues):
            raise OutOfTime


WATCH = Watch()


def _raise_in(thread: int, kind: type[BaseException] | None) -> None:
    what = None if kind is None else ctypes.py_object(kind)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), what)


def _arm(seconds: float) -> None:
    if sys.__stderr__ is not None:
        with suppress(ValueError, AttributeError, OSError):  # it may be no file
            faulthandler.dump_traceback_later(seconds, exit=True, file=sys.__stderr__)


_inside: dict[int, int] = {}  # how many functions run in this process, by its id
_counting = threading.Lock()


def _refuse_exit(step: int) -> None:
    with _counting:
        _inside[os.getpid()] = _inside.get(os.getpid(), 0) + step
    if os._exit is not _exit:
        vars(os)["_exit"] = _exit


def _exit(status: int) -> None:
    if _inside.get(os.getpid()):  # a fork that the function made may leave
        raise _Exit(status)
    leave_at_once(status)
