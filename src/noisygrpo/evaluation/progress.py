"""One line of progress with the time that remains, for a terminal and for a log file."""

import sys
import time
from typing import TextIO


class Progress:
    """Counts finished samples; rewrites its line on a terminal, and elsewhere prints at most every
    ``log_seconds``.
    """

    def __init__(
        self,
        name: str,
        total: int,
        done: int = 0,
        stream: TextIO | None = None,
        log_seconds: float = 30.0,
    ) -> None:
        self._name, self._total, self._done, self._at_start = name, total, done, done
        self._stream = sys.stderr if stream is None else stream
        self._started = self._printed = time.monotonic()
        self._log_seconds = log_seconds
        self._write(f"{name}: {'continues at ' if done else ''}{done}/{total}", last=False)

    def advance(self, samples: int, note: str = "") -> None:
        """Count ``samples`` more and show the line if it is due. ``note`` is appended, e.g. the
        accuracy so far.
        """
        self._done += samples
        now, terminal, finished = time.monotonic(), self._stream.isatty(), self._done >= self._total
        if not (terminal or finished or now - self._printed >= self._log_seconds):
            return
        self._printed = now
        spent, fresh = now - self._started, self._done - self._at_start
        left = spent / fresh * (self._total - self._done) if fresh else 0.0
        clock = f"took {duration(spent)}" if finished else f"{duration(left)} left"
        line = f"{self._name}: {self._done}/{self._total} · {clock}" + (
            f" · {note}" if note else ""
        )
        self._write(line, last=finished)

    def _write(self, line: str, *, last: bool) -> None:
        if self._stream.isatty():
            self._stream.write(f"\r\033[K{line}" + ("\n" if last else ""))
        else:
            self._stream.write(f"{line}\n")
        self._stream.flush()


def duration(seconds: float) -> str:
    """``75`` as ``1:15``, ``3700`` as ``1:01:40``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
