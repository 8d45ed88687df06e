"""A parser of arguments that names the nearest word for one that it does not know."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from noisygrpo.schema import nearest
from noisygrpo.terminal import Loudness, fail

_CHOICE = re.compile(r"argument (\S+): invalid choice: '(.*?)' \(choose from (.*)\)", re.DOTALL)
_UNKNOWN = re.compile(r"unrecognized arguments: (-\S*)(?:\s|$)")


class Parser(argparse.ArgumentParser):
    """Argparse's, whose errors are one line with the nearest word that is known.

    Args:
        more_help: gives further help, which is put together only when it is asked for.
        further: options that are read before this parser, such as ``--method`` of a recipe.
    """

    def __init__(
        self,
        *,
        more_help: Callable[[], str] | None = None,
        further: Sequence[str] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(**{"allow_abbrev": False, **kwargs})
        self._more_help, self._further = more_help, further

    def format_help(self) -> str:
        """Return the help, with what ``more_help`` gives behind it."""
        more = self._more_help() if self._more_help else ""
        return super().format_help() + (f"\n{more}\n" if more else "")

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse, and blame a word that nothing takes on the command that it was given to."""
        values, rest = self.parse_known_args(args, namespace)
        if rest:
            named = f"{self.prog} {getattr(values, 'command', None)}"
            parser = next((one for one in self.commands() if one.prog == named), self)
            parser.error(f"unrecognized arguments: {' '.join(rest)}")
        return values

    def commands(self) -> list[Parser]:
        """Return the parsers of the commands."""
        groups = [one for one in self._actions if isinstance(one, argparse._SubParsersAction)]
        return [parser for group in groups for parser in group.choices.values()]

    def error(self, message: str) -> NoReturn:
        """End with status 2 and one line."""
        if match := _CHOICE.search(message):
            argument, word, listed = match.groups()
            allowed = [one.strip().strip("'\"") for one in listed.split(",")]
            what = "command" if argument == "COMMAND" else argument
            message = f"{what}: {word!r} is not known{nearest(word, allowed)}"
        elif match := _UNKNOWN.match(message):
            word = match[1].partition("=")[0]
            message = f"{self.prog}: {word} is no option of it{nearest(word, self._options())}"
        else:
            message = f"{message} (see `{self.prog} --help`)"
        fail(message)
        self.exit(2)

    def _options(self) -> list[str]:
        actions = [action for action in self._actions if action.help != argparse.SUPPRESS]
        own = [one for action in actions for one in action.option_strings if one[:2] == "--"]
        return [*own, *self._further]


def add_manner(parser: argparse.ArgumentParser) -> None:
    """Declare how loud a command shall be; these options may stand before or behind its name."""
    loud = parser.add_mutually_exclusive_group()
    loud.add_argument(
        *("-q", "--quiet"),
        dest="loudness",
        action="store_const",
        const=Loudness.QUIET,
        default=argparse.SUPPRESS,
        help="say results, warnings and errors only",
    )
    loud.add_argument(
        *("-v", "--verbose"),
        dest="loudness",
        action="store_const",
        const=Loudness.VERBOSE,
        default=argparse.SUPPRESS,
        help="say also what the libraries say, and show the traceback of an error",
    )
    parser.add_argument(
        "--no-color",
        action="store_true",
        default=argparse.SUPPRESS,
        help="no colours on a terminal (as with NO_COLOR=1)",
    )
