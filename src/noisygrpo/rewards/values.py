"""Answers with which no arithmetic may be done: ranges, bounds, dates, times, ratios, ordinals.

``10-15`` is a range and not minus five, ``2020-03-05`` a date, ``3:30`` a time, ``3rd`` the third;
``65+`` is no 65: each is compared with its own kind only.
"""

from __future__ import annotations

import functools
import math
import re
from dataclasses import replace
from fractions import Fraction
from typing import NamedTuple

from noisygrpo.rewards.dates import Date, read_date, same_date
from noisygrpo.rewards.equality import equal
from noisygrpo.rewards.forms import same_form
from noisygrpo.rewards.numeric import Number, parse_number
from noisygrpo.rewards.spelling import plain
from noisygrpo.rewards.units import NONE

LONGEST = 60
"""Longer texts are none of these."""


class Range(NamedTuple):
    """Two ends."""

    low: Number
    high: Number


class Clock(NamedTuple):
    """A time of day."""

    hour: int
    minute: int
    half: str
    """``am``, ``pm``, or "" where the text does not say."""
    from_zero: bool = False
    """Whether the hour is written as 0 or 24, as 12 o'clock is not."""


class Ratio(NamedTuple):
    """Parts in lowest terms."""

    parts: tuple[int, ...]


class Ordinal(NamedTuple):
    """A place in a row."""

    place: int


class Bound(NamedTuple):
    """A number that is only a bound."""

    sign: str
    """``<``, ``>``, ``\\le`` or ``\\ge``."""
    number: Number


Value = Range | Date | Clock | Ratio | Ordinal | Bound

_CLOCK = re.compile(
    r"(?:(?:at|it's"
    r"|it\s+is)\s+)?(?P<hour>\d{1,2})(?:[:.](?P<minute>[0-5]\d)(?::00)?)?\s*(?P<half>[ap]\.?\s?m\.?|o'clock)?",
    re.I,
)
_RATIO = re.compile(r"\d+(?:\.\d+)?(?:\s*:\s*\d+(?:\.\d+)?)+")
_RATIO_IN_WORDS = re.compile(r"[\w.]+(?:\s+to\s+[\w.]+)+")
_PLACES = {word: place for place, word in enumerate((
    "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth",
    "eleventh", "twelfth", "thirteenth", "fourteenth", "fifteenth", "sixteenth", "seventeenth",
    "eighteenth", "nineteenth",
), start=1)} | {"twentieth": 20, "thirtieth": 30, "fortieth": 40, "fiftieth": 50}  # fmt: skip
_TENTHS = {"twenty": 20, "thirty": 30, "forty": 40, "fifty": 50}
_ORDINAL = re.compile(
    r"(?:the\s+)?(?:(?P<digits>\d{1,4})(?:st|nd|rd|th)"
    rf"|(?:(?P<tens>{'|'.join(_TENTHS)})[\s-](?=(?:{'|'.join(list(_PLACES)[:9])})$))?"
    rf"(?P<word>{'|'.join(_PLACES)}))"
)
_RANGE = (
    re.compile(
        r"(?:from\s+|between\s+)?(?P<low>[$€£]?-?\d[^\s-]*(?<!,)(?:\s[a-zA-Z%]+)?)\s*(?:-|\bto\b"
        r"|\bthrough\b|~|到|至)\s*(?P<high>[$€£]?\d.*)"
    ),
    re.compile(r"between\s+(?P<low>.+?)\s+and\s+(?P<high>.+)"),
)
_SIGNS = {
    "<": ("<", "under", "below", "less than", "fewer than", "younger than", "lower than"),
    ">": (">", "over", "above", "more than", "greater than", "older than", "higher than"),
    "\\le": ("\\le", "at most", "no more than", "up to", "and under", "and below", "and younger",
            "or less", "or fewer", "or under", "or younger", "or below", "or lower"),
    "\\ge": ("\\ge", "at least", "no less than", "+", "and above", "and over", "and older",
            "and up", "and more", "or more", "or older", "or over", "or above", "or higher"),
}  # fmt: skip
_SIGN_OF = {word: sign for sign, names in _SIGNS.items() for word in names}
_BOUNDS = (
    re.compile(r"(?P<sign>[<>]|\\[lg]e(?![a-z])|[a-z]+(?: [a-z]+){0,2})\s*(?P<number>[-$€£]*\d.*)"),
    re.compile(r"(?P<number>[-$€£]*\d.*?)\s*(?P<sign>\+|(?:and|or) [a-z]+)"),
)
_FORMULA = re.compile(r"\\(?!times|circ|%)|\^(?!\{\\circ\})")
_IN_WORDS = re.compile(r"\b(?:to|and|through)\b|~|到|至")


