"""``noisygrpo train RECIPE``: evaluate, train, save, evaluate again."""

from __future__ import annotations

import argparse

from noisygrpo.errors import require
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
        "--auto-resume",
        action="store_true",
        help="start, or continue where the folder holds a checkpoint: one command for a scheduler",
    )
    parser.add_argument(
        "--changed",
        action="store_true",
        help="with --resume: go on although settings or data differ from the checkpoint's",
    )
    parser.add_argument(
        "--no-evaluation", action="store_true", help="do not measure before and after"
    )


def more_help() -> str:
    """Return the fields of a recipe by topic."""
    from noisygrpo.recipes.field_help import field_lines

    return field_lines()


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from noisygrpo.recipes.recipe import load_recipe
    from noisygrpo.recipes.settings import check_settings

    overrides = list(args.overrides)
    if args.no_evaluation:
        overrides.append(("evaluation", "null"))
    require(
        args.overwrite + args.resume + args.auto_resume <= 1,
        "--overwrite, --resume and --auto-resume exclude each other",
    )
    goes_on = args.resume or args.auto_resume
    require(goes_on or not args.changed, "--changed: only with --resume or --auto-resume")
    recipe = load_recipe(args.recipe, overrides, check_settings)

    # Only now what takes seconds: a mistake above is told at once.
    from accelerate import PartialState
    from noisygrpo.runs.console import quiet_libraries
    from noisygrpo.runs.interrupt import NOT_FINISHED, NotFinished, stopping_at_once
    from noisygrpo.runs.train import train

    quiet_libraries()
    try:
        with stopping_at_once():
            train(
                recipe,
                args.output_dir,
                overwrite=args.overwrite,
                resume="auto" if args.auto_resume else args.resume,
                changed=args.changed,
            )
    except NotFinished as stop:
        say(str(stop), error=True)
        PartialState().destroy_process_group()
        return NOT_FINISHED
    # A process whose connections to the others are open when it exits may be aborted.
    PartialState().destroy_process_group()
    return 0
