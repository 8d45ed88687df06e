"""What a part of the net is: trials with names, and the outcomes that count as held."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple


class Outcome(NamedTuple):
    """How a trial ended."""

    kind: str
    """One of the part's words: ``survived``, ``clear``, ``traceback``, …"""
    note: str = ""
    """What to know of it, in one line."""
    facts: Mapping[str, float] = MappingProxyType({})
    """What the report counts besides."""


class Trial(NamedTuple):
    """One thing that can go wrong."""

    name: str
    """Unique in its part, and the same each time: results are kept by it."""
    run: Callable[[Path], Outcome]
    """Given an empty folder."""


@dataclass(frozen=True)
class Part:
    """Trials of one kind."""

    name: str
    title: str
    """Its line in the table."""
    trials: Callable[[Path], list[Trial]]
    """Given a folder that the part's trials share, for what they all start from."""
    held: tuple[str, ...]
    """Outcomes that are as promised; the first is the usual one."""
    every: int = field(default=8)
    """``make test`` runs each so-manieth trial."""