@functools.lru_cache(maxsize=20_000)
def read_value(text: str) -> Value | None:
    """Read ``text`` as a date, a clock time, a ratio, a range or an ordinal; None if it is none."""
    text = plain(text).strip(" .,;").replace("\n", " ")
    if len(text) > LONGEST:
        return None
    readers = (read_date, _clock, _ratio, _range, _ordinal, _bound)
    return next((value for reader in readers if (value := reader(text)) is not None), None)


_CLOCK_IN_WORDS = re.compile(
    r"(?:it(?:'s|\s+is)\s+|at\s+)?(?:(?P<part>half|(?:a\s+)?quarter|[a-z\d-]+)(?:\s+minutes?)?\s+"
    r"(?P<way>past|to)\s+)?(?P<hour>[a-z]+|\d{1,2})(?P<clock>\s+o'clock)?",
    re.IGNORECASE,
)
_PARTS_OF_HOUR = {"half": 30, "quarter": 15, "a quarter": 15}


def _clock_in_words(text: str) -> Clock | None:
    """Half past three, a quarter to 6, three o'clock, noon."""
    if text.lower() in ("noon", "midnight"):
        return Clock(12, 0, "pm") if text.lower() == "noon" else Clock(0, 0, "am")
    match = _CLOCK_IN_WORDS.fullmatch(text)
    if match is None or not (match.group("way") or match.group("clock")):
        return None
    hour = parse_number(match.group("hour"))
    part = " ".join((match.group("part") or "").lower().split())
    minutes = parse_number(part) if part and part not in _PARTS_OF_HOUR else None
    if part and part not in _PARTS_OF_HOUR and minutes is None:
        return None
    past = int(minutes.value) if minutes else _PARTS_OF_HOUR.get(part, 0)
    if part[:1].isdigit() and match.group("way") == "to" and "minute" not in text:
        return None  # 5 to 10 is a range
    if hour is None or not 1 <= hour.value <= 12 or past >= 60:
        return None
    turned = match.group("way") is not None and match.group("way").lower() == "to"
    return Clock((int(hour.value) - turned) % 12, (60 - past) if turned else past, "")


def _clock(text: str) -> Clock | None:
    match = _CLOCK.fullmatch(text)
    if match is None:
        return _clock_in_words(text)
    if match is None or not (match.group("half") or match.group("minute")):
        return None
    if "." in match.group()[:3] and not match.group("half"):
        return None
    hour, minute = int(match.group("hour")), int(match.group("minute") or 0)
    half = re.sub(r"[^apm]", "", (match.group("half") or "").lower())
    if match.group("half") and "clock" in match.group("half").lower():
        half = ""
    if hour > 24 or (half and not 1 <= hour <= 12):
        return None
    if half:
        hour = hour % 12 + (12 if half == "pm" else 0)
    elif 12 < hour < 24:
        half = "pm"
    return Clock(hour % 24, minute, half, from_zero=not half and hour in (0, 24))


def _ratio(text: str) -> Ratio | None:
    match = _RATIO.fullmatch(text)
    if match is None:
        return None
    return ratio_of([Fraction(part) for part in re.split(r"\s*:\s*", text)])


