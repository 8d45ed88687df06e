"""Dates in words and in numerals, and when two are the same day."""

from __future__ import annotations

import re
from typing import NamedTuple


class Date(NamedTuple):
    """A day, or a month."""

    year: int | None
    """None where it is not said, less than 100 where its century is not."""
    month: int
    day: int
    """0 for a month."""
    numerals: bool = False
    """Whether month and day are told apart by their place only: 04/07/1989."""


_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = (
    r"(?P<month>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    r"|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
)
_DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"
_YEAR = r"(?P<year>\d{4})"
_WEEKDAY = (
    r"(?:on\s+)?(?:(?:(?:mon|tues|wednes|thurs|fri|satur|sun)day|(?:mon|tues?|wed|thu(?:rs?)?|fri"
    r"|sat|sun)\.?),?\s+)?"
)
_DATES = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"{_YEAR}[-/.](?P<number>\d{{1,2}})[-/.]{_DAY}",
        rf"{_WEEKDAY}(?:the\s+)?{_DAY}\s+(?:of\s+)?{_MONTH}(?:,?\s+{_YEAR})?",
        rf"{_WEEKDAY}{_MONTH}\s+(?:the\s+)?{_DAY}(?:,?\s+{_YEAR})?",
        rf"{_YEAR}\s?年\s?(?P<number>\d{{1,2}})\s?月\s?{_DAY}\s?[日号]",
    )
)
_OF_A_MONTH = (
    re.compile(rf"(?:in\s+)?{_MONTH},?\s+(?:of\s+)?{_YEAR}", re.IGNORECASE),
    re.compile(rf"(?P<number>\d{{1,2}})[-/]{_YEAR}"),
)
_IN_NUMERALS = re.compile(
    r"(?P<first>\d{1,2})(?P<sign>[-/.])(?P<second>\d{1,2})(?P=sign)(?P<year>\d{4}|\d\d)"
)


def read_date(text: str) -> Date | None:
    """Read a day, or a month of a year; None if ``text`` is neither."""
    numerals = _IN_NUMERALS.fullmatch(text)
    if numerals is not None:
        return _in_numerals(*map(int, numerals.group("first", "second", "year")))
    for pattern in (*_DATES, *_OF_A_MONTH):
        match = pattern.fullmatch(text)
        if match is None:
            continue
        groups = match.groupdict()
        month = int(groups["number"]) if groups.get("number") else _month(groups["month"])
        day = int(groups["day"]) if groups.get("day") else 0
        year = int(groups["year"]) if groups.get("year") else None
        return _day(year, month, day)
    return None


def _month(name: str) -> int:
    return _MONTHS.index(name[:3].lower()) + 1


def _day(year: int | None, month: int, day: int) -> Date | None:
    return Date(year, month, day) if 1 <= month <= 12 and 0 <= day <= 31 else None


def _in_numerals(first: int, second: int, year: int) -> Date | None:
    """The month comes first, unless there is no such month, or it makes no difference."""
    day = _day(year, second, first) if first > 12 else _day(year, first, second)
    open_ = max(first, second) <= 12 and first != second
    return None if day is None else day._replace(numerals=open_)


def same_date(said: Date, wanted: Date) -> bool:
    """Whether two dates are the same; the century and, where none is asked for, the year may be
    left open. Which of two numerals is the month is known of neither, so they meet no other date.
    """
    if said[1:] != wanted[1:]:
        return False
    if wanted.year is None or said.year is None:
        return wanted.year is None
    short = min(said.year, wanted.year) < 100
    return said.year % 100 == wanted.year % 100 if short else said.year == wanted.year
