"""What is printed: text of models, rows and files, without what would steer a terminal.

A completion, a row's id or a file's name can hold escape sequences that move the cursor, change the
title or hide text, and marks that turn the direction of writing. Everything that this package
prints goes through `say`, `note` or `fail`. How loud it is and whether in colour is said once, by
`speak`, for the process.
"""

from __future__ import annotations

import enum
import os
import re
import sys
from typing import TextIO

from noisygrpo.secrets import hidden

_STEERING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters but tab and newline, C1 among them
    "\u202a-\u202e\u2066-\u2069"  # marks that turn the direction of all that follows
    "\u2028\u2029"  # line separators
    "\ud800-\udfff]"  # halves of characters, which no terminal can be sent
)


def printable(text: str) -> str:
    """``text`` with a replacement character for each one that could steer a terminal.

    Tabs and newlines stay; a Windows line end becomes a newline.
    """
    return _STEERING.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n"))


def one_line(text: str) -> str:
    """`printable` text with every run of white space, newlines among it, as one blank."""
    return printable(" ".join(text.split()))


def say(text: object = "", *, error: bool = False, end: str = "\n") -> None:
    """Print `printable` text at once, on standard output or, with ``error``, standard error.

    Keys in it are hidden (``secrets``).
    """
    shown = hidden(printable(str(text)))
    print(shown, file=sys.stderr if error else sys.stdout, end=end, flush=True)


class Loudness(enum.IntEnum):
    """How much a command says."""

    QUIET = 0
    """Results, warnings and errors only (``-q``)."""
    NORMAL = 1
    """Also what one may want to watch while waiting."""
    VERBOSE = 2
    """Also what the libraries say, and the traceback of an error (``-v``)."""


_manner: dict[str, int | bool] = {"loudness": Loudness.NORMAL, "color": True}


def speak(loudness: Loudness = Loudness.NORMAL, *, color: bool = True) -> None:
    """Say from now on as much as ``loudness``, with colours on terminals only if ``color``."""
    _manner.update(loudness=loudness, color=color)


def loudness() -> Loudness:
    """How much is said."""
    return Loudness(_manner["loudness"])


def colored(stream: TextIO) -> bool:
    """Whether colours may be sent: to a terminal, if neither ``NO_COLOR`` (no-color.org) nor a
    ``TERM`` without colours nor the user forbids it.
    """
    forbidden = os.environ.get("NO_COLOR") or os.environ.get("TERM") in ("dumb", "unknown")
    return bool(_manner["color"]) and not forbidden and stream.isatty()


def note(text: object = "", *, error: bool = False) -> None:
    """`say` what one may want to watch while waiting, unless it shall be quiet."""
    if loudness() > Loudness.QUIET:
        say(text, error=error)


def fail(message: str) -> None:
    """Say an error in one line on standard error."""
    word = "\x1b[1;31merror:\x1b[0m" if colored(sys.stderr) else "error:"
    print(word, hidden(one_line(message)), file=sys.stderr, flush=True)
