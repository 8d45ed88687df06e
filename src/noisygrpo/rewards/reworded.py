"""What an answer says in more words than its target, told from its question.

"23% of respondents" to "What share of respondents …?" is 23%, "the color red" to "What color …?"
red, "a pair of jeans" jeans, "an hour and a half" 1 1/2 hours, and "red/white" both colors where
two are asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from noisygrpo.rewards.number_words import read_words
from noisygrpo.rewards.restated import PREPOSITIONS, counted_things
from noisygrpo.rewards.spelling import plain, word_set, words
from noisygrpo.rewards.units import read_unit

LONGEST = 100
"""A longer text is left as it is."""


def rewordings(text: str, question: str) -> Iterator[str]:
    """An answer in fewer words; ``text`` in `spelling.plain`. Without a question there is none."""
    text = text.strip(" .\"'")
    if len(text) > LONGEST or not question.strip():
        return
    shorter = (
        _without_whole(text, question),
        _without_class(text, question),
        _without_kind(text, question),
        _counted_pair(text, question),
        _both(text, question),
        without_form(text),
    )
    yield from (each for each in shorter if each)


def without_form(text: str) -> str | None:
    """``a pair of jeans`` as jeans, ``an hour and a half`` as 1 1/2 hours: of targets too."""
    text = plain(text).strip(" .\"'")
    return (_without_pair(text) or _as_measure(text)) if len(text) <= LONGEST else None


_SHARE_OF = re.compile(
    r"\b(?:how\s+much|(?:what|which|how\s+many|find|give|state|determine|calculate|estimate)"
    r"(?:\s+(?:is|was|are|were))?(?:\s+the)?(?:\s+(?:approximate|total))?"
    r"\s+(?:per\s?cent|percentage|share|fraction|proportion|portion|part))\s+of\s+"
    r"(?:(?:all|the|these|those)\s+)*(?P<whole>.+)",
    re.IGNORECASE | re.DOTALL,
)
_WHOLE = re.compile(
    r"(?P<share>.*(?:\d\s?%|\bper\s?cent|\d\s?/\s?\d+|\\frac\s?\{\d+\}\s?\{\d+\}"
    r"|\b(?:half|halves|thirds?|quarters?|fourths?|fifths?|sixths?|sevenths?|eighths?|ninths?"
    r"|tenths?)))"
    r"\s+of\s+(?:(?:all|the|these|those)\s+)*(?P<whole>[a-z][a-z' -]*)",
    re.IGNORECASE,
)
_ENDS_PHRASE = frozenset(
    (*PREPOSITIONS, "who", "that", "which", "is", "are", "was", "were", "has", "have", "had")
)
_PLURALS = word_set("people men women children persons")
_MODIFIERS = word_set("sports sales savings arms goods systems news")
"""Plurals that stand in front of another noun."""
_COLLECTIVES = word_set("population electorate workforce public budget")
_VERBS = word_set(
    "lives uses owns prefers supports works speaks believes thinks wants has goes went"
)


def _without_whole(text: str, question: str) -> str | None:
    """A share without what it is a share of, if the question asks for a share of just that.

    What follows "share of" there must begin with these words, and they must be all of its noun:
    "35% of coffee" says nothing of coffee drinkers.
    """
    said, asked = _WHOLE.fullmatch(text), _SHARE_OF.search(question)
    if said is None or asked is None:
        return None
    whole = said.group("whole").lower().split()
    named = re.findall(r"[\w'-]+|[^\w\s]", asked.group("whole").lower()[: 2 * LONGEST])
    if named[: len(whole)] != whole:
        return None
    behind = named[len(whole)] if len(whole) < len(named) else "?"
    closed = not behind[0].isalnum() or behind in _ENDS_PHRASE
    ends = re.search(r"[^s']s$", whole[-1]) is not None and whole[-1] not in _MODIFIERS
    plural = ends or whole[-1] in _PLURALS
    together = whole[-1] in _COLLECTIVES and (behind.endswith("ing") or behind in _VERBS)
    return said.group("share") if closed or plural or together else None


_OF_CLASS = word_set("month city state country island town planet")
"""Behind these the name may follow with "of"."""
_CLASSES = _OF_CLASS | word_set("color colour letter shape word season sport")
_CLASS = re.compile(r"(?:the\s+)?(?P<noun>[a-z]+)\s+(?P<of>of\s+)?(?P<name>.+)", re.IGNORECASE)


def _without_class(text: str, question: str) -> str | None:
    """``the color red`` without "the color", which the question has."""
    match = _CLASS.fullmatch(text)
    noun = match.group("noun").lower() if match else ""
    if match is None or noun not in _CLASSES or (match.group("of") and noun not in _OF_CLASS):
        return None
    asked = words(question)
    stem = words(noun)[0]
    chosen = any(
        word == stem and asked[at - 1] in ("what", "which") for at, word in enumerate(asked) if at
    )
    return match.group("name") if chosen else None


_KIND = re.compile(
    r"\b(?:type|kind|sort)\s+of\s+(?P<noun>[a-z]+)|\bwhat(?:'s|\s+is)\s+the\s+(?P<like>[a-z]+)\s+like\b",
    re.IGNORECASE,
)


def _without_kind(text: str, question: str) -> str | None:
    """``isosceles triangle`` as isosceles, where the kind of a triangle is asked for."""
    kind = _KIND.search(question)
    said = text.rsplit(maxsplit=1)
    noun = (kind.group("noun") or kind.group("like")) if kind else ""
    if len(said) < 2 or not noun or words(said[1]) != words(noun):
        return None
    return said[0]


_PAIR = re.compile(r"(?:(?:a|one)\s+)?pair\s+of\s+(?P<things>[a-z]+)", re.IGNORECASE)
_TWO = word_set(
    "shoes boots sandals slippers sneakers socks stockings gloves mittens earrings skis skates "
    "chopsticks crutches"
)
"""Things of which a pair is two."""
_IN_PAIRS = _TWO | word_set(
    "glasses sunglasses eyeglasses goggles binoculars headphones earphones scissors pliers tweezers"
    " shears tongs pants jeans trousers shorts leggings tights pajamas handcuffs"
)
"""Things that come in pairs: their plural is one pair as well."""


def _without_pair(text: str) -> str | None:
    match = _PAIR.fullmatch(text)
    return match.group("things") if match and match.group("things").lower() in _IN_PAIRS else None


def _counted_pair(text: str, question: str) -> str | None:
    """``a pair of shoes`` as 2, where shoes are counted."""
    match = _PAIR.fullmatch(text)
    things = match.group("things").lower() if match else ""
    return f"2 {things}" if things in _TWO and words(things) == counted_things(question) else None


_ASKS_SEVERAL = re.compile(r"\b(?:what|which)\s+(?:are\s+the\s+)?(?:two|three)\b", re.IGNORECASE)
_SLASHED = re.compile(r"[a-z]{2,}(?:\s?/\s?[a-z]{2,}){1,2}", re.IGNORECASE)


def _both(text: str, question: str) -> str | None:
    """``red/white`` as "red, white", where two or three things are asked for."""
    if not _ASKS_SEVERAL.search(question) or not _SLASHED.fullmatch(text):
        return None
    return ", ".join(part.strip() for part in text.split("/"))


_PARTS = {
    "half": "1/2", "a half": "1/2", "one half": "1/2", "a quarter": "1/4", "one quarter": "1/4",
    "three quarters": "3/4", "a third": "1/3",
}  # fmt: skip
_MEASURE = re.compile(
    r"(?P<count>an?|\d+|[a-z]+(?:-[a-z]+)?)\s+(?P<unit>[a-z]+)\s+and\s+(?:"
    rf"(?P<part>{'|'.join(_PARTS)})"
    r"|(?P<below>an?|\d+|[a-z]+(?:-[a-z]+)?)\s+(?P<smaller>[a-z]+))",
    re.IGNORECASE,
)


def _as_measure(text: str) -> str | None:
    """``an hour and a half`` as 1 1/2 hours, ``an hour and five minutes`` as 1 hour 5 minutes."""
    match = _MEASURE.fullmatch(text)
    count = _whole(match.group("count")) if match else None
    if match is None or count is None or not _is_unit(match.group("unit")):
        return None
    if match.group("part"):
        return f"{count} {_PARTS[match.group('part').lower()]} {match.group('unit')}"
    below = _whole(match.group("below"))
    if below is None or not _is_unit(match.group("smaller")):
        return None
    return f"{count} {match.group('unit')} {below} {match.group('smaller')}"


def _whole(text: str) -> int | None:
    """A whole number in digits or words; "a" is one."""
    if text.isdigit():
        return int(text)
    if text.lower() in ("a", "an"):
        return 1
    read = read_words(text)
    return int(read[0]) if read and read[1] == len(text) and read[0].denominator == 1 else None


def _is_unit(text: str) -> bool:
    unit = read_unit(text)
    return unit is not None and unit.kind in ("unit", "money")
