"""Checking a mapping written by a user against the fields of a dataclass.

A recipe is YAML: text, numbers, lists and mappings. These functions say in one message which
field is wrong, what it holds and what is allowed, and name the nearest valid key for a misspelt
one. A command-line override (``--training.seed 3``) arrives as text of unknown type and is
marked :class:`Raw`: it is read as YAML where that suits the field, and stays text where the
field wants text.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import difflib
import enum
import numbers
import types
import typing
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from noisygrpo.errors import UserError, require
from noisygrpo.yaml_text import read_yaml


class Raw(str):
    """Text from the command line whose type is that of the field it is meant for."""


def shown(value: Any, most: int = 80) -> str:
    """``repr`` for a message, cut where it is long."""
    text = repr(value)
    return text if len(text) <= most else f"{text[:most]}… ({len(text):,} characters)"


def near(word: object, allowed: Collection[str]) -> str:
    """``"; did you mean 'x'?"`` for a near miss, else nothing."""
    close = difflib.get_close_matches(str(word), allowed, n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else ""


def nearest(word: str, allowed: Collection[str]) -> str:
    """``near``, or the list of what is allowed."""
    if said := near(word, allowed):
        return said
    listed = sorted(allowed)
    return f"; allowed: {', '.join(listed[:40])}{', …' if len(listed) > 40 else ''}"


def hints_of(cls: type) -> dict[str, Any]:
    """Type of every init field of a dataclass; its ``NARROWER`` types stand above annotations that
    other tools must be able to read.
    """
    hints = typing.get_type_hints(cls) | getattr(cls, "NARROWER", {})
    return {field.name: hints[field.name] for field in dataclasses.fields(cls) if field.init}


def checked(mapping: Any, hints: Mapping[str, Any], section: str) -> dict[str, Any]:
    """The mapping with every key known, every value of its field's type and every override read.

    Args:
        mapping: what the user wrote under ``section``; None (an empty section) counts as {}.
        hints: allowed keys with the type of each.
        section: what the message calls it, such as ``training``; "" at the top of a recipe.

    Raises:
        UserError: an unknown key (with the nearest valid one) or a value of the wrong type.
    """
    require(
        mapping is None or isinstance(mapping, Mapping),
        f"{section or 'the recipe'}: {shown(mapping)} is not a mapping of names to values",
    )
    prefix = f"{section}." if section else ""
    result = {}
    for key, value in (mapping or {}).items():
        require(key in hints, f"{prefix}{key} is not a known field{nearest(key, hints)}")
        result[key] = read_value(value, hints[key], prefix + key)
    return result


def read_value(value: Any, hint: Any, field: str) -> Any:
    """The value as ``hint`` wants it: overrides parsed, whole numbers widened to floats.

    Raises:
        UserError: naming the field, the value and the type that is allowed.
    """
    if isinstance(value, Raw):
        value = _as_wanted(str(value), hint, field)
    value = plain(value, field)
    if value is False and not fits(value, hint) and fits("no", hint) and str not in _options(hint):
        value = "no"  # what YAML makes of ``save_strategy: no`` without quotes
    close = near(value, _named(hint)) if isinstance(value, str) else ""
    require(fits(value, hint), f"{field}: {shown(value)} is not {describe(hint)}{close}")
    if type(value) is int and float in _options(hint) and int not in _options(hint):
        return float(value)
    return value


def _as_wanted(text: str, hint: Any, field: str) -> Any:
    """The words of an override as the field wants them: of text as they stand, line breaks, braces
    and number signs among them; only ``null`` alone is no value.
    """
    if str not in _options(hint):
        parsed = read_yaml(text, f"--{field}")
        return parsed if fits(parsed, hint) else text
    try:
        parsed = read_yaml(text, f"--{field}")
    except UserError:
        return text
    none = parsed is None and text.strip().lower() not in ("null", "~")
    return text if none or isinstance(parsed, str) or not fits(parsed, hint) else parsed


def plain(value: Any, field: str) -> Any:
    """Read overrides inside free-form values (``--model.lora.r 8``) as YAML."""
    if isinstance(value, Raw):
        return read_yaml(str(value), f"--{field}")
    if isinstance(value, Mapping):
        return {key: plain(item, f"{field}.{key}") for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item, field) for item in value]
    return value


def _options(hint: Any) -> tuple[Any, ...]:
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return tuple(option for part in typing.get_args(hint) for option in _options(part))
    return (hint,)


def _named(hint: Any) -> list[str]:
    """The names that a type allows, if it lists some."""
    literal = [one for one in _options(hint) if typing.get_origin(one) is typing.Literal]
    return [name for one in literal for name in typing.get_args(one) if isinstance(name, str)]


def check_enumerated(values: Mapping[str, Any], hints: Mapping[str, Any]) -> None:
    """Refuse a text where a type lists names (``SchedulerType | str``), by the field's name."""
    for name, hint in hints.items():
        listed: list[Any] = [one for one in _options(hint) if isinstance(one, enum.EnumMeta)]
        allowed = [str(member.value) for one in listed for member in one]
        value = values.get(name)
        if not listed or not isinstance(value, str) or isinstance(value, enum.Enum):
            continue
        require(
            value in allowed,
            f"{name}: {shown(value)} is not one of {', '.join(allowed)}{near(value, allowed)}",
        )


