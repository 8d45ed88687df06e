r"""Equations as answers: ``x = 5``, ``12 - 5 = 7``, ``2\sqrt{3} \approx 3.46``.

What a chain of sides states is its last one; sides that have a value must agree with it, and of a
value and its approximation either may be the answer. A name in front must be the one asked for:
``BC = 10`` is no answer to "Find AB".
"""

from __future__ import annotations

import re
from collections.abc import Callable

from noisygrpo.rewards.equality import equal
from noisygrpo.rewards.expression import same_formula, value_of
from noisygrpo.rewards.leads import is_name
from noisygrpo.rewards.number_words import SCALES
from noisygrpo.rewards.numeric import Number, parse_number
from noisygrpo.rewards.parser import Parser
from noisygrpo.rewards.spelling import plain, squeezed
from noisygrpo.rewards.tokens import tokenize
from noisygrpo.rewards.units import read_unit

Same = Callable[[str, str, float], bool | None]

_RELATION = re.compile(r"[<>]|\\(?:le|ge|ne|approx|in|subset|parallel|perp)(?![a-zA-Z])")
_SIDES = re.compile(r"=|\\approx(?![a-zA-Z])")
_ABOUT = re.compile(
    r"\s*(?:\(\s*(?:\\approx|~|or\s+)?\s*(?:about|approximately|approx\.?|roughly)?\s*(?=[-\d.$])"
    r"(?P<inside>[^()]*)\)|,?\s+or\s+(?:about|approximately|approx\.?|roughly|\\approx)\s*)",
    re.IGNORECASE,
)
_MEASURED = re.compile(r"(?<=\d)\s*(\^\{\\circ\}|%|[a-zA-Z]+(?:\^\{?[23]\}?)?)(?![\w(])")
_MONEY = re.compile(r"[$€£](?=\d)")
_INDEX = re.compile(r"(?<=^[a-z])_\{?\d\}?$")
_SCALE = re.compile(r"\s*\b(?:thousand|million|billion|trillion)s?\b", re.IGNORECASE)
"""The scale of a result, which the numbers before it may leave out: 75 - 50 = 25 million."""
_ROUNDING = 0.01
"""Relative difference at which a side still states the same as the last one."""


def same_equation(answer: str, target: str, tolerance: float, same: Same) -> bool | None:
    """Equations by their last side; names of quantities must not differ."""
    if _RELATION.search(answer.replace("\\approx", "")) or _RELATION.search(target):
        return None
    mine, theirs = _SIDES.split(answer), target.split("=")
    if len(mine) > 1 and len(theirs) > 1:
        if not (is_name(mine[0]) and is_name(theirs[0])):
            return same_formula(answer, target)
        names = squeezed(mine[0]), squeezed(theirs[0])
        if _INDEX.sub("", names[0]) == _INDEX.sub("", names[1]) and not all(
            _INDEX.search(name) for name in names
        ):
            names = names[1], names[1]  # x_1 and x_2 are the values of x
        if names[0] != names[1] and "(" in names[0] and "(" in names[1]:
            return False  # f(x), f'(x)
        if names[0] != names[1] and max(map(len, names)) <= 3:
            return same_formula(answer, target) or False
    if len(mine) == 1 and len(theirs) == 1:
        return same_formula(answer, target)
    if len(theirs) > 1 and not is_name(theirs[0]):
        return None
    if len(mine) == 2 and not is_name(mine[0]) and re.fullmatch(r"\s*\\?[a-zA-Z]\w?\s*", mine[1]):
        mine.reverse()  # 5 = x
    return _last_side(mine, theirs[-1].strip(), "\\approx" in answer, tolerance, same)


def _last_side(
    mine: list[str], wanted: str, about: bool, tolerance: float, same: Same
) -> bool | None:
    values = [_value_of_side(side) for side in mine[:-1]]
    end, bare = parse_number(mine[-1]), parse_number(_SCALE.sub("", mine[-1]))
    if end is not None and any(
        value and not equal(value, end, _ROUNDING) and not (bare and equal(value, bare, _ROUNDING))
        for value in values
    ):
        return False  # 3 + 4 = 8 states nothing
    if len(mine) > 1 and values[0] is None and not is_name(mine[0]):
        return None
    exact = [side for side, value in zip(mine, values, strict=False) if value] if about else []
    if end is not None and any(same(side.strip(), wanted, tolerance) for side in exact):
        return True
    return same(mine[-1].strip(), wanted, tolerance)


