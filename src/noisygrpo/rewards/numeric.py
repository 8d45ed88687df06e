"""Reading a number as people write it, exactly, as a fraction.

Understood: signs, decimals, thousand separators, ``3/4``, ``1 3/4``, ``½``, ``\\frac{3}{4}``,
``1.2e3``, ``1.2 \\times 10^3``, percent, ``x = 5``, currency, degrees, units, number words up to
twenty and "5 million". Not a number: "5 or 6", "2x", "3 pi".
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from fractions import Fraction

MAX_LENGTH = 120
"""Longer texts are not a number."""

MAX_EXPONENT = 300
"""Powers of ten beyond this would make huge integers."""

# fmt: off
_WORDS = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen",
    "nineteen", "twenty",
]
# fmt: on
_WORD_VALUES = {word: value for value, word in enumerate(_WORDS)}

_SCALES = {
    "dozen": 12,
    "hundred": 100,
    "thousand": 10**3,
    "million": 10**6,
    "billion": 10**9,
    "trillion": 10**12,
}

_UNITS = {
    **dict.fromkeys(("mm", "millimeter", "millimetre"), "mm"),
    **dict.fromkeys(("cm", "centimeter", "centimetre"), "cm"),
    **dict.fromkeys(("m", "meter", "metre"), "m"),
    **dict.fromkeys(("km", "kilometer", "kilometre"), "km"),
    **dict.fromkeys(("in", "inch", "inche"), "in"),
    **dict.fromkeys(("ft", "foot", "feet"), "ft"),
    **dict.fromkeys(("mi", "mile"), "mi"),
    **dict.fromkeys(("yd", "yard"), "yd"),
    **dict.fromkeys(("mg", "milligram"), "mg"),
    **dict.fromkeys(("g", "gram"), "g"),
    **dict.fromkeys(("kg", "kilogram"), "kg"),
    **dict.fromkeys(("lb", "pound"), "lb"),
    **dict.fromkeys(("oz", "ounce"), "oz"),
    **dict.fromkeys(("ms", "millisecond"), "ms"),
    **dict.fromkeys(("s", "sec", "second"), "s"),
    **dict.fromkeys(("min", "minute"), "min"),
    **dict.fromkeys(("h", "hr", "hour"), "h"),
    **dict.fromkeys(("ml", "milliliter", "millilitre"), "ml"),
    **dict.fromkeys(("l", "liter", "litre"), "l"),
    **dict.fromkeys(("deg", "degree"), "deg"),
    **dict.fromkeys(("rad", "radian"), "rad"),
    **{word: word for word in ("day", "week", "month", "year", "cent", "dollar", "euro")},
}
"""Spelling (singular) -> unit. Two known units that differ make two numbers differ."""

_NO_UNIT = {"and", "sqrt", "squared", "cubed", "plus", "minus", "times", "over", "root", "not"}

_DECIMAL = r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d*)?|\.\d+"
_NUMBER = re.compile(
    rf"""(?P<sign>[+-]?)\s*(?:
        (?:(?P<whole>\d+)\s+)?(?P<top>\d+)\s*/\s*(?P<bottom>\d+)
      | (?P<whole2>\d+)?\s*\\frac\s*(?:{{\s*(?P<top2>-?(?:{_DECIMAL}))\s*}}|(?P<top3>\d))\s*
        (?:{{\s*(?P<bottom2>{_DECIMAL})\s*}}|(?P<bottom3>\d))
      | (?P<decimal>{_DECIMAL})
        (?:\s*(?:e|(?:\*|x|×|\\times|\\cdot)\s*10\s*\^)\s*{{?(?P<exponent>[+-]?\d+)}}?)?
      | (?P<word>{"|".join(_WORDS)})\b
    )""",
    re.VERBOSE | re.IGNORECASE,
)
_UNIT = re.compile(r"(?:[a-z]+(?:\s*\^?\s*\{?[23²³]\}?)?(?:\s*/\s*|\s+|$)){1,4}")
_PREFIX = re.compile(r"(?:[a-z]{1,12}|∠\s*[a-z]{1,4})\s*=\s*|(?:approximately|about|≈|~)\s*", re.I)


@dataclass(frozen=True)
class Number:
    """A number read from text."""

    value: Fraction
    """The value as written, before any percent sign is applied."""
    percent: bool = False
    """Whether a percent sign or the word percent follows."""
    unit: str = ""
    """What follows, in lower case and singular."""
    decimals: int = 0
    """Digits after the decimal point; 0 for integers and fractions."""


def parse_number(text: str) -> Number | None:
    """Read ``text`` as one number with at most a unit; None if it is anything else."""
    if len(text) > MAX_LENGTH:
        return None
    clean = _clean(text)
    clean = _PREFIX.sub("", clean, count=1) if _PREFIX.match(clean) else clean
    match = _NUMBER.match(clean)
    value = _value(match) if match else None
    if match is None or value is None:
        return None
    tail = clean[match.end() :].strip().lower()
    percent = tail.startswith(("%", "percent"))
    tail = re.sub(r"^(%|percent\b)\s*", "", tail)
    scale = next((word for word in _SCALES if re.match(rf"{word}s?\b", tail)), "")
    tail = re.sub(rf"^{scale}s?\s*", "", tail) if scale else tail
    unit = _unit(tail)
    if unit is None:
        return None
    digits = (match.group("decimal") or "").partition(".")[2]
    decimals = 0 if match.group("exponent") or scale else len(digits)
    return Number(value * _SCALES.get(scale, 1), percent, unit, decimals)


def numbers_in(text: str) -> list[Number]:
    """All numbers in running text, units left out."""
    found = []
    for match in _NUMBER.finditer(_clean(text[:2000])):
        digits = match.end() - len(match.group().lstrip())
        before = match.string[:digits][-1:]
        value = None if before.isalnum() or before == "_" else _value(match)
        if value is not None:
            percent = match.string[match.end() :].lstrip().startswith("%")
            found.append(Number(value, percent))
    return found


def units_differ(first: Number, second: Number) -> bool:
    """Whether both have a known unit, and not the same one."""
    known = set(_UNITS.values())
    units = [_UNITS.get(unit, unit) for unit in (first.unit, second.unit)]
    return all(unit.split("^")[0] in known for unit in units) and units[0] != units[1]


def equal(prediction: Number, target: Number, tolerance: float) -> bool:
    """Whether two numbers agree.

    They agree if they differ by at most ``tolerance`` relative to the target, or if the prediction
    has more decimals and rounds to the target (3.1416 for 3.14; not 3.1). 60 %, 60 and 0.6 agree.
    """
    if units_differ(prediction, target):
        return False
    values = {prediction.value}
    if prediction.percent != target.percent:
        values |= {prediction.value / 100} if prediction.percent else {prediction.value * 100}
    bound = abs(target.value) * Fraction(tolerance)
    if prediction.decimals > target.decimals > 0:
        bound = max(bound, Fraction(1, 2 * 10**target.decimals))
    return any(abs(value - target.value) <= bound for value in values)


def _clean(text: str) -> str:
    """Bring LaTeX and Unicode spellings to plain ones."""
    out = []
    for symbol in text:
        expanded = unicodedata.normalize("NFKC", symbol)
        vulgar = "\u2044" in expanded  # ½ becomes 1⁄2, which must not join a digit before it
        out.append(f" {expanded}" if vulgar else symbol if symbol in "²³" else expanded)
    clean = "".join(out).replace("\u2044", "/").replace("−", "-").replace("–", "-")
    clean = re.sub(r"\\(?:text|mathrm|textbf|mathbf)\s*\{([^{}]*)\}", r" \1 ", clean)
    clean = re.sub(r"\^\s*\{?\s*\\circ\s*\}?|°|\\degree", " deg ", clean)
    clean = re.sub(r"\\[dtc]frac", r"\\frac", clean)
    clean = clean.replace("{,}", ",").replace("\\%", "%").replace("\\$", "")
    clean = re.sub(r"\\[,!;:() ]|\\(?:left|right|approx)(?![a-z])|[$€£¥*`]", " ", clean)
    return clean.strip().rstrip(".").strip()


def _value(match: re.Match[str]) -> Fraction | None:
    """The exact value of a match; None for a zero denominator or a huge exponent."""
    groups = match.groupdict()
    sign = -1 if groups["sign"] == "-" else 1
    if groups["word"]:
        return Fraction(sign * _WORD_VALUES[groups["word"].lower()])
    if groups["decimal"]:
        exponent = int(groups["exponent"] or 0)
        if abs(exponent) > MAX_EXPONENT:
            return None
        return sign * _plain(groups["decimal"]) * Fraction(10) ** exponent
    top = groups["top"] or groups["top2"] or groups["top3"]
    bottom = _plain(groups["bottom"] or groups["bottom2"] or groups["bottom3"])
    if bottom == 0:
        return None
    return sign * (int(groups["whole"] or groups["whole2"] or 0) + _plain(top) / bottom)


def _plain(digits: str) -> Fraction:
    return Fraction(digits.replace(",", "").rstrip(".") or "0")


def _unit(tail: str) -> str | None:
    """Normalise what follows a number; None if it cannot be a unit or a noun."""
    if not tail:
        return ""
    if not _UNIT.fullmatch(tail):
        return None
    power = re.search(r"[23²³]|\b(?:sq|square|cubic)\b", tail)
    words = [word.rstrip("s") or word for word in re.findall(r"[a-z]+", tail)]
    for word in words:
        if word in _NO_UNIT or (len(word) < 3 and word not in _UNITS and word != "sq"):
            return None
    words = [word for word in words if word not in ("sq", "square", "cubic")]
    first = _UNITS.get(words[0], words[0]) if words else ""
    if not power:
        return first if len(words) <= 1 else " ".join(words)
    return f"{first}^{'3' if power.group() in ('3', '³', 'cubic') else '2'}"