def fits(value: Any, hint: Any) -> bool:
    """Whether a value read from YAML is of the type; a type unknown to YAML accepts anything."""
    return any(_fits_one(value, option) for option in _options(hint))


def _fits_one(value: Any, hint: Any) -> bool:
    if hint is None or hint is type(None):
        return value is None
    origin = typing.get_origin(hint) or hint
    if origin is typing.Literal:
        return value in typing.get_args(hint)
    if not isinstance(origin, type) or origin is object:
        return True
    if issubclass(origin, enum.Enum):
        return value in [member.value for member in origin]
    if _is_function(hint):
        return callable(value)
    if origin in (bool, str):
        return isinstance(value, origin)
    if origin in (int, float):  # NumPy's numbers too, which come from Python
        kind = numbers.Integral if origin is int else numbers.Real
        return isinstance(value, kind) and not isinstance(value, bool)
    if issubclass(origin, Path):
        return isinstance(value, str)
    return _fits_container(value, hint, origin)


def _is_function(hint: Any) -> bool:
    return typing.get_origin(hint) is collections.abc.Callable


def _fits_container(value: Any, hint: Any, origin: type) -> bool:
    args = [arg for arg in typing.get_args(hint) if arg is not Ellipsis]
    if issubclass(origin, collections.abc.Mapping):
        return isinstance(value, Mapping) and (
            len(args) != 2 or all(fits(item, args[1]) for item in value.values())
        )
    if issubclass(origin, (list, tuple, collections.abc.Sequence)):
        return isinstance(value, (list, tuple)) and (
            len(args) != 1 or all(fits(item, args[0]) for item in value)
        )
    return True


MOST_NAMES = 16
"""Of those that a message lists."""

_NAMES = {
    bool: "true or false",
    str: "text",
    int: "a whole number",
    float: "a number",
    type(None): "null",
}


def describe(hint: Any) -> str:
    """The type in a reader's words, such as "a number or null"."""
    return " or ".join(dict.fromkeys(_describe_one(option) for option in _options(hint)))


def _describe_one(hint: Any) -> str:
    origin = typing.get_origin(hint) or hint
    if origin is typing.Literal:
        names = [repr(option) for option in typing.get_args(hint)]
        more = ", …" if len(names) > MOST_NAMES else ""
        return "one of " + ", ".join(names[:MOST_NAMES]) + more
    if isinstance(origin, type) and issubclass(origin, enum.Enum):
        return "one of " + ", ".join(repr(member.value) for member in origin)
    if _is_function(hint):
        return "a function"
    if hint in _NAMES:
        return _NAMES[hint]
    if isinstance(origin, type) and issubclass(origin, collections.abc.Mapping):
        inner = [arg for arg in typing.get_args(hint) if arg not in (Any, object)]
        return f"a mapping of names to {describe(inner[1])}" if len(inner) == 2 else "a mapping"
    if isinstance(origin, type) and issubclass(origin, collections.abc.Sequence):
        args = [arg for arg in typing.get_args(hint) if arg is not Ellipsis]
        return f"a list (of {describe(args[0])})" if len(args) == 1 else "a list"
    return str(hint)
