"""How the parts of a check are printed."""

from __future__ import annotations

from collections.abc import Sequence

from noisygrpo.report.table import table
from noisygrpo.terminal import one_line, say

WIDTH = 60


def heading(title: str, *blocks: str) -> None:
    """Print a title and, indented, the lines of its blocks."""
    lines = "\n".join(blocks).split("\n")
    say("\n".join(["", title, *(f"  {line}" for line in lines)]))


def shorten(text: str, width: int = WIDTH) -> str:
    """One line of at most ``width`` characters."""
    line = one_line(text)
    return line if len(line) <= width else line[: width - 1] + "…"


def beside(
    header: Sequence[str], rows: Sequence[Sequence[str]], title: str, texts: Sequence[str]
) -> str:
    """A table of numbers with free text behind each of its lines."""
    lines = table(header, rows).split("\n")
    behind = [title, "─" * len(title), *texts]
    return "\n".join(f"{line}  {text}".rstrip() for line, text in zip(lines, behind, strict=True))