def with_sides(text: str) -> str:
    r"""``4\sqrt{3} (about 6.93)`` and "… or approximately 6.93" as ``… \approx 6.93``."""
    found = _ABOUT.search(text)
    if found is None or not text[: found.start()].strip():
        return text
    if found.group("inside") is None:
        return f"{text[: found.start()]} \\approx {text[found.end() :]}"
    marked = re.search(r"approx|about|roughly|~", found.group(), re.IGNORECASE)
    whole = not text[found.end() :].strip(" .") and marked is not None
    return f"{text[: found.start()]} \\approx {found.group('inside')}" if whole else text


def _value_of_side(side: str) -> Number | None:
    """The number that a side is, or that its arithmetic has: ``180^{\\circ} - 118^{\\circ}``."""
    number = parse_number(side)
    if number is not None:
        return number
    numbers = len(re.findall(r"\d+(?:[.,]\d+)*", side))
    measured = [match.group(1) for match in _MEASURED.finditer(side)]
    if len(measured) in (numbers, numbers - 1) and all(map(_is_unit, measured)):
        side = _MEASURED.sub("", side)
    tokens = tokenize(re.sub(r"(?<=\d) x (?=\d)", " * ", _MONEY.sub("", side)), arithmetic=True)
    value = None if tokens is None else value_of(Parser(list(tokens), {}))
    return None if value is None else Number(value, closed=True)


def _is_unit(text: str) -> bool:
    if text in ("%", "^{\\circ}") or text.lower().rstrip("s") in SCALES:
        return True
    unit = read_unit(text)
    return unit is not None and unit.kind in ("unit", "any", "money")


_NAMED = (
    r"(?:(?:m\s*)?\\angle\s*[A-Z\d]{1,3}"
    r"|(?:\\(?:overline|overarc|widehat|vec|overrightarrow)\s*)?\{?[A-Z]{2}\}?|[a-z])"
)
_POINT = re.compile(r"(?:[Pp]oint\s+)?([A-Z])\s*(?:=|:|is(?:\s+at)?)?\s*\(")
_POINTS = re.compile(
    r"\b(?:points?|vertex|coordinates\s+of(?:\s+the\s+point)?)\s+([A-Z])\b|\b([A-Z])\s*\("
)
_RATIOS = re.compile(r"\b(sin|cos|tan|cot|sec|csc)\b")
_ANGLE = re.compile(r"(?<!\\)\bangle\s+([A-Z\d]{1,3})\b")
_ASKED = re.compile(
    r"(?:(?i:find|determine|calculate|compute|evaluate|solve\s+for|what\s+is|what's"
    r"|(?:length|measure|size|value)\s+of)\s+|[求则])(?i:the\s+)?"
    r"(?:(?i:length|measure|size|value)\s+(?i:of)\s+)?(?i:the\s+)?(?i:(?:segment|side|line|arc|vector|matrix|product)\s+)?"
    rf"(?P<name>{_NAMED})\s*(?:[.?,;!]|$|[的等为是]|(?i:in|to|if|when|given|rounded)\b)"
)


_DIRECTED = re.compile(r"\s*(?:\(|\[|\\(?:langle|begin)(?![a-zA-Z]))")
"""A vector or a matrix, which AB and BA are not both."""


_SLOPE = re.compile(r"\bslope\b", re.IGNORECASE)


def names_another(answer: str, question: str) -> bool:
    """Whether an equation is about a quantity of the same kind as the one asked for, but another.

    ``BC = 10`` to "Find AB", ``m\\angle 2 = 62`` to "the measure of angle 1", ``y = 3`` to "Find
    x", ``B(1, 2)`` to "the coordinates of point A", ``\\cos A = 1`` where ``\\sin A`` is asked for.
    """
    point = _POINT.match(answer)
    if point:
        points = {a or b for a, b in _POINTS.findall(question)}
        return bool(points) and point.group(1) not in points
    name, equals, value = answer.partition("=")
    ratios = set(_RATIOS.findall(question))
    if equals and ratios and not ratios >= set(_RATIOS.findall(name)):
        return True
    if not equals or len(name) > 30:
        return False
    if name.strip() == "y" and _SLOPE.search(question):
        return True  # a line
    asked = _ASKED.search(_ANGLE.sub(r"\\angle \1", plain(question)))
    name = _ANGLE.sub(r"\\angle \1", name)
    if asked is None or not re.fullmatch(_NAMED, name.strip()):
        return asked is not None and _RATIOS.search(name) is not None and not ratios
    mine, wanted = _letters(name), _letters(asked.group("name"))
    one_kind = len(mine) == len(wanted) and ("\\angle" in name) == ("\\angle" in asked.group())
    either = (wanted,) if _DIRECTED.match(value) else (wanted, wanted[::-1])
    return one_kind and mine not in either and mine.islower() == wanted.islower()


def _letters(name: str) -> str:
    return re.sub(r"\\[a-z]+|^\s*m(?=\s*\\)|[^A-Za-z\d]", "", name)
