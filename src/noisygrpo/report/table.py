"""Tables for a terminal and for Markdown: accuracies with standard errors, before and after
training.
"""

import io
from collections.abc import Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from noisygrpo.errors import require
from noisygrpo.terminal import one_line

Summary = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""``{split: {"before": {accuracy, stderr, n}, "after": {...}, "difference": {...} (optional)}}``"""

STYLES = ("text", "markdown")

_UNLIMITED = 10**6  # columns: a table is never folded


def before_after_table(summary: Summary, style: str = "text") -> str:
    """One line per split: accuracy ± standard error in percent before and after, and the change.

    The change of a split carries a confidence interval where its entry has ``difference`` (a
    `noisygrpo.evaluation.stats.PairedDifference` as a dict: both evaluations answered the same
    samples); it is else the plain difference. Raises ``UserError`` for an unknown style.
    """
    header = ["split", "n", "before", "after", "change (points)"]
    rows = [
        [
            split,
            str(entry["after"]["n"]),
            percent(entry["before"]),
            percent(entry["after"]),
            _change(entry),
        ]
        for split, entry in summary.items()
    ]
    return table(header, rows, style)


def results_table(results: Mapping[str, Mapping[str, Any]], style: str = "text") -> str:
    """One line per name: number of samples, accuracy ± standard error in percent, failures."""
    header = ["name", "n", "accuracy", "failures"]
    rows = [
        [name, str(entry["n"]), percent(entry), str(entry.get("failures", 0))]
        for name, entry in results.items()
    ]
    return table(header, rows, style)


def table(header: Sequence[str], rows: Sequence[Sequence[str]], style: str = "text") -> str:
    """Cells as aligned text or as a Markdown table; the first column flush left, the others flush
    right.

    What would steer a terminal or break a line is replaced in every cell. Raises ``UserError`` for
    an unknown style.
    """
    require(style in STYLES, f"style: {style!r}, allowed are {', '.join(STYLES)}")
    head, *lines = [[one_line(cell) for cell in line] for line in [header, *rows]]
    return _markdown(head, lines) if style == "markdown" else _aligned(head, lines)


def _aligned(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """By rich, which knows how wide a character is; without colours, markup or line breaks."""
    made = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for number, name in enumerate(header):
        made.add_column(Text(name), justify="right" if number else "left", no_wrap=True)
    for row in rows:
        made.add_row(*map(Text, row))
    out = io.StringIO()
    console = Console(
        file=out, width=_UNLIMITED, color_system=None, force_terminal=False, force_jupyter=False
    )
    console.print(made)
    return out.getvalue().removesuffix("\n")


def _markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """By hand: rich's Markdown frame has no alignment."""
    rule = ["---", *["---:"] * (len(header) - 1)]
    return "\n".join(
        "| " + " | ".join(map(_escaped, line)) + " |" for line in [header, rule, *rows]
    )


def _escaped(cell: str) -> str:
    """A cell that no Markdown ends: first the backslash, which would take the escape of ``|``."""
    return cell.replace("\\", "\\\\").replace("|", "\\|")


def percent(entry: Mapping[str, Any]) -> str:
    """``{"accuracy": 0.512, "stderr": 0.016}`` as ``51.2 ± 1.6``; without a standard error
    ``51.2``.
    """
    accuracy, stderr = 100 * entry["accuracy"], entry.get("stderr")
    return f"{accuracy:.1f}" if stderr is None else f"{accuracy:.1f} ± {100 * stderr:.1f}"


def _change(entry: Mapping[str, Any]) -> str:
    difference = entry.get("difference")
    if difference is None:
        return f"{100 * (entry['after']['accuracy'] - entry['before']['accuracy']):+.1f}"
    low, high = 100 * difference["low"], 100 * difference["high"]
    return f"{100 * difference['difference']:+.1f} [{low:+.1f}, {high:+.1f}]"
