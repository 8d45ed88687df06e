"""What is printed: text of models, rows and files, without what would steer a terminal.

A completion, a row's id or a file's name can hold escape sequences that move the cursor, change the
title or hide text, and marks that turn the direction of writing. Everything that this package
prints goes through `say`.
"""

from __future__ import annotations

import re
import sys

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
    print(
        hidden(printable(str(text))), file=sys.stderr if error else sys.stdout, end=end, flush=True
    )
