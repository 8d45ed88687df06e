"""The command line ``noisygrpo``, one command per module of ``noisygrpo.commands``.

Fields of a recipe are overridden by their dotted names on the commands that take a recipe, either
``--training.seed 3`` or ``--training.seed=3``; a whole section goes by its name (``--method grpo``,
``--model folder``). Everything else is an option of the command.

A mistake that the user can mend ends in one line ``error: …`` on standard error and status 2,
without a traceback; anything else is a bug and shows its traceback.
"""

from __future__ import annotations

import argparse
import errno
import io
import os
import re
import sys
import traceback
from collections.abc import Sequence

from noisygrpo import __version__
from noisygrpo.arguments import Parser, add_manner
from noisygrpo.commands import (
    check,
    compare,
    completion,
    env,
    evaluate,
    generate,
    levels,
    merge,
    playground,
    recipes,
    report,
    rollouts,
    train,
)
from noisygrpo.errors import OF_A_DISK, RunStopped, UserError, require
from noisygrpo.models.torchvision import torchvision_problem
from noisygrpo.terminal import Loudness, fail, loudness, say, speak
from noisygrpo.threads import leave_soon, wait_briefly

COMMANDS = {
    "train": train,
    "evaluate": evaluate,
    "compare": compare,
    "check": check,
    "levels": levels,
    "report": report,
    "rollouts": rollouts,
    "generate": generate,
    "merge": merge,
    "playground": playground,
    "recipes": recipes,
    "env": env,
    "completion": completion,
}
"""Name to module, which has ``SUMMARY``, ``TAKES_RECIPE``, ``add_arguments``, ``run`` and, where
its help goes on, ``more_help``."""

OF_A_PATH = OF_A_DISK | {errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG}
"""What a system says of a path that a user gave: a command has nothing else to say of it."""

_SECTIONS = ("model", "method", "data", "rewards", "training", "evaluation")
_OVERRIDE = re.compile(rf"--(?:(?:\w+\.)+\w+|{'|'.join(_SECTIONS)})(?:=.*)?", re.DOTALL)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        The exit status: 0; 2 after a mistake of the user's; 1 where a run had to stop; 75 where it
        was asked to; 130 after an interruption.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        overrides: list[tuple[str, str]] = []
        command = next((word for word in words if not word.startswith("-")), "")
        if command in COMMANDS and COMMANDS[command].TAKES_RECIPE:
            words, overrides = split_overrides(words)
        parser = build_parser()
        args = parser.parse_args(words)
        speak(
            getattr(args, "loudness", Loudness.NORMAL), color=not getattr(args, "no_color", False)
        )
        args.overrides, args.parser = overrides, parser
        return COMMANDS[args.command].run(args)
    except UserError as error:
        if loudness() == Loudness.VERBOSE:
            say(traceback.format_exc(), error=True)
        fail(str(error))
        return 2
    except RunStopped as stop:
        if loudness() == Loudness.VERBOSE:
            say(traceback.format_exc(), error=True)
        say(f"stopped: {stop}", error=True)
        return 1
    except (ImportError, RuntimeError):  # a torchvision that does not import breaks Transformers
        problem = torchvision_problem()
        if problem is None:
            raise
        fail(problem)
        return 2
    except OSError as error:
        line = of_the_system(error)
        if line is None:
            raise
        fail(line)
        return 2
    except KeyboardInterrupt:
        say("interrupted", error=True)
        return 130


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    parser = Parser(
        prog="noisygrpo",
        description="Group-relative RL for vision-language models with noisy views.",
    )
    add_manner(parser)
    parser.add_argument("--version", action="version", version=f"noisygrpo {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, module in COMMANDS.items():
        text = module.SUMMARY
        if module.TAKES_RECIPE:
            text += " Any field of the recipe can be overridden: --training.learning_rate 1e-5."
            text += "" if name == "train" else " `noisygrpo train --help` lists them."
        more = getattr(module, "more_help", None)
        sections = [f"--{one}" for one in _SECTIONS] if module.TAKES_RECIPE else []
        sub = commands.add_parser(
            name, help=module.SUMMARY, description=text, more_help=more, further=sections
        )
        sub.set_defaults(takes_recipe=module.TAKES_RECIPE)
        add_manner(sub)
        module.add_arguments(sub)
    return parser


def split_overrides(words: Sequence[str]) -> tuple[list[str], list[tuple[str, str]]]:
    """Take ``--section.field value`` pairs out of the words, so argparse sees only its own.

    Raises:
        UserError: for an override without a value.
    """
    rest: list[str] = []
    overrides: list[tuple[str, str]] = []
    queue = list(words)
    while queue:
        word = queue.pop(0)
        if not _OVERRIDE.fullmatch(word):
            rest.append(word)
            continue
        name, equals, value = word[2:].partition("=")
        if not equals:
            require(bool(queue) and not queue[0].startswith("--"), f"{word}: a value is missing")
            value = queue.pop(0)
        overrides.append((name, value))
    return rest, overrides


def of_the_system(error: OSError) -> str | None:
    """What a disk or a folder says, in one line; None for an error of another kind."""
    if error.errno is None or error.errno not in OF_A_PATH:
        return None
    where = f"{os.fsdecode(error.filename)}: " if error.filename else "cannot write: "
    return f"{where}{os.strerror(error.errno)}"


def entry_point() -> None:
    """The console script ``noisygrpo``."""
    wait_briefly()
    for stream in (sys.stdout, sys.stderr):  # an encoding without our characters is no error
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        status = main()
        leave_soon(status)
        sys.exit(status)
    except BrokenPipeError:  # whoever read our output (`| head`) has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)  # what a shell reports for a program that SIGPIPE ended
