"""The number that a sentence states."""

from __future__ import annotations

import re

from noisygrpo.rewards.numeric import Number, numbers_in
from noisygrpo.rewards.statement import is_bound, refuses

LONGEST = 400
"""A longer text is no sentence with a number for an answer."""


_NO_WORDS = re.compile(
    r"[^\w\s.,;:!\"()'-]|[\d_]|(?<![a-zA-Z'])[b-hj-zB-HJ-Z](?![a-zA-Z'])|(?<![a-zA-Z])'|'(?![a-zA-Z])|(?<=\w)-\s*$"
)
"""What may not stand in a sentence beside its number: other mathematics."""

_SUMS = re.compile(
    r"\b(?:plus|minus|times|multiplied|divided|squared|cubed|root|factorial|percent\w*)\b", re.IGNORECASE
)
_INTRODUCES = re.compile(
    r"(?:^|[.,;:!(\"]|\b(?:is|are|was|were|be|equals?|to|of|the|an?|total(?:s|ing)?|have|has|had|count(?:s|ed)?"
    r"|see|contains?|shows?|with|only|exactly|about|approximately|roughly|around|there|gets?|got|gives?|find"
    r"|found|makes?|needs?|answer|result|sum|costs?|weighs?|measures?|takes?|reads?|just|all|these|those|its|his|her"
    r"|their|year|are)|[\u3400-\u9fff])\s*$",
    re.IGNORECASE,
)
"""What stands in front of a quantity. Behind another word a number is a name: room 7, July 7."""


def only_number(text: str) -> Number | None:
    """The only number of a sentence (in `spelling.plain`), None if it has none, several, or takes
    it back: "not 5", "more than 5", "5 or so".
    """
    if len(text) > LONGEST or refuses(text) or _SUMS.search(text) or is_bounded(text):
        return None
    found = numbers_in(text)
    numbers = [number for number, _, _ in found]
    if not numbers or any(each.value != numbers[0].value for each in numbers):
        return None
    rest, at = [], 0
    for _, start, end in found:
        before = text[at:start]
        if not _INTRODUCES.search(text[:start]) or text[end : end + 1].isalnum():
            return None
        rest.append(before)
        at = end
    if _NO_WORDS.search(" ".join([*rest, text[at:]])):
        return None
    return max(numbers, key=lambda number: number.unit.kind != "none")


def is_bounded(text: str) -> bool:
    """Whether a number of a sentence is only a bound: "more than 5", "5 or more"."""
    return any(is_bound(text, start, end) for _, start, end in numbers_in(text))
