"""Progress with the time that remains: a bar on a terminal, plain lines in a log file."""

import os
import sys
from typing import TextIO

from tqdm import tqdm  # type: ignore[import-untyped]

from noisygrpo.terminal import Loudness, loudness, one_line

_BAR = "{desc}: {n_fmt}/{total_fmt} |{bar}| {remaining} left{postfix}"
_LINE = "{desc}: {n_fmt}/{total_fmt} · {remaining} left{postfix}"
_LAST = "{desc}: {n_fmt}/{total_fmt} · took {elapsed}{postfix}"


class _Lines:
    """A stream for tqdm, which rewrites one line, that gives each a line of its own."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        if text.strip():
            self._stream.write(f"{text.strip()}\n")

    def flush(self) -> None:
        self._stream.flush()


def _has_width(stream: TextIO) -> bool:
    """Whether it is a terminal whose width is known: tqdm fits its bar into 0 columns otherwise."""
    try:
        return stream.isatty() and os.get_terminal_size(stream.fileno()).columns > 0
    except OSError:
        return False


class Progress:
    """Counts finished samples: tqdm's bar on a terminal, elsewhere a line at most every
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
        stream = sys.stderr if stream is None else stream
        terminal = _has_width(stream)
        self._bar = tqdm(
            desc=one_line(name) + (" (continued)" if done else ""),
            total=total,
            initial=done,
            file=stream if terminal else _Lines(stream),
            mininterval=0.1 if terminal else log_seconds,
            maxinterval=float("inf"),  # else a thread of tqdm's would shorten the interval
            miniters=1,
            smoothing=0,  # the mean rate: batches, longest first, get faster
            dynamic_ncols=terminal,
            bar_format=_BAR if terminal else _LINE,
            disable=loudness() == Loudness.QUIET,
            leave=False,  # where an error ends it, nothing is shown behind the error
            position=0,  # whatever an earlier one, that an error ended, has left
        )

    def advance(self, samples: int, note: str = "") -> None:
        """Count ``samples`` more; ``note`` is shown behind them, e.g. the accuracy so far."""
        bar = self._bar
        bar.set_postfix_str(note, refresh=False)
        if bar.n + samples < bar.total:
            bar.update(samples)
            return
        bar.bar_format, bar.leave = _LAST, True
        bar.n += samples
        bar.close()
