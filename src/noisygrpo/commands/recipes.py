"""``noisygrpo recipes [NAME]``: list the shipped recipes, or print one to copy."""

from __future__ import annotations

import argparse

from noisygrpo.terminal import say

SUMMARY = "List the shipped recipes, or print one to start your own from."
TAKES_RECIPE = False


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's own options."""
    parser.add_argument("name", nargs="?", help="the recipe to print")


def run(args: argparse.Namespace) -> int:
    """Run the command."""
    from noisygrpo.recipes.recipe import recipe_names, recipe_text

    if args.name is not None:
        say(recipe_text(args.name), end="")
        return 0
    for name in recipe_names():
        first = recipe_text(name).splitlines()[0]
        say(f"{name:24} {first.removeprefix('#').strip()}")
    return 0
