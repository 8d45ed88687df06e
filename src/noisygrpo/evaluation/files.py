"""Files of evaluations, read with one clear message where one is damaged or no such file at all."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from noisygrpo.errors import UserError, require

Numbered = list[tuple[int, dict[str, Any]]]
"""JSON objects with the numbers of their lines."""


def read_text(path: Path, *, cut: bool = False) -> str:
    """A file of UTF-8 text, its line ends as newlines; with ``cut`` without the sign of several
    bytes within which a kill ended it.

    Raises ``UserError`` for another encoding, and for a file that cannot be read.
    """
    try:
        held = path.read_bytes()
        text = held.decode("utf-8")
    except UnicodeDecodeError as error:
        if not (cut and error.reason == "unexpected end of data"):
            where = f"{error.reason} at byte {error.start}"
            raise UserError(f"{path}: not UTF-8 text ({where}); allowed is UTF-8") from error
        text = held[: error.start].decode("utf-8")
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object that a file is; NaN and infinities, which are not JSON, are refused.

    Raises ``UserError`` for anything else, such as a file that was cut short.
    """
    try:
        found = json.loads(read_text(path), parse_constant=_refuse)
    except (json.JSONDecodeError, RecursionError) as error:
        raise UserError(f"{path}: not JSON ({error}); was it cut short?") from error
    kind = type(found).__name__
    require(isinstance(found, dict), f"{path}: holds a {kind}, allowed is a JSON object")
    return dict(found)


def _refuse(constant: str) -> Any:
    raise json.JSONDecodeError(f"{constant} is no number of JSON", constant, 0)


def read_lines(path: Path) -> Numbered:
    """The objects of a jsonl file. A last line that a kill cut short is left out; one that is
    complete counts, whether a newline follows or not.

    Raises ``UserError`` with the line number where any other line is not a JSON object.
    """
    lines = read_text(path, cut=True).split("\n")
    found: Numbered = []
    for number, line in enumerate(lines, start=1):
        last = number == len(lines)
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            if last:
                break
            raise UserError(f"{path}: line {number} is not JSON: {error}") from error
        if not isinstance(value, dict):
            require(last, f"{path}: line {number} is not a JSON object")
            break
        found.append((number, value))
    return found


def sample_problem(sample: Mapping[str, Any], also: tuple[str, ...] = ()) -> str:
    """What is wrong with a sample, "" for nothing: it has to say its id, its cluster and its
    verdict, or nothing that is made of it is right. ``also``: further fields that have to be there.
    """
    for name in ("example_id", "cluster", "correct", *also):
        if name not in sample:
            return f"{name} is missing"
    for name in ("example_id", "cluster"):
        value = sample[name]
        if isinstance(value, bool) or not isinstance(value, str | int):
            return f"{name} is {value!r:.80}, allowed is text"
    correct = sample["correct"]
    # NaN fails the comparison too.
    if not isinstance(correct, bool | int | float) or not 0 <= correct <= 1:
        return f"correct is {correct!r:.80}, allowed is true, false or a number from 0 to 1"
    return ""