def ratio_of(parts: list[Fraction]) -> Ratio:
    """The parts in lowest terms."""
    common = math.lcm(*(part.denominator for part in parts))
    whole = [int(part * common) for part in parts]
    divisor = math.gcd(*whole) or 1
    return Ratio(tuple(part // divisor for part in whole))


def _ordinal(text: str) -> Ordinal | None:
    match = _ORDINAL.fullmatch(text.lower())
    if match is None:
        return None
    if match.group("digits"):
        return Ordinal(int(match.group("digits")))
    tens = _TENTHS.get(match.group("tens") or "", 0)
    return Ordinal(tens + _PLACES[match.group("word")])


def _range(text: str) -> Range | None:
    for pattern in _RANGE:
        match = pattern.fullmatch(text)
        if match is None:
            continue
        if _FORMULA.search(text) and not _IN_WORDS.search(text):
            continue  # 4\\pi - 8 is a difference
        low, high = parse_number(match.group("low")), parse_number(match.group("high"))
        if low is None or high is None:
            continue
        return Range(replace(low, unit=high.unit) if low.unit == NONE else low, high)
    return None


def _bound(text: str) -> Bound | None:
    for pattern in _BOUNDS:
        match = pattern.fullmatch(text.lower())
        sign = _SIGN_OF.get(match.group("sign")) if match else None
        number = parse_number(match.group("number")) if match and sign else None
        if sign and number is not None:
            return Bound(sign, number)
    return None


def same_value(prediction: str, target: str, question: str = "") -> bool | None:
    """Whether two such answers agree; None where the target is none of them."""
    form = same_form(prediction, target, question)
    if form is not None:
        return form
    wanted = read_value(target)
    ratio = _ratio(plain(target).strip(" ."))
    if ratio is not None and (not isinstance(wanted, Clock) or "ratio" in question.lower()):
        return _same_ratio(prediction, ratio)
    said = read_value(prediction)
    if wanted is None:
        fraction = (
            parse_number(target) if isinstance(said, Ratio) and len(said.parts) == 2 else None
        )
        if fraction is None or not fraction.closed or not isinstance(said, Ratio):
            return None
        return said == ratio_of([Fraction(fraction.value), Fraction(1)])
    if isinstance(wanted, Clock) and ratio is not None and not isinstance(said, Clock):
        return _same_ratio(prediction, ratio)
    if isinstance(wanted, Ordinal):
        if not isinstance(said, Ordinal):
            return None if parse_number(prediction) is None else False  # one eighth
        return said == wanted
    if isinstance(wanted, Range) and isinstance(said, Range):
        return equal(said.low, wanted.low) and equal(said.high, wanted.high)
    if isinstance(wanted, Date) and isinstance(said, Date):
        return same_date(said, wanted)
    if isinstance(wanted, Clock) and isinstance(said, Clock):
        return _same_time(said, wanted)
    if isinstance(wanted, Bound) and isinstance(said, Bound):
        return said.sign == wanted.sign and equal(said.number, wanted.number)
    return False


def _same_time(said: Clock, wanted: Clock) -> bool:
    """Morning and afternoon must agree where the target tells them apart; 0:50 is no 12:50."""
    if said.from_zero is not wanted.from_zero:
        other = wanted if said.from_zero else said
        return other.half == "am" and other[:2] == (said if said.from_zero else wanted)[:2]
    if not wanted.half:
        return (said.hour - wanted.hour) % 12 == 0 and said.minute == wanted.minute
    return bool(said.half) and said == wanted


def _same_ratio(prediction: str, ratio: Ratio) -> bool:
    text = plain(prediction).strip(" .")
    said = _ratio(text)
    if said is None and _RATIO_IN_WORDS.fullmatch(text):
        parts = [parse_number(part) for part in re.split(r"\s+to\s+", text)]
        whole = [part.value for part in parts if part and isinstance(part.value, Fraction)]
        said = ratio_of(whole) if len(whole) == len(parts) else None
    if said is None and len(ratio.parts) == 2:
        number = parse_number(text)
        if number is not None and isinstance(number.value, Fraction) and not number.percent:
            if "/" not in text and "frac" not in text:
                return False
            said = ratio_of([number.value, Fraction(1)])
    return said == ratio
