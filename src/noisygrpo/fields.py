"""The fields of a recipe's sections, without the seconds that importing their libraries takes.

``fields.json`` says name, type and default of every field of ``data``, ``training`` and
``model.lora``, and the names that some may hold, as the tested versions have them (``make
fields`` writes it from the classes themselves, a test compares). With these versions installed a
recipe is checked by the file alone. With others a name that the file does not know is looked up in
the library before it is refused.
"""

from __future__ import annotations

import functools
import json
from importlib import metadata, resources
from typing import Any, Literal

PATH = "fields.json"
PACKAGES = ("peft", "transformers", "trl")
"""Whose classes the fields are from."""

_ATOMS = {"str": str, "int": int, "float": float, "bool": bool, "null": type(None), "any": object}


@functools.cache
def _document() -> dict[str, Any]:
    text = (resources.files("noisygrpo") / PATH).read_text(encoding="utf-8")
    document: dict[str, Any] = json.loads(text)
    return document


@functools.cache
def hints(section: str) -> dict[str, Any]:
    """Name to type of the fields of ``data``, ``training`` or ``model.lora``."""
    return {name: _hint(entry["type"]) for name, entry in _document()["fields"][section].items()}


def defaults(section: str) -> dict[str, Any]:
    """Name to default of the fields of a section; null where there is none."""
    return {name: entry["default"] for name, entry in _document()["fields"][section].items()}


def choices() -> dict[str, tuple[str, ...]]:
    """Name of a field of ``training`` to the names that it may hold."""
    return {name: tuple(names) for name, names in _document()["choices"].items()}


def generation() -> tuple[str, ...]:
    """What ``generation_kwargs`` may name where Transformers generates."""
    return tuple(_document()["generation"])


def as_tested() -> bool:
    """Whether the installed versions are those that the file describes."""
    return all(_installed(name) in (version, None) for name, version in versions().items())


def versions() -> dict[str, str]:
    """Package to the version that the file describes."""
    found: dict[str, str] = _document()["versions"]
    return found


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:  # PEFT is an extra
        return None


def _hint(options: list[Any]) -> Any:
    """The type that `fields.json` describes, for `noisygrpo.schema`."""
    hint: Any = None
    for option in options:
        if isinstance(option, str):
            one: Any = _ATOMS[option]
        elif "one of" in option:
            one = Literal[tuple(option["one of"])]
        elif "list" in option:
            one = list[_hint(option["list"])]  # type: ignore[misc]
        else:
            one = dict[str, _hint(option["dict"])]  # type: ignore[misc]
        hint = one if hint is None else hint | one
    return hint
