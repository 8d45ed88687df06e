"""Numbers in words: ``minus twenty-one``, ``two thirds``, ``three hundred and five``, ``二十一``.

``read_words`` reads as many words as belong to one number from the start of a text, so that what
follows may be a unit: "two and a half hours".
"""

from __future__ import annotations

import re
from fractions import Fraction

# fmt: off
_SMALL = {word: value for value, word in enumerate((
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen",
    "nineteen",
))} | {"nil": 0}
_TENS = {word: 10 * value for value, word in enumerate((
    "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety",
), start=2)}
# fmt: on
SCALES = {
    "dozen": 12,
    "hundred": 100,
    "thousand": 10**3,
    "million": 10**6,
    "billion": 10**9,
    "trillion": 10**12,
    "lakh": 10**5,
    "crore": 10**7,
    "mn": 10**6,
    "mio": 10**6,
    "mln": 10**6,
    "bn": 10**9,
}
_PARTS = {
    "half": 2,
    "third": 3,
    "quarter": 4,
    "fourth": 4,
    "fifth": 5,
    "sixth": 6,
    "seventh": 7,
    "eighth": 8,
    "ninth": 9,
    "tenth": 10,
    "twelfth": 12,
    "hundredth": 100,
}
_PLURAL = {"halves": "half"} | {f"{word}s": word for word in _PARTS}
_POINT = re.compile(
    r"\s+point((?:[\s-]+(?:zero|one|two|three|four|five|six|seven|eight|nine)\b)+)", re.IGNORECASE
)
_WORD = re.compile(r"[\s-]*(?:(and)\s+)?([a-z]+)(?![a-z])", re.IGNORECASE)
_CHINESE = {sign: value for value, sign in enumerate("零一二三四五六七八九")} | {"两": 2, "〇": 0}
_CHINESE_SCALES = {"十": 10, "百": 100, "千": 1000, "万": 10_000}
_APPROXIMATE = re.compile(r"[一二三四五六七八九]{2}")
"""Two digits in a row beside a scale or alone are "five or six", "twenty or thirty"."""
CHINESE = re.compile(r"[零〇一二两三四五六七八九十百千万]{1,9}")


def read_words(text: str) -> tuple[Fraction, int] | None:
    """(value, length read) of the number in words at the start of ``text``, ``None`` if none is.

    "a" and "an" are one before half, third, quarter, dozen and the scales.
    """
    sign_match = re.match(r"(?:minus|negative)\s+", text, re.IGNORECASE)
    start = sign_match.end() if sign_match else 0
    read = _unsigned(text, start)
    if read is None:
        return _chinese(text)
    value, end = read
    return (-value if sign_match else value), end


def _unsigned(text: str, start: int) -> tuple[Fraction, int] | None:
    integer = _integer(text, start)
    if integer is None:
        part = _part(text, start, None)
        return part
    value, end = integer
    point = _POINT.match(text[end:])
    if point:
        digits = [_SMALL[word] for word in re.findall(r"[a-z]+", point.group(1).lower())]
        tail = sum(Fraction(digit, 10**place) for place, digit in enumerate(digits, start=1))
        return value + tail, end + point.end()
    part = _part(text, end, value)
    if part is not None:
        return part
    with_part = re.match(r"\s+and\s+", text[end:], re.IGNORECASE)
    if with_part:
        more = _unsigned_part(text, end + with_part.end())
        if more is not None:
            return value + more[0], more[1]
    return value, end


def _unsigned_part(text: str, start: int) -> tuple[Fraction, int] | None:
    """A fraction such as "a half" or "three quarters" behind "and"."""
    count = _integer(text, start)
    return _part(text, count[1], count[0]) if count else _part(text, start, None)


def _part(text: str, start: int, count: Fraction | None) -> tuple[Fraction, int] | None:
    """``count`` halves, thirds …; without a count only "half", "a third" and their kind."""
    match = re.match(r"[\s-]*(an?\s+)?([a-z]+)(?![a-z])", text[start:], re.IGNORECASE)
    if match is None:
        return None
    word = match.group(2).lower()
    word = _PLURAL.get(word, word)
    end = start + match.end()
    if count is None:
        if word == "dozen" and match.group(1):
            return Fraction(12), end
        if word not in _PARTS or not (match.group(1) or word == "half"):
            return None
        return Fraction(1, _PARTS[word]), _skip_of(text, end)
    if word not in _PARTS or match.group(1) or count < 1:
        return None
    return count / _PARTS[word], end


def _skip_of(text: str, end: int) -> int:
    """Behind "half a" and "half an" follows a unit."""
    article = re.match(r"\s+an?(?=\s)", text[end:], re.IGNORECASE)
    return end + article.end() if article else end


def _integer(text: str, start: int) -> tuple[Fraction, int] | None:
    """A whole number; tens, hundreds and scales in falling order."""
    total, current, end, last = 0, 0, start, ""
    at = start
    article = re.match(r"an?\s+(?=(?:hundred|thousand|million|billion)\b)", text[start:], re.I)
    if article:
        current, at, last = 1, start + article.end(), "unit"
    while match := _WORD.match(text, at):
        word = match.group(2).lower()
        word = word[:-1] if word[-1] == "s" and word[:-1] in SCALES else word
        if match.group(1) and last not in ("hundred", "scale"):
            break
        if word in _SMALL and last in ("", "hundred", "scale", "ten"):
            if last == "ten" and not 0 < _SMALL[word] < 10:
                break
            current, last = current + _SMALL[word], "unit"
        elif word in _TENS and last in ("", "hundred", "scale"):
            current, last = current + _TENS[word], "ten"
        elif word in ("hundred", "dozen") and last in ("unit", "ten"):
            current, last = current * SCALES[word], "hundred"
        elif word in SCALES and last in ("unit", "ten", "hundred"):
            total, current, last = total + current * SCALES[word], 0, "scale"
        else:
            break
        at = end = match.end()
    return (Fraction(total + current), end) if last and end > start else None


def _chinese(text: str) -> tuple[Fraction, int] | None:
    """A whole number, or a fraction: 三分之一, 百分之五十."""
    whole = _chinese_integer(text)
    if whole is None or not text.startswith("分之", whole[1]):
        return whole
    start = whole[1] + 2
    top = _chinese_integer(text[start:])
    if top is None or whole[0] == 0:
        return None
    return top[0] / whole[0], start + top[1]


def _chinese_integer(text: str) -> tuple[Fraction, int] | None:
    match = CHINESE.match(text)
    if match is None:
        return None
    signs = match.group()
    if not any(sign in _CHINESE_SCALES for sign in signs):
        if (len(signs) > 1 and "两" in signs) or (len(signs) == 2 and _APPROXIMATE.search(signs)):
            return None
        return Fraction(int("".join(str(_CHINESE[sign]) for sign in signs))), match.end()
    if _APPROXIMATE.search(signs):
        return None
    total, current = 0, 0
    for sign in signs:
        if sign == "万":
            total, current = (total + current) * 10_000, 0
        elif sign in _CHINESE_SCALES:
            total, current = total + (current or 1) * _CHINESE_SCALES[sign], 0
        else:
            current = _CHINESE[sign]
    return Fraction(total + current), match.end()
