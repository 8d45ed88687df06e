"""The number that a sentence states."""

from __future__ import annotations

from noisygrpo.rewards.numeric import Number, numbers_in
from noisygrpo.rewards.statement import is_bound, refuses

LONGEST = 400
"""A longer text is no sentence with a number for an answer."""


def only_number(text: str) -> Number | None:
    """The only number of a sentence (in `spelling.plain`), None if it has none, several, or takes
    it back: "not 5", "more than 5", "5 or so".
    """
    if len(text) > LONGEST or refuses(text) or is_bounded(text):
        return None
    numbers = [number for number, _, _ in numbers_in(text)]
    if not numbers or any(each.value != numbers[0].value for each in numbers):
        return None
    return max(numbers, key=lambda number: number.unit.kind != "none")


def is_bounded(text: str) -> bool:
    """Whether a number of a sentence is only a bound: "more than 5", "5 or more"."""
    return any(is_bound(text, start, end) for _, start, end in numbers_in(text))
