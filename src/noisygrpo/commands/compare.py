"""``noisygrpo compare RUN…``: paired differences between runs on the same samples."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from noisygrpo.errors import UserError, require_file_to_write
from noisygrpo.terminal import say

if TYPE_CHECKING:
    from noisygrpo.evaluation.compare import Comparison

SUMMARY = "Compare runs on the same samples: differences with intervals and tests, over seeds."
TAKES_RECIPE = False


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's own options."""
    parser.add_argument(
        "runs",
        nargs="+",
        metavar="RUN",
        help="folders of runs or evaluations, also as label=folder; the first is the baseline, and "
        "runs whose names differ only in a seed count as one method",
    )
    parser.add_argument("--plot", metavar="FILE", help="draw the differences into a PNG file")
    parser.add_argument("--json", metavar="FILE", help="write all numbers into a JSON file")
    parser.add_argument(
        "--confidence", type=float, default=0.95, help="of the intervals (default: 0.95)"
    )
    parser.add_argument("--markdown", action="store_true", help="print Markdown tables")


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    for option in ("plot", "json"):
        if vars(args)[option] is not None:
            require_file_to_write(Path(vars(args)[option]), f"--{option}")

    # Only now what takes seconds: a mistake above is told at once.
    from noisygrpo.evaluation.compare import compare_runs
    from noisygrpo.report.comparison import comparison_table
    from noisygrpo.report.plots import require_png

    if args.plot is not None:
        require_png(Path(args.plot), "--plot")
    comparison = compare_runs(args.runs, confidence=args.confidence)
    say(comparison_table(comparison, "markdown" if args.markdown else "text"))
    try:
        _write(comparison, args)
    except OSError as error:
        raise UserError(f"{error.filename}: cannot be written: {error.strerror}") from error
    return 0


def _write(comparison: Comparison, args: argparse.Namespace) -> None:
    from noisygrpo.evaluation.samples import write_json
    from noisygrpo.report.comparison import comparison_plot

    if args.json is not None:
        Path(args.json).parent.mkdir(parents=True, exist_ok=True)
        write_json(Path(args.json), comparison.to_dict())
    if args.plot is not None:
        say(f"\nplot: {comparison_plot(comparison, args.plot)}")
