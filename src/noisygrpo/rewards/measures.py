"""Whether a number measures what was asked for: its dimension, a share, a year, a count.

Only a target without a unit leaves this open; one that has a unit is compared with the answer's.
What a question does not say ("What is the value?") is not guessed.
"""

from __future__ import annotations

import re

from noisygrpo.rewards import units
from noisygrpo.rewards.numeric import Number, parse_number
from noisygrpo.rewards.spelling import plain, word_set, words
from noisygrpo.rewards.units import NONE, Unit

_ASKS = r"(?:find|what(?:'s|\s+is|\s+was)|calculate|compute|determine|work\s+out)\s+(?:the\s+)?"
_MEASURE = re.compile(
    rf"\b{_ASKS}(?:[a-z]+\s+){{0,2}}?(?P<measure>area|volume|perimeter|circumference|radius"
    r"|diameter|hypotenuse|height|width|(?:measure|size)\s+of\s+(?:the\s+)?(?:angle|arc|\\angle)"
    r"|m?\s*\\angle|angle)(?=\s+(?:of|in|between|for|[A-Z\d])|\s*[A-Z\d.?,;]|\s*$)"
    r"|(?P<chinese>面积|体积|周长|度数|半径|直径)(?:是|为|等于|[^\u3400-\u9fff]|$)",
    re.IGNORECASE,
)
_DIMENSIONS = {
    "area": "meter^2", "面积": "meter^2", "volume": "meter^3", "体积": "meter^3",
    "度数": "degree", "angle": "degree", "arc": "degree",
}  # fmt: skip
"""By the last word of a measure; the others are lengths."""
_YEAR = re.compile(r"\b(?:what|which)\s+year\b", re.IGNORECASE)
_SHARE = re.compile(r"\b(?:what|which)\s+(?:percent\w*|share)\b|\bpercentage\b", re.IGNORECASE)
_MONEY = re.compile(
    r"\b(?:what|how\s+much)\s+(?:is|was|were|are|did|does)\s+(?:[a-z']+\s+){0,4}?"
    r"(?:revenue|price|cost|profit|income|salary|budget|loss)\b",
    re.IGNORECASE,
)
_SCALE = re.compile(r"\bin\s+(thousand|million|billion)s\b", re.IGNORECASE)
_PARTS_OF_SHARE = word_set("percent percentage point")
_GROUPS = word_set(
    "pair couple gross score set box pack packet bunch group row stack bag crate carton trio team"
)
"""Things of which each is several."""
_ABOUT = re.compile(
    r"\s*(?:there\s+(?:is|are)\s+)?(?:\\approx|~|about\b|approx|roughly\b|around\b|circa\b|大约|大概|约)"
    r"|.*\d\s?-?ish\b|.*左右",
    re.IGNORECASE,
)
_COUNTABLE = 100
"""What is more than this may be given about."""


def measures_another(answer: str, target: str, question: str) -> bool:
    """Whether an answer that has the target's number has it of something else than was asked for:
    "25 cm" for an area, "75 students" to "What percent …", "5 pairs" of 5, "about 5" for a count.
    """
    said, wanted = parse_number(answer), parse_number(target)
    if said is None or wanted is None or wanted.unit != NONE:
        return False
    if said.unit.kind == "unit" and _YEAR.search(question):
        return True
    if (
        said.percent
        and not wanted.percent
        and (_MEASURE.search(plain(question)) or _MONEY.search(question))
    ):
        return True
    if said.unit.kind == "unit":
        return _has_other_dimension(said, wanted, question)
    counted = said.unit.kind == "things" and _counts(said, question)
    return counted or _about_a_count(answer, wanted, question)


def in_asked_scale(target: str, question: str) -> str | None:
    """The target in the scale that its question gives: 45.2 million for 45.2 "in millions"."""
    scale, number = _SCALE.search(question), parse_number(target)
    if scale is None or number is None or number.percent or re.search(r"[a-zA-Z]", target):
        return None
    return f"{target} {scale.group(1).lower()}"


def _counts(said: Number, question: str) -> bool:
    """Whether things are counted where a year, a share or money is asked for, or groups of what is
    counted, or a share of something else.
    """
    things, asked = set(words(said.unit.name)), set(words(question))
    if said.percent:
        return bool(asked) and not things <= asked | _PARTS_OF_SHARE
    if things & _GROUPS and not things & _GROUPS & asked:
        return True
    if things <= asked and not _SHARE.search(question):
        return False
    other = _YEAR.search(question) or _MONEY.search(question)
    return bool(other or (_SHARE.search(question) and things.isdisjoint(_PARTS_OF_SHARE)))


def _has_other_dimension(said: Number, wanted: Number, question: str) -> bool:
    asked = _MEASURE.search(plain(question))
    if asked is None:
        return False
    measure = (asked.group("chinese") or asked.group("measure")).lower().split()[-1]
    dimension = _DIMENSIONS.get(measure.removeprefix("m").lstrip("\\"), "meter")
    if dimension == "degree" and "rad" in said.unit.name:
        return not wanted.closed  # an angle without a unit is in degrees, unless it has a pi
    return units.convert(1, said.unit, Unit("unit", dimension)) is None


def _about_a_count(answer: str, wanted: Number, question: str) -> bool:
    """Whether what can be counted is only estimated."""
    counts = re.search(r"\bhow\s+many\b|\bnumber\s+of\b|多少|几", question, re.IGNORECASE)
    return bool(counts and wanted.value <= _COUNTABLE and _ABOUT.match(answer))
