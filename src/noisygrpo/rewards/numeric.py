"""Reading a number as people write it, exactly where it is rational.

Understood: signs, decimals, thousands separators, ``3/4``, ``1 3/4``, ``½``, ``\\frac{3}{4}``,
``1.2e3``, ``1.2 \\times 10^3``, roots, powers, factorials and π, percent, ``x = 5``, currency,
degrees, units, number words, "5 million", "2 h 30 min", "5 (five)". Not a number: "5 or 6", "2x",
and what is no value: a range such as 5-10, a date, a clock time, a label such as 1A or 1990s.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, replace
from fractions import Fraction

from noisygrpo.rewards import units
from noisygrpo.rewards.expression import agree, evaluate
from noisygrpo.rewards.leads import before_number, without_name
from noisygrpo.rewards.number_words import SCALES, read_words
from noisygrpo.rewards.parser import Value
from noisygrpo.rewards.spelling import plain, word_set
from noisygrpo.rewards.tokens import NO_VALUE
from noisygrpo.rewards.units import NONE, Unit, read_unit

MAX_LENGTH = 160
"""Longer texts are not a number."""

MAX_EXPONENT = 300
"""Powers of ten beyond this would make huge integers."""

_GROUPED = r"\d{1,3}(?:,\d{3})+(?!\d)|\d{1,2}(?:,\d\d)+,\d{3}(?!\d)"
_DECIMAL = rf"(?:{_GROUPED}|\d{{1,3}}(?:['  ]\d{{3}})+(?!\d)|\d+)(?:\.\d*)?|\.\d+"
_LITERAL = re.compile(
    rf"""(?:
        (?P<whole>\d+)\s*(?:\s|\s+and\s+)\s*(?P<top>\d+)\s*/\s*(?P<bottom>\d+)
      | (?P<whole2>\d+)\s*(?:and\s+)?\\frac\s*(?:\{{\s*(?P<top2>\d+)\s*\}}|(?P<top3>\d))\s*
        (?:\{{\s*(?P<bottom2>\d+)\s*\}}|(?P<bottom3>\d))
      | (?P<part>\d+)\s+(?:out\s+of|in(?=\s+\d+$))\s+(?P<all>\d+)
      | (?P<decimal>{_DECIMAL})
        (?:(?:\s*(?:\*|x|\\times|\\cdot)\s*10\s*\^\s*|[eE](?=[+-]?\d))\{{?\s*(?P<exponent>[+-]?\s?\d+)\s*\}}?)?
    )""",
    re.VERBOSE,
)
_GOES_ON = re.compile(
    r"\s*(?:[-+*/!_|(\[{:]|\^(?!\{\\circ\})|\\(?:sqrt|frac|pi|times|cdot|binom|log|ln|sin|cos|tan"
    r"|infty)(?![a-zA-Z])"
    r"|pi\b|sqrt)"
)
_OUT_OF = re.compile(r"\s+(?:out\s+of|in)\s+", re.IGNORECASE)
LABEL = re.compile(r"\d{3}0s\b|\d+'s\b|\d+(?:st|nd|rd|th)\b|\d+[A-FR](?![a-zA-Z\d^/])")
_SHORT_SCALES = {"k": 3, "m": 6, "mn": 6, "b": 9, "bn": 9, "t": 12, "tn": 12}
_SHORT_SCALE = (
    re.compile(r"(k|M|B|[mb]n)(?![a-zA-Z/^\d])\s*"),
    re.compile(r"\s?(k|K|m|M|b|B|t|T|[mbtMBT][nN])(?![a-zA-Z/^\d])\s*"),
)
"""Letters directly behind digits, and behind an amount of money: 45k, $1.2bn."""
_IN_SCALE = re.compile(
    r"(?:in\s+)?(?P<scale>thousand|million|billion|trillion)s?(?:\s+(?:of\s+)?(?P<unit>.+))?", re.I
)
_UNIT_FRACTION = re.compile(
    r"(?<=\d)\s*\\frac\s*\{\s*([a-zA-Z]{1,4})\s*\}\s*\{\s*([a-zA-Z]{1,4}(?:\s?\^\{?\d\}?)?)\s*\}$"
)
_HOURS = re.compile(r"^(\d{1,3})\s?h\s?([0-5]\d)$")
_EUROPEAN = re.compile(
    r"(?<![\d.,])(?P<whole>\d{1,3}(?:\.\d{3})+)(?:(?<=\.\d{3}\.\d{3})|(?=,\d))(?:,(?P<part>\d+))?"
    r"(?![\d.,]\d)(?!\d)"
)
"""Digits that are grouped by points, seen from two points or a comma behind them: 1.234,5."""
_GLOSS = re.compile(r"^(.*\S)\s+\(([^()]*)\)$")


@dataclass(frozen=True)
class Number:
    """A number read from text."""

    value: Value
    """The value as written, before any percent sign is applied; a `Fraction` where rational."""
    percent: bool = False
    """Whether a percent sign or the word percent follows."""
    unit: Unit = NONE
    """What follows."""
    decimals: int = 0
    """Digits after the decimal point; 0 for integers, fractions and closed forms."""
    closed: bool = False
    """Whether it is a closed form: neither an integer nor a decimal."""
    thousands: bool = False
    """Whether its unit may as well be thousands: 45K is 45,000 beside a number without a unit."""


def parse_number(text: str) -> Number | None:
    """Read ``text`` as one number with at most a unit; None if it is anything else."""
    return _parse(plain(text)) if len(text) <= MAX_LENGTH else None


@functools.lru_cache(maxsize=20_000)
def _parse(text: str) -> Number | None:
    text = " ".join(text.split()).strip(" ,;:").rstrip(" .")
    text = _UNIT_FRACTION.sub(r" \1/\2", text)
    text = _HOURS.sub(r"\1 h \2 min", _EUROPEAN.sub(_in_english, text))
    gloss = _GLOSS.match(text)
    if gloss:
        return _with_gloss(gloss.group(1), gloss.group(2))
    text, sign = before_number(without_name(text))
    if LABEL.match(text):
        return None
    money = units.CURRENCY_SIGNS.match(text)
    if money:
        text, inner = before_number(text[money.end() :])
        sign *= inner
    read = signed(text, sign)
    if read is None:
        return None
    number, rest = read
    if money:
        unit = Unit("money", re.sub(r"\s", "", money.group().strip().lower()))
        return with_unit(number, rest, unit)
    return with_unit(number, rest, None)


def _in_english(match: re.Match[str]) -> str:
    part = match.group("part")
    return match.group("whole").replace(".", "") + (f".{part}" if part else "")


def signed(text: str, sign: int) -> tuple[Number, str] | None:
    """(number, what follows) at the start of ``text``, behind a sign that was cut off.

    Of a closed form the sign belongs to the first term: -2 + \\pi.
    """
    read = literal(text) or worded(text)
    if read is None:
        return closed_form(text if sign > 0 else f"-{text}")
    return replace(read[0], value=sign * read[0].value), read[1]


def _with_gloss(text: str, gloss: str) -> Number | None:
    """A number with brackets behind it: the same in other words, its unit, its scale, or a
    remark.
    """
    number = _parse(text)
    if number is None:
        return None
    scaled = _IN_SCALE.fullmatch(gloss)
    if scaled:
        number = _times(number, SCALES[scaled.group("scale").lower()])
        gloss = scaled.group("unit") or ""
        if not gloss:
            return number
    same = _parse(gloss)
    if same is not None:
        agrees = units.convert(same.value, same.unit, number.unit)
        return number if agrees is not None and agree(agrees, number.value) else None
    if number.unit == NONE and (unit := read_unit(gloss)) and unit.kind in ("unit", "any", "money"):
        return replace(number, unit=unit)
    value = evaluate(gloss)
    if value is not None:
        return number if agree(value, number.value) else None
    return None if re.search(r"\d|\b(?:not|or|no)\b", gloss) else number


def literal(text: str) -> tuple[Number, str] | None:
    """(number, what follows) of digits at the start of ``text``."""
    if NO_VALUE.match(text):
        return None
    match = _LITERAL.match(text)
    if match is None or _GOES_ON.match(text, match.end()):
        return None
    groups = match.groupdict()
    if groups["part"] is not None:
        if int(groups["all"]) == 0:
            return None
        share = Fraction(int(groups["part"]), int(groups["all"]))
        return Number(share, closed=True), text[match.end() :]
    if groups["decimal"] is None:
        bottom = int(groups["bottom"] or groups["bottom2"] or groups["bottom3"])
        top = int(groups["top"] or groups["top2"] or groups["top3"])
        if bottom == 0 or top >= bottom:
            return None
        value = int(groups["whole"] or groups["whole2"]) + Fraction(top, bottom)
        return Number(value, closed=True), text[match.end() :]
    digits = re.sub(r"[,' ]", "", groups["decimal"])
    exponent = int((groups["exponent"] or "0").replace(" ", ""))
    if abs(exponent) > MAX_EXPONENT:
        return None
    value = Fraction("0" + digits.rstrip(".") if digits[0] == "." else digits.rstrip("."))
    decimals = 0 if groups["exponent"] else len(digits.partition(".")[2])
    return Number(value * Fraction(10) ** exponent, decimals=decimals), text[match.end() :]


def worded(text: str) -> tuple[Number, str] | None:
    """(number, what follows) of number words at the start of ``text``."""
    if re.fullmatch(r"none|nothing", text, re.IGNORECASE):
        return Number(Fraction(0)), ""
    read = read_words(text)
    if read is None:
        return None
    value, end = read
    of = _OUT_OF.match(text, end)
    if of:
        whole, length = read_words(text[of.end() :]) or (Fraction(0), 0)
        if 0 < value <= whole and length == len(text) - of.end():
            return Number(value / whole, closed=True), ""
    return Number(value, closed=value.denominator != 1), text[end:]


_WORD = re.compile(r"\\?[a-zA-Z]+|[\u3400-\u9fff%]+")
_IN_EXPRESSION = word_set(
    "sqrt frac pi times cdot binom log ln lg sin cos tan cot sec csc arcsin arccos arctan exp "
    "infty circ infinity"
)


def closed_form(text: str) -> tuple[Number, str] | None:
    """A closed form at the start of ``text``: up to the first word that is no part of one."""
    end = len(text)
    for match in _WORD.finditer(text):
        if match.group().removeprefix("\\") not in _IN_EXPRESSION:
            end = match.start()
            break
    head, tail = text[:end].rstrip(), text[end:]
    if head.endswith("^{\\circ}") and not re.search(r"sin|cos|tan|cot|sec|csc", head):
        head, tail = head.removesuffix("^{\\circ}"), "^{\\circ}" + tail
    value = evaluate(head) if head else None
    return None if value is None else (Number(value, closed=True), tail)


def _times(number: Number, scale: int) -> Number:
    return replace(number, value=number.value * scale, decimals=0)


def with_unit(number: Number, rest: str, money: Unit | None) -> Number | None:
    """Apply a scale word, percent and unit that follow."""
    short = _SHORT_SCALE[money is not None].match(rest)
    if short:
        number = _times(number, 10 ** _SHORT_SCALES[short.group(1).lower()])
        rest = rest[short.end() :]
    if money is None and re.fullmatch(r"K", rest.rstrip(" .,")) and not rest[:1].isspace():
        return replace(number, unit=Unit("unit", "K"), thousands=True)
    rest = rest.strip()
    if rest[:1] in ("万", "亿"):
        number, rest = _times(number, 10 ** (4 if rest[0] == "万" else 8)), rest[1:]
    word = re.match(r"([a-zA-Z]+?)s?\b\s*", rest)
    scale = word.group(1).lower() if word else ""
    if word and scale in SCALES:
        number, rest = _times(number, SCALES[scale]), rest[word.end() :]
    percent = re.match(r"(?:%|per\s?cent\b|percentage\b)(?!\s*points?\b)\s*", rest, re.IGNORECASE)
    if percent:
        number, rest = replace(number, percent=True), rest[percent.end() :]
    if money is not None:
        unit = read_unit(rest)
        same = unit is not None and (unit == NONE or units.convert(1, unit, money) == 1)
        return replace(number, unit=money) if same else None
    unit = read_unit(rest)
    if unit is not None:
        return replace(number, unit=unit)
    return _compound(number, rest)


_STEP = re.compile(
    r"(?P<unit>\^\{\\circ\}|[a-zA-Z]+|')\s*(?:,"
    r"|and)?\s*(?P<rest>\d+(?:\.\d+)?\s*(?P<last>[a-zA-Z]+|'|\").*)"
)
_MARKS = {"^{\\circ}": "degree", "'": "foot"}


def _compound(number: Number, rest: str) -> Number | None:
    """``2 h 30 min``, ``3 ft 6 in``, ``45°30'``: the sum, if the units fall."""
    match = _STEP.fullmatch(rest)
    if match is None:
        return None
    unit = read_unit(_MARKS.get(match.group("unit"), match.group("unit")))
    if unit is None or unit.kind not in ("unit", "money"):
        return None
    tail = match.group("rest")
    if unit.name == "degree":
        tail = re.sub(r"\s*'\s*$|\s*'(?=\s*\d)", " arcminute ", tail)
        tail = re.sub(r'\s*"\s*$', " arcsecond", tail).strip()
    else:
        tail = re.sub(r'\s*"\s*$', " inch", tail)
    below = _parse(tail)
    if below is None or below.unit.kind != unit.kind:
        return None
    more = units.convert(below.value, below.unit, unit)
    whole = units.convert(Fraction(1), below.unit, unit)
    if more is None or whole is None or not whole < 1 or more >= 1:
        return None
    sign = -1 if number.value < 0 else 1
    return replace(number, value=number.value + sign * more, unit=unit, closed=True)
