"""Units of measurement, currencies and counted things behind a number, and when two agree.

Two numbers agree only if their units do: convertible ones are converted (by pint, exactly), other
known units and currencies differ, and counted things differ unless one name says less than the
other ("balls" and "red balls"). A number without a unit agrees with one that has one.
"""

from __future__ import annotations

import functools
import re
from fractions import Fraction
from typing import Any, NamedTuple

from noisygrpo.rewards.inflection import singular
from noisygrpo.rewards.spelling import word_set

_SYMBOL = re.compile(
    r"(?:[pnumcdkMGT]|da|h)?(?:m|g|L|l|N|J|W|V|A|Hz|Pa|ohm|eV|F|C|T|H|mol|bar|cal|K|s|B)"
    r"|min|hr|h|deg|rad|sr|atm|lm|lx|cd|ha|bit|ft|yd|mi|oz|lb|rpm|dB|[kMG]?bps|[kMG]Wh|kWh|Wh|Bq|Gy"
)
_NOT_SYMBOLS = frozenset(("pm", "us", "as", "da", "pL", "pl", "hL", "hl", "cs", "hs", "ps", "hA"))
_NAME = re.compile(
    r"(?:kilo|centi|milli|micro|nano|mega|giga|deci|hecto)?(?:meter|metre|gram|second|liter|litre"
    r"|newton"
    r"|joule|watt|volt|ampere|ohm|hertz|pascal|coulomb|farad|tesla|henry|mole|byte|bit|bar|calorie)"
    r"|minute|hour|day|week|month|year|decade|century|inch|foot|yard|mile|ounce|ton|tonne|acre"
    r"|hectare|gallon|quart|pint|tablespoon|teaspoon|knot|kelvin|celsius|fahrenheit|radian|degree"
    r"|arcminute|arcsecond|pound"
)
_ALIASES = {
    "in": "inch", "ins": "inch", "inche": "inch", "feet": "foot", "lbs": "lb", "lb": "lb",
    "hrs": "hour", "hr": "hour", "h": "hour", "mins": "minute", "min": "minute", "sec": "second",
    "secs": "second", "mph": "mile/hour", "kph": "km/hour", "kmph": "km/hour", "kmh": "km/hour",
    "cc": "cm^3", "amp": "ampere", "metre": "meter", "litre": "liter", "l": "liter", "L": "liter",
    "centigrade": "celsius", "deg": "degree", "centurie": "century", "gramme": "gram",
    "sqft": "foot^2", "sqm": "meter^2", "kgs": "kg", "kms": "km", "cms": "cm", "kcals": "kcal",
    "ft": "foot", "mi": "mile", "yd": "yard", "oz": "ounce", "yr": "year", "yrs": "year",
    "ha": "hectare", "rpm": "revolutions_per_minute", "cal": "calorie", "kcal": "kilocalorie",
    "dl": "dL", "cl": "cL", "ml": "mL",
    "B": "byte", "kB": "kilobyte", "MB": "megabyte", "GB": "gigabyte", "TB": "terabyte",
    "KB": "kilobyte", "bps": "bit/second",
}  # fmt: skip
_CURRENCIES: dict[str, tuple[frozenset[str], Fraction]] = {}
for _names, _codes, _part in (
    ("$ us$ usd dollar buck", "USD", 1),
    ("€ eur euro", "EUR", 1),
    ("£ gbp", "GBP", 1),
    ("¥ ￥", "JPY CNY", 1),
    ("yen jpy 円 日元", "JPY", 1),
    ("yuan cny rmb 元 块 人民币 块钱", "CNY", 1),
    ("₹ inr rupee", "INR", 1),
    ("₩ krw won", "KRW", 1),
    ("美元", "USD", 1),
    ("欧元", "EUR", 1),
    ("cent ¢", "USD EUR", 100),
    ("penny pence", "GBP", 100),
):
    for _name in _names.split():
        _CURRENCIES[_name] = (frozenset(_codes.split()), Fraction(1, _part))
