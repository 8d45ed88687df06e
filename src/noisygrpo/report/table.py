"""Tables for a terminal and for Markdown: accuracies with standard errors, before and after
training.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from noisygrpo.errors import require

Summary = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""``{split: {"before": {accuracy, stderr, n}, "after": {...}, "difference": {...} (optional)}}``"""

STYLES = ("text", "markdown")


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
    """
    require(style in STYLES, f"style: {style!r}, allowed are {', '.join(STYLES)}")
    if style == "markdown":
        rule = ["---", *["---:"] * (len(header) - 1)]
        lines = [header, rule, *rows]
        return "\n".join(
            "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines
        )
    widths = [max(len(line[column]) for line in [header, *rows]) for column in range(len(header))]

    def aligned(line: Sequence[str]) -> str:
        first = line[0].ljust(widths[0])
        return "  ".join(
            [first, *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True))]
        )

    return "\n".join(
        [aligned(header), "  ".join("─" * width for width in widths), *map(aligned, rows)]
    )


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
