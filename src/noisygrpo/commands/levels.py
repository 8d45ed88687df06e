"""``noisygrpo levels RECIPE``: what noise levels mean for this model and these pictures."""

from __future__ import annotations

import argparse

SUMMARY = "Measure accuracy and reward by noise level, and propose levels that mean something."
TAKES_RECIPE = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's own options."""
    parser.add_argument(
        "recipe", help="a shipped recipe's name (see `noisygrpo recipes`) or a .yaml file"
    )
    parser.add_argument(
        "--output-dir", help="where everything goes (default: runs/levels/<recipe>-<hash>)"
    )
    parser.add_argument("--rows", type=int, default=200, help="how many are drawn (default: 200)")
    parser.add_argument(
        "--levels", nargs="+", type=float, metavar="N", help="default: 0 0.1 0.2 and so on to 1"
    )
    parser.add_argument(
        "--temperature", type=float, help="0 is greedy (default: the recipe's, as rollouts have it)"
    )
    parser.add_argument(
        "--by", default="accuracy", help="what the grid is made from: accuracy (default) or reward"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the draw, the noise and sampling")


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from pathlib import Path

    from noisygrpo.recipes.recipe import load_recipe
    from noisygrpo.recipes.settings import check_settings

    recipe = load_recipe(args.recipe, args.overrides, check_settings)

    # Only now what takes seconds: a mistake above is told at once.
    from noisygrpo.report.levels import levels_text
    from noisygrpo.runs.console import quiet_libraries
    from noisygrpo.runs.levels import LevelsPlan, measure_levels
    from noisygrpo.terminal import say

    quiet_libraries()
    given = {} if args.levels is None else {"levels": tuple(args.levels)}
    plan = LevelsPlan(
        rows=args.rows, seed=args.seed, temperature=args.temperature, by=args.by, **given
    )
    folder = None if args.output_dir is None else Path(args.output_dir)
    found, where = measure_levels(recipe, folder, plan)
    say(f"\n{levels_text(found)}\n\nnumbers, plot and every answer: {where}")
    return 0