CURRENCY_SIGNS = re.compile(
    r"(?:US\s?\$|[$€£¥￥₹₩]|(?:USD|EUR|GBP|CNY|RMB|JPY|INR)(?=\s?[\d.]))\s*"
)
_CHINESE = {
    "平方毫米": "mm^2", "平方厘米": "cm^2", "平方分米": "dm^2", "平方米": "meter^2",
    "平方千米": "km^2",
    "平方公里": "km^2", "立方厘米": "cm^3", "立方分米": "dm^3", "立方米": "meter^3", "毫米": "mm",
    "厘米": "cm", "分米": "dm", "千米": "km", "公里": "km", "米": "meter", "毫克": "mg",
    "千克": "kg",
    "公斤": "kg", "克": "gram", "吨": "tonne", "毫升": "mL", "升": "liter", "小时": "hour",
    "分钟": "minute", "秒钟": "second", "秒": "second", "天": "day", "日": "day", "周": "week",
    "月": "month", "个月": "month", "年": "year", "摄氏度": "celsius", "度": "degree", "牛": "N",
    "焦": "J", "瓦": "W", "伏": "V", "安": "A", "欧": "ohm", "千米/时": "km/hour",
    "米/秒": "m/second", "千米/小时": "km/hour",
}  # fmt: skip
MEASURE_WORD = re.compile(r"[个個只隻条張张本支名位辆頭头匹块件枚颗人种次倍]")
_STOP = word_set(
    "and or not no nor but is are was were be been it its than then that this so more less "
    "fewer most least at over under plus minus times squared cubed root sqrt if unless maybe "
    "perhaps either neither both to from between because since as which wrong incorrect false "
    "maximum minimum max only about with without in on of for by other others cannot never "
    "may might could would should too also except instead rather answer answers approximately "
    "approx zero one two three four five six seven eight nine ten thousand hundred million "
    "billion trillion dozen half third quarter wait actually correction first last next yes "
    "correct right true step number option choice even odd unknown less up"
)
_MANNER = re.compile(
    r"\s+(?:long|wide|tall|high|deep|thick|away|old|apart|altogether|total|each"
    r"|in\s+(?:length|width|height|total|all|area|volume|diameter|radius|size|weight|mass))$"
)
"""What may follow a unit and changes nothing."""

_US_DOLLARS = re.compile(r"^(?:U\.?S\.?A?|American)\.?\s+dollars?$", re.IGNORECASE)
_TOKENS = re.compile(r"[a-zA-Z$€£¥₹₩¢]+|[/*()]|\^\s*\{?-?\d\}?|\d")


class Unit(NamedTuple):
    """What stands behind a number."""

    kind: str
    """``none``, ``any`` ("units"), ``unit``, ``money`` or ``things``."""
    name: str = ""
    """A unit as pint reads it, a currency, or the things."""


NONE = Unit("none")


def read_unit(tail: str) -> Unit | None:
    """Read what follows a number (in `spelling.plain`); ``None`` if it can be neither unit nor
    thing.
    """
    tail = tail.strip().strip(".,;").strip()
    if not tail:
        return NONE
    if len(tail) > 60:
        return None
    tail = _MANNER.sub("", tail)
    if re.search(r"[\u3400-\u9fff]", tail):
        return _chinese(tail)
    tail = _US_DOLLARS.sub("usd", tail)
    if tail.lower() in ("pp", "ppt", "pts", "percentage pts"):
        return Unit("things", "percentage point")
    if tail.lower() in _CURRENCIES or singular(tail.lower()) in _CURRENCIES:
        return Unit("money", _currency(tail))
    known = _known(tail)
    return known if known is not None else _things(tail)


def _currency(name: str) -> str:
    return name.lower() if name.lower() in _CURRENCIES else singular(name.lower())


def _known(tail: str) -> Unit | None:
    """A unit of measurement, written with symbols, names, powers and ``per``."""
    text = re.sub(r"\^\{\\circ\}\s*([CF])(?![a-zA-Z])", lambda m: _DEGREES[m.group(1)], tail)
    text = re.sub(
        r"\bdeg(?:rees?)?\.?\s+(celsius|centigrade|fahrenheit|C|F)\b", _degrees, text, flags=re.I
    )
    text = text.replace("^{\\circ}", " degree ").replace("\\Omega", "ohm").replace("\\mu ", "u")
    text = re.sub(r"\b(kilo|mega|milli|micro|centi)-(?=[a-z])", r"\1", text)
    text = re.sub(r"k\s*ohm\b", "kiloohm", text).replace("\\times", "*").replace("\\cdot", "*")
    text = re.sub(r"\bper\b", "/", text)
    text = re.sub(r"(?<=[a-z])\.\s?(?=[a-z]{1,4}\b)|\b(sq)\.", r"\1 ", text)
    tokens = _TOKENS.findall(text)
    if not tokens or re.sub(r"\s+", "", text).rstrip(".") != "".join(tokens).replace(" ", ""):
        return None
    parts = _powers(tokens)
    if parts is None:
        return None
    if parts[0] == "any":
        return Unit("any") if all(part in ("any", "^2", "^3") for part in parts) else None
    joined = "".join(parts)
    return Unit("unit", joined) if _pint(joined) is not None else None


_DEGREES = {"C": " celsius ", "F": " fahrenheit "}


def _degrees(match: re.Match[str]) -> str:
    return " fahrenheit" if match.group(1).lower().startswith("f") else " celsius"


