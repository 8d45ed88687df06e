"""``noisygrpo rollouts RUN``: a group of rollouts as text: what each saw, said and earned."""

from __future__ import annotations

import argparse
from pathlib import Path

from noisygrpo.errors import require
from noisygrpo.terminal import say

SUMMARY = "Print the rollouts of a prompt at a step: level, completion, rewards, advantage."
TAKES_RECIPE = False

FILTERS = {
    "wrong": "wrong ones",
    "right": "right ones",
    "wrong_up": "wrong ones whose advantage is above 0",
    "right_down": "right ones whose advantage is below 0",
    "prior_driven": "those of groups in which the prior decides (gain above 0.5)",
    "cut_off": "those that were cut off",
    "unscorable": "those that could not be scored",
}
"""Option to what it keeps; several keep what all of them keep."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's own options."""
    parser.add_argument("run", metavar="RUN", help="folder of a run")
    parser.add_argument("--step", type=int, help="default: the last one")
    parser.add_argument(
        "--example", metavar="ID", help="of which row (default: the step's first one)"
    )
    for name, text in FILTERS.items():
        option = f"--{name.replace('_', '-')}"
        parser.add_argument(option, action="store_true", help=f"only {text}, of any row and step")
    parser.add_argument("--level", type=float, help="only those at this noise level")
    parser.add_argument("--text", help="only those whose completion has this text")
    parser.add_argument("--most", type=int, default=16, help="at most so many (default: 16)")
    parser.add_argument("--full", action="store_true", help="whole completions, however long")


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from noisygrpo.report.group_text import Asked, group_text

    require(args.most > 0, f"--most: {args.most} is not positive")
    asked = Asked(
        step=args.step,
        example=args.example,
        level=args.level,
        text=args.text,
        filters=tuple(name for name in FILTERS if vars(args)[name]),
        most=args.most,
        full=args.full,
    )
    say(group_text(Path(args.run), asked))
    return 0
