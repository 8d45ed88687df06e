"""Keys and passwords that a user gives, kept out of all that is printed and written.

A setting is known as a key by its name (``hub_token``, ``api_key``, ``password`` …), a key in a
text by where it stands (``https://user:password@host``, ``?token=…``, ``api_key: …``) or by its
look (``hf_…``, ``sk-…``). Short words behind ``key`` or ``token`` are none: a reward may have a
parameter of that name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

HIDDEN = "***"

_KIND = "api|access|auth|bearer|hub|hf|secret|private|wandb|judge"
NAME = rf"(?:\w*(?:{_KIND})[_-]?(?:key|token)|\w*(?:password|passwd|secret|credentials?))"
_NAME = re.compile(NAME, re.IGNORECASE)
_PLAIN = re.compile(r"key|token", re.IGNORECASE)
_LONG = re.compile(r"\S{16,}")
_IN_TEXT = (
    (re.compile(r"(\w://)[^/\s@'\"]+@"), rf"\1{HIDDEN}@"),
    (
        re.compile(rf"(?i)([?&](?:{NAME}|key|token|sig|signature)=)[^&\s'\"]+"),
        rf"\1{HIDDEN}",
    ),
    (re.compile(rf"(?i)(\b{NAME}['\"]?\s*[:=]\s*['\"]?)(?!null\b)[^\s'\",}}&]+"), rf"\1{HIDDEN}"),
    (re.compile(r"\b(?:hf_[A-Za-z0-9]{16,}|sk-[\w-]{16,}|gh[pousr]_\w{16,})"), HIDDEN),
)


def is_key(name: str, value: Any) -> bool:
    """Tell whether a setting holds a key."""
    if not isinstance(value, str) or not value:
        return False
    plain = _PLAIN.fullmatch(name) is not None and _LONG.fullmatch(value) is not None
    return plain or _NAME.fullmatch(name) is not None


def hidden(text: str) -> str:
    """Return a text with ``***`` in the place of every key."""
    for pattern, shown in _IN_TEXT:
        text = pattern.sub(shown, text)
    return text


def without_keys(value: Any, left_out: list[str] | None = None, prefix: str = "") -> Any:
    """Return settings without those that are keys, and without keys in their texts.

    Args:
        value: mappings and lists of plain values.
        left_out: gets the dotted names of what was left out or hidden.
        prefix: of these.
    """
    gone = [] if left_out is None else left_out
    if isinstance(value, Mapping):
        keys = [name for name, item in value.items() if is_key(str(name), item)]
        gone.extend(f"{prefix}{name}" for name in keys)
        rest = {name: item for name, item in value.items() if name not in keys}
        return {name: without_keys(item, gone, f"{prefix}{name}.") for name, item in rest.items()}
    if isinstance(value, (list, tuple)):
        return [without_keys(item, gone, f"{prefix}{n}.") for n, item in enumerate(value)]
    if isinstance(value, str) and hidden(value) != value:
        gone.append(prefix.rstrip("."))
        return hidden(value)
    return value


def hidden_words(words: Sequence[str]) -> list[str]:
    """Return a command line with ``***`` in the place of every key."""
    shown: list[str] = []
    for number, word in enumerate(words):
        name, equals, value = word.partition("=")
        before = words[number - 1] if number else ""
        if equals and name.startswith("--") and is_key(_field(name), value):
            shown.append(f"{name}={HIDDEN}")
        elif before.startswith("--") and is_key(_field(before), word):
            shown.append(HIDDEN)
        else:
            shown.append(hidden(word))
    return shown


def _field(option: str) -> str:
    return option.lstrip("-").rpartition(".")[2].replace("-", "_")