def _powers(tokens: list[str]) -> list[str] | None:
    """Names that pint knows, with the powers that ``square`` and ``cubed`` mean; products."""
    parts: list[str] = []
    waiting = ""
    for token in tokens:
        low = token.lower()
        if low in ("square", "sq", "cubic"):
            waiting = "^3" if low == "cubic" else "^2"
            continue
        if low in ("squared", "cubed"):
            parts.append("^3" if low == "cubed" else "^2")
            continue
        if token[0] == "^" or token.isdigit():
            if token.isdigit() and (not parts or token not in "23"):
                return None
            parts.append("^" + re.sub(r"[^\d-]", "", token))
            continue
        if token in "/*()":
            parts.append(token)
            continue
        name = _unit_name(token)
        if name is None:
            return None
        if parts and parts[-1] not in "/*(":
            parts.append("*")
        parts += [f"({name})" if "/" in name else name] + ([waiting] if waiting else [])
        waiting = ""
    return parts or None


def _unit_name(token: str) -> str | None:
    """The name by which pint knows a unit's symbol or name."""
    if singular(token.lower()) in ("unit", "unite"):
        return "any"
    for each in (token, token.lower(), singular(token.lower())):
        if each in _ALIASES:
            return _ALIASES[each]
        if _NAME.fullmatch(each):
            return each
        if (
            _SYMBOL.fullmatch(each)
            and each not in _NOT_SYMBOLS
            and (each == token or len(each) > 1)
        ):
            return each
    return None


def _things(tail: str) -> Unit | None:
    """Counted things: one to five words, none of which belongs to a sentence."""
    if not re.fullmatch(r"[A-Za-z]+(?:[ -][A-Za-z]+){0,4}", tail):
        return None
    found = [singular(word) for word in re.split(r"[ -]", tail.lower())]
    if any(word in _STOP for word in found) or len(max(found, key=len)) < 3:
        return None
    return Unit("things", " ".join(found))


def _chinese(tail: str) -> Unit | None:
    tail = re.sub(r"\s+", "", tail)
    if tail in _CURRENCIES:
        return Unit("money", tail)
    if tail in _CHINESE:
        return Unit("unit", _CHINESE[tail])
    things = MEASURE_WORD.sub("", tail, count=1)
    if not things:
        return NONE
    if re.search(r"[不没或和是到至以多少约]", things) or len(things) > 6:
        return None
    return Unit("things", things)


@functools.cache
def _registry() -> Any:
    """Pint's registry, with exact factors; loaded when two units are first read."""
    import pint

    return pint.UnitRegistry(non_int_type=Fraction, autoconvert_offset_to_baseunit=True)


_PINT_NAMES = {"celsius": "degC", "fahrenheit": "degF"}


@functools.lru_cache(maxsize=4096)
def _pint(name: str) -> Any:
    """Pint's unit of a name, ``None`` if it knows none."""
    try:
        return _registry().parse_units(
            re.sub(r"[a-z]+", lambda m: _PINT_NAMES.get(m[0], m[0]), name)
        )
    except Exception:  # pint raises whatever its tokenizer does
        return None


def convert(value: Any, unit: Unit, to: Unit) -> Any:
    """``value`` in ``unit`` as a value in ``to``; ``None`` where the two cannot agree."""
    if "none" in (unit.kind, to.kind) or "any" in (unit.kind, to.kind):
        return value
    if unit == to:
        return value
    money, other = _as_money(unit, to), _as_money(to, unit)
    if money and other:
        return value * money[1] / other[1] if money[0] & other[0] else None
    if unit.kind != to.kind:
        return None
    if unit.kind == "things":
        mine, theirs = set(unit.name.split()), set(to.name.split())
        return value if mine <= theirs or theirs <= mine else None
    if unit.kind == "unit":
        return _converted(value, unit.name, to.name)
    return None


def _as_money(unit: Unit, other: Unit) -> tuple[frozenset[str], Fraction] | None:
    """Currency codes and what part of them; pounds beside a currency are money."""
    if unit.kind == "money":
        return _CURRENCIES[unit.name]
    if unit.name == "pound" and other.kind == "money":
        return _CURRENCIES["£"]
    return None


_TEMPERATURES = {"C": "celsius", "F": "fahrenheit"}


def _converted(value: Any, name: str, to: str) -> Any:
    if {name, to} & {"celsius", "fahrenheit"}:  # "25 C" and "25 degrees" beside 25 °C
        name = _TEMPERATURES.get(name, to if name == "degree" else name)
        to = _TEMPERATURES.get(to, name if to == "degree" else to)
    if name == to:
        return value
    first, second = _pint(name), _pint(to)
    if first is None or second is None:
        return None
    registry = _registry()
    try:
        return registry.Quantity(value, first).to(second).magnitude
    except Exception:  # pint's DimensionalityError and OffsetUnitCalculusError share no base
        return None
