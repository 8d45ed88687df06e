"""``noisygrpo train RECIPE``: evaluate, train, save, evaluate again."""

from __future__ import annotations

import argparse

from noisygrpo.terminal import say

SUMMARY = "Train as a recipe says, and measure before and after."
TAKES_RECIPE = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's own options."""
    parser.add_argument(
        "recipe", help="a shipped recipe's name (see `noisygrpo recipes`) or a .yaml file"
    )
    parser.add_argument("--output-dir", help="where everything goes (default: runs/<recipe>)")
    parser.add_argument(
        "--overwrite", action="store_true", help="replace the run that the folder holds"
    )
    parser.add_argument(
        "--resume", action="store_true", help="continue from the folder's last checkpoint"
    )
    parser.add_argument(
        "--no-evaluation", action="store_true", help="do not measure before and after"
    )


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from accelerate import PartialState
    from noisygrpo.recipes.recipe import load_recipe
    from noisygrpo.runs.console import quiet_libraries
    from noisygrpo.runs.train import train
    from noisygrpo.training.finite import NonFiniteError

    quiet_libraries()
    overrides = list(args.overrides)
    if args.no_evaluation:
        overrides.append(("evaluation", "null"))
    recipe = load_recipe(args.recipe, overrides)
    try:
        train(recipe, args.output_dir, overwrite=args.overwrite, resume=args.resume)
    except NonFiniteError as error:  # not a bug, and nothing that a traceback explains
        say(f"stopped: {error}", error=True)
        return 1
    # A process whose connections to the others are open when it exits may be aborted.
    PartialState().destroy_process_group()
    return 0
