"""``noisygrpo report RUN…``: one page of what happened, which opens from disk without a network."""

from __future__ import annotations

import argparse
from pathlib import Path

from noisygrpo.errors import require
from noisygrpo.terminal import say

SUMMARY = "Write a page of what happened in runs: curves, every rollout and what it saw, samples."
TAKES_RECIPE = False


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's own options."""
    parser.add_argument(
        "runs",
        nargs="+",
        metavar="RUN",
        help="folders of runs or evaluations, also as label=folder; several are laid over each "
        "other, and the first is the one that the others are compared with",
    )
    parser.add_argument(
        "--output",
        metavar="PATH",
        help="the page (default: report.html in the run's folder; of several runs, here)",
    )
    parser.add_argument(
        "--all-views",
        action="store_true",
        help="every picture in its own size and every text, as a folder (default: report/)",
    )
    parser.add_argument(
        "--max-mb",
        type=float,
        default=25.0,
        metavar="N",
        help="megabytes that a page without --all-views may have (default: 25)",
    )
    parser.add_argument("--no-pictures", action="store_true", help="do not read the data")
    parser.add_argument(
        "--recipe",
        help="whose data has the pictures, where it is not the one in the run's folder or that "
        "one names files elsewhere",
    )
    parser.add_argument("--data", default="", metavar="PATH", help="a benchmark's local copy")
    parser.add_argument(
        "--image-root", default="", metavar="DIR", help="what a benchmark's paths are relative to"
    )


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    require(
        not args.recipe or Path(args.recipe).suffix in ("", ".yaml", ".yml"),
        f"--recipe: {args.recipe!r} is neither a shipped name nor a .yaml file",
    )

    # Only now what takes seconds: a mistake above is told at once.
    from noisygrpo.report.sources import Where
    from noisygrpo.report.write import Wanted, write_page
    from noisygrpo.runs.console import quiet_libraries

    quiet_libraries()
    where = Where(Path(args.recipe) if args.recipe else None, args.data, args.image_root)
    output = Path(args.output) if args.output else None
    wanted = Wanted(args.runs, output, args.all_views, not args.no_pictures, args.max_mb, where)
    path, notes = write_page(wanted)
    for note in notes:
        say(note)
    say(f"{path.stat().st_size / 1e6:.1f} MB: {path}")
    return 0
