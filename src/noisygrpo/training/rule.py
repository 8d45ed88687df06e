"""A rule of what a setting needs to have an effect."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Values = Mapping[str, Any]


@dataclass(frozen=True)
class Rule:
    """Fields that need something."""

    names: tuple[str, ...]
    switches: tuple[str, ...]
    """Fields that decide whether they have an effect; shown with their values."""
    works: Callable[[Values], bool]
    needs: str
    """How to make them have one."""
