"""``noisygrpo check RECIPE``: look at data, rewards and memory before paying for a run."""

from __future__ import annotations

import argparse

SUMMARY = "Check a recipe: targets, rewards, batch arithmetic, image tokens, memory, one rollout."
TAKES_RECIPE = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's own options."""
    parser.add_argument(
        "recipe", help="a shipped recipe's name (see `noisygrpo recipes`) or a .yaml file"
    )
    parser.add_argument(
        "--rows", type=int, default=20, help="how many rows are looked at (default: 20)"
    )
    parser.add_argument(
        "--no-rollout", action="store_true", help="do not load the weights and run one rollout"
    )


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from noisygrpo.check import check
    from noisygrpo.console import quiet_libraries
    from noisygrpo.recipe import load_recipe

    quiet_libraries()
    return check(
        load_recipe(args.recipe, args.overrides), rows=args.rows, rollout=not args.no_rollout
    )
