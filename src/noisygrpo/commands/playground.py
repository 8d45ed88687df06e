"""``noisygrpo playground show | warmstart``: the built-in world and its model."""

from __future__ import annotations

import argparse
from pathlib import Path

from noisygrpo.errors import require
from noisygrpo.terminal import say

SUMMARY = "Look at the built-in world, or train its model's first weights again."
TAKES_RECIPE = False

STAGES = ("see", "locate", "spread", "reason", "read", "look", "slip")
OPTIONS = ("seed", "batch", *(f"{stage}_steps" for stage in STAGES if stage != "spread"))
"""Fields of ``WarmStart`` that are options."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's own options."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    show = actions.add_parser("show", help="write examples of a split as pictures and text")
    show.add_argument("--split", default="test")
    show.add_argument("--rows", type=int, default=8)
    show.add_argument("--seed", type=int, default=0)
    show.add_argument("--output-dir", default="runs/playground")
    warm = actions.add_parser("warmstart", help="supervised training from random weights")
    warm.add_argument("--output-dir", default="runs/warmstart")
    for name in OPTIONS:
        warm.add_argument(
            f"--{name.replace('_', '-')}", type=int, help="default: the shipped weights'"
        )
    warm.add_argument(
        "--stage", choices=STAGES, help="this stage alone; see and reason may run side by side"
    )
    warm.add_argument("--no-gates", action="store_true", help="go on after a probe that fails")


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    return _show(args) if args.action == "show" else _warmstart(args)


def _show(args: argparse.Namespace) -> int:
    from noisygrpo.playground import make_split

    folder = Path(args.output_dir)
    require(not folder.exists() or folder.is_dir(), f"--output-dir: {folder} is a file")
    rows = make_split(args.split, args.rows, args.seed)
    folder.mkdir(parents=True, exist_ok=True)
    for row in rows:
        path = folder / f"{row['example_id']}.png"
        row["images"][0].save(path)
        say(f"{path}\n  {row['question']}\n  {row['reasoning']}\n  answer: {row['answer']}")
    return 0


def _warmstart(args: argparse.Namespace) -> int:
    from noisygrpo.playground.warmstart import WarmStart, train

    given = {name: vars(args)[name] for name in OPTIONS if vars(args)[name] is not None}
    for name, value in given.items():
        least, option = int(name == "batch"), f"--{name.replace('_', '-')}"
        require(least <= value < 2**32, f"{option}: {value}, allowed is {least} to {2**32 - 1:,}")
    out = Path(args.output_dir)
    train(WarmStart(**given), out, only=args.stage, gates=not args.no_gates)
    if (out / "model.safetensors").exists():
        say(f"look at it with: noisygrpo evaluate --model {out}")
    return 0
