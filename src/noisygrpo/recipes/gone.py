"""Fields that a recipe could once set, and where they went: old recipes and run folders load.

A value that says what is now always so is left out, with one line; another one is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from noisygrpo.errors import require
from noisygrpo.schema import plain, shown
from noisygrpo.terminal import say


@dataclass(frozen=True)
class Gone:
    """What became of a field."""

    fine: Any
    """The value that means what is now always so."""
    why: str
    """What is so now, and why nothing else is offered."""


GONE: dict[str, dict[str, Gone]] = {
    "training": {
        "ban_image_tokens": Gone(
            True,
            "tokens that stand for images are never sampled: there would be no image behind them",
        )
    },
}
"""Section, then field."""


def leave_out_gone(document: dict[str, Any]) -> None:
    """Take fields that are gone out of a recipe's mapping, in place, with a line for each.

    Raises:
        UserError: one has a value that is offered no longer.
    """
    for section, gone in GONE.items():
        given = document.get(section)
        if not isinstance(given, dict):
            continue
        for name in gone.keys() & given.keys():
            entry, field = gone[name], f"{section}.{name}"
            value = plain(given.pop(name), field)
            require(value == entry.fine, f"{field}: {shown(value)} is not offered: {entry.why}")
            say(f"{field} is no setting any more and left out: {entry.why}", error=True)
