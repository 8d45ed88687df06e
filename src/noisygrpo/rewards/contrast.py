"""Words on which an answer turns: two texts that differ there are not alike, whatever else is.

Sentence embeddings put "left" beside "right", "12" beside "13" and "red" beside "blue". Two texts
contradict each other if both speak of the same thing, a number, a colour, a side, a degree, and not
of the same one, or if one of them denies what the other says.
"""

from __future__ import annotations

import re

from noisygrpo.rewards.prose import numbers_in
from noisygrpo.rewards.spelling import plain, words

# fmt: off
CONTRASTS: tuple[frozenset[str], ...] = tuple(frozenset(words(group)) for group in (
    "red orange yellow green blue purple violet pink brown black white gray grey gold silver beige"
    " cyan magenta turquoise",
    "left right middle center centre", "top bottom upper lower up down",
    "above below over under beneath",
    "front behind back", "inside outside indoor outdoor indoors outdoors", "near far",
    "north south east west northeast northwest southeast southwest",
    "big small large little huge tiny", "long short tall", "high low", "wide narrow", "thick thin",
    "more less fewer", "most least fewest",
    "increase decrease increasing decreasing rise fall grow shrink",
    "maximum minimum", "first second third fourth last", "open closed shut", "on off", "full empty",
    "hot cold warm cool", "light dark", "day night", "wet dry", "old young new",
    "man woman boy girl male female men women", "sitting standing lying walking running",
    "same different", "equal unequal",
    "before after", "positive negative", "true false", "yes no", "happy sad angry", "clean dirty",
    "fast slow", "odd even", "clockwise counterclockwise anticlockwise", "acute obtuse",
    "horizontal vertical diagonal",
    "circle square triangle rectangle pentagon hexagon", "all none some",
    "monday tuesday wednesday thursday friday saturday sunday", "spring summer autumn fall winter",
    "january february march april may june july august september october november december",
))
# fmt: on
"""Words of which one excludes the others."""

_NEGATION = re.compile(
    r"\b(?:not|no|never|none|nobody|nothing|neither|nor|without|cannot|absent|missing)\b|n't\b"
    r"|[不没无]",
    re.IGNORECASE,
)


_HEDGE = re.compile(r"\b(?:or|either|maybe|perhaps|possibly)\b|或", re.IGNORECASE)


def contradicts(first: str, second: str) -> bool:
    """Whether ``first`` denies ``second``, hedges it, or says another thing of the same."""
    said, other = set(words(first)), set(words(second))
    for group in CONTRASTS:
        mine, theirs = said & group, other & group
        if mine and theirs and mine != theirs:
            return True
    numbers = [{n.value for n, _, _ in numbers_in(plain(text))} for text in (first, second)]
    if numbers[0] and numbers[1] and numbers[0] != numbers[1]:
        return True
    if _HEDGE.search(first) and not _HEDGE.search(second):
        return True
    denied = [len(_NEGATION.findall(text)) % 2 for text in (first, second)]
    return denied[0] != denied[1]
