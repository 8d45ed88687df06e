"""Answers of two numbers, which are no value: readings, ratings, spans of years.

"120/80" is a blood pressure and not 1.5, "4.5/5" a rating, "1939-45" the years 1939 to 1945. What
the slash means only the question tells: where it asks for a value, 4/8 is 0.5.
"""

from __future__ import annotations

import math
import re
from fractions import Fraction
from typing import NamedTuple

from noisygrpo.rewards.spelling import plain

LONGEST = 60
"""Longer texts are none of these."""


def same_form(answer: str, target: str, question: str) -> bool | None:
    """Whether two such answers agree; None where the target or the answer is none of them."""
    said, wanted = (" ".join(plain(text).strip(" .,;").split()) for text in (answer, target))
    if max(len(said), len(wanted)) > LONGEST:
        return None
    readers = (_same_years, _same_rating, _same_reading)
    verdicts = (reader(said, wanted, question) for reader in readers)
    return next((verdict for verdict in verdicts if verdict is not None), None)


_YEARS = re.compile(
    r"(?:from )?(?P<first>(?:1[5-9]|20)\d\d) ?(?:[-/]|\bto\b) ?(?P<last>(?:1[5-9]|20)\d\d|\d\d)"
)
_LONGEST_SPAN = 50
"""Years up to a last one of two digits: 2018-09 is a month."""


def _same_years(said: str, wanted: str, question: str) -> bool | None:
    """``1939-45`` and ``1939-1945``, ``2015-16`` and ``2015/16``."""
    spans = _years(said), _years(wanted)
    return spans[0] == spans[1] if all(spans) else None


def _years(text: str) -> tuple[int, int] | None:
    match = _YEARS.fullmatch(text)
    if match is None:
        return None
    first, last = int(match.group("first")), int(match.group("last"))
    if len(match.group("last")) == 2:
        last += first - first % 100
        last += 100 if last <= first else 0
        return (first, last) if last - first <= _LONGEST_SPAN else None
    return (first, last) if last > first else None


class _Rating(NamedTuple):
    points: Fraction
    scale: Fraction | None
    """None where the text does not say."""
    stars: bool = False
    """Whether they are stars, of which the most is five."""


_ASKS_RATING = re.compile(r"\b(?:ratings?|rated|stars?)\b", re.IGNORECASE)
_RATING = re.compile(
    r"(?P<points>\d+(?:\.\d+)?)(?P<stars> ?stars?| points?)?"
    r"(?: ?(?:/|out of|of) ?(?P<scale>\d+)(?: stars?| points?)?)?",
    re.IGNORECASE,
)
_SCALES = (5, 10, 100)


def _same_rating(said: str, wanted: str, question: str) -> bool | None:
    """``4.5``, ``4.5/5`` and ``4.5 stars`` for ``4.5 out of 5``, where a rating is asked for.

    A scale that only one of them gives must be the least on which there are as many points, of an
    answer's, or any, of a target's.
    """
    if not _ASKS_RATING.search(question):
        return None
    mine, theirs = _rating(said), _rating(wanted)
    if mine is None or theirs is None or mine.scale is theirs.scale is None:
        return None
    if mine.points != theirs.points or (mine.stars and theirs.scale not in (None, 5)):
        return False
    if theirs.scale is None:
        return mine.scale == next((scale for scale in _SCALES if mine.points <= scale), None)
    return mine.scale in (None, theirs.scale)


def _rating(text: str) -> _Rating | None:
    match = _RATING.fullmatch(text)
    if match is None:
        return None
    points, scale = Fraction(match.group("points")), match.group("scale")
    if scale is not None:
        return _Rating(points, Fraction(scale)) if points <= int(scale) else None
    stars = (match.group("stars") or "").strip().lower().startswith("star")
    return _Rating(points, None, stars)


_PAIR = re.compile(r"(\d+(?:\.\d+)?) ?(?:/|\bover\b) ?(\d+(?:\.\d+)?)")
_FRACTION = re.compile(r"\\frac ?\{ ?(\d+) ?\} ?\{ ?(\d+) ?\}")
_ASKS_SIGNS = re.compile(
    r"\b(?:says?|written|printed|signs?|labell?ed|label|code|plate|jersey|blood\s+pressure|scores?"
    r"|eyesight|vision|season|(?:what|which)\s+year|readings?)\b",
    re.IGNORECASE,
)
_ASKS_VALUE = re.compile(
    r"\b(?:values?|fractions?|ratios?|proportions?|probabilit\w+|chances?|odds|quotient|slope|mean"
    r"|average|median|difference|sum|products?|expressions?|equations?|results?|simplif\w+|find"
    r"|comput\w+|calculat\w+|evaluat\w+|determine|solv\w+|equals?|how\s+(?:many|much|long|far"
    r"|tall|fast|old|big|large)|numbers?|answer|length|area|rate|percent\w*)\b|[=^\\]|\d\s*[-+*/]",
    re.IGNORECASE,
)
_INSTRUMENT = re.compile(r"\breadings?\b", re.IGNORECASE)


def _same_reading(said: str, wanted: str, question: str) -> bool | None:
    """``120/80`` for itself alone, where what is written, a score or a pressure is asked for, or
    where a target is written as no fraction is and no value is asked for.
    """
    said, wanted = (_FRACTION.sub(r"\1/\2", text) for text in (said, wanted))
    pairs = _PAIR.fullmatch(said), _PAIR.fullmatch(wanted)
    texts = [pair for pair in pairs if pair is not None]
    if not texts or not question.strip() or _ASKS_VALUE.search(question):
        return None
    asks = _ASKS_SIGNS.search(question)
    small = all(map(_is_small_fraction, texts))
    if small and (len(texts) == 2 or not asks or _INSTRUMENT.search(asks.group())):
        return None  # 2/4 of an inch
    if not asks and not (pairs[1] and _is_no_fraction(pairs[1])):
        return None  # 20/10 for 2
    if len(texts) < 2 and not re.fullmatch(r"-?[\d.]+%?|\d+:\d+", wanted if pairs[0] else said):
        return None  # in words
    return len(texts) == 2 and texts[0].groups() == texts[1].groups()


def _is_small_fraction(pair: re.Match[str]) -> bool:
    top, bottom = pair.groups()
    return len(top) == len(bottom) == 1 and int(top) < int(bottom)


def _is_no_fraction(pair: re.Match[str]) -> bool:
    """Whether two numbers of at least two digits, the first no less, have a common divisor."""
    top, bottom = pair.groups()
    if not (top.isdigit() and bottom.isdigit() and len(bottom) > 1):
        return False
    return int(top) >= int(bottom) and math.gcd(int(top), int(bottom)) > 1
