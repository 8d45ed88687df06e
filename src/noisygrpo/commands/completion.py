"""``noisygrpo completion SHELL``: what lets a shell complete commands, options and fields."""

from __future__ import annotations

import argparse

from noisygrpo.errors import UserError
from noisygrpo.models.versions import remedy
from noisygrpo.terminal import say

SUMMARY = "Print what lets your shell complete commands, options, recipes and fields."
TAKES_RECIPE = False
HOW = {
    "bash": "~/.local/share/bash-completion/completions/noisygrpo",
    "zsh": "a folder of $fpath, as _noisygrpo",
    "fish": "~/.config/fish/completions/noisygrpo.fish",
}
"""Shell to the place where its users keep such a script."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's own options."""
    kept = "; ".join(f"{shell}: {place}" for shell, place in HOW.items())
    parser.add_argument("shell", choices=list(HOW), help=f"write what is printed to: {kept}")


def run(args: argparse.Namespace) -> int:
    """Run the command.

    Raises:
        UserError: where the library that writes such scripts is not installed.
    """
    try:
        import shtab
    except ImportError:
        raise UserError(f"completion needs shtab: {remedy('completion')}") from None
    for command in args.parser.commands():
        _offer(command)
    script = shtab.complete(args.parser, shell=args.shell)
    if args.shell == "bash":  # where nothing of ours fits, a file may
        script = script.replace(
            "complete -o bashdefault -F", "complete -o bashdefault -o default -F"
        )
    say(script, end="")
    return 0


def _offer(parser: argparse.ArgumentParser) -> None:
    """Let a shell offer the shipped recipes, and the fields where a command takes them."""
    from noisygrpo.recipes.field_help import all_fields
    from noisygrpo.recipes.layers import recipe_names

    for action in parser._actions:
        if not action.option_strings and action.dest in ("recipe", "name"):
            action.choices = recipe_names()
    if not parser.get_default("takes_recipe"):
        return
    for heading, entries in all_fields().items():
        section = heading.partition(",")[0]
        for one in entries:
            parser.add_argument(f"--{section}.{one.name}", help=one.text.replace("%", "%%"))
