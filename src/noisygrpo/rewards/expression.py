r"""The value of a numeric expression and the equality of two formulas, without sympy or ``eval``.

The parser (``parser``) evaluates any input that a model writes in microseconds; a computer algebra
system needs a process with a time limit for that (``9^{9^{9^9}}`` never ends). Rational arithmetic
is exact. Formulas with variables are compared at a few fixed points: two that agree there to nine
digits are equal for every answer that a person would write.
"""

from __future__ import annotations

import cmath
import contextlib
import functools
import math
import re
import zlib
from collections.abc import Mapping
from fractions import Fraction

from noisygrpo.rewards.parser import ComplexParser, NotANumber, Parser, Value
from noisygrpo.rewards.spelling import plain
from noisygrpo.rewards.tokens import tokenize

CLOSE = 1e-9
"""Relative difference of two closed forms with the same value."""

_POINTS = ((3, 7), (11, 5), (-13, 9), (29, 31))
"""Seeds of the points at which formulas with variables are compared; one is negative."""

_RADIANS = re.compile(r"\\pi(?![a-zA-Z])|(?<![a-zA-Z])(?:arc)?(?:sin|cos|tan|cot|sec|csc)|\brad")
"""Where these are, a number is no number of degrees."""


@functools.lru_cache(maxsize=20_000)
def evaluate(text: str) -> Value | None:
    """The value of an expression of numbers, exact where it is rational; ``None`` if it has none.

    Variables, words, unbalanced brackets, divisions by zero and values beyond a float have none.
    """
    tokens = tokenize(text)
    return None if tokens is None else _value(tokens, {})


def _value(
    tokens: tuple[str, ...], variables: Mapping[str, Value], beyond: float | None = None
) -> Value | None:
    """The value, ``None`` if there is none, ``beyond`` if it is too large for a float."""
    return value_of(Parser(list(tokens), variables), beyond)


def value_of(parser: Parser, beyond: float | None = None) -> Value | None:
    """The value of what ``parser`` reads, ``None`` if there is none, ``beyond`` if it is too large
    for a float.
    """
    try:
        value = parser.sum(0)
        if not parser.done() or isinstance(value, complex):
            return None
        if isinstance(value, Fraction):
            float(value)  # beyond a float: no value
            return value
        return None if math.isnan(value) else value
    except OverflowError:
        return beyond
    except (NotANumber, ValueError, ZeroDivisionError):
        return None


def variables_in(tokens: tuple[str, ...]) -> frozenset[str]:
    """The names of the variables of an expression."""
    names = ComplexParser(list(tokens), {})
    names.collect = True
    with contextlib.suppress(NotANumber, ValueError, ZeroDivisionError, OverflowError, TypeError):
        names.sum(0)
    return frozenset(names.seen)


@functools.lru_cache(maxsize=20_000)
def same_formula(first: str, second: str) -> bool | None:
    """Whether two formulas are equal; ``None`` where one of them cannot be evaluated.

    Equations are equal if one is a multiple of the other.
    """
    if "^{\\circ}" in plain(first) + plain(second):
        bare = [_in_degrees(text) for text in (first, second)]
        if all(bare) and same_formula(*bare):
            return True
    sides = [text.split("=") for text in (plain(first), plain(second))]
    if {len(each) for each in sides} == {2}:
        return _same_equation(*sides)
    if max(len(each) for each in sides) > 1:
        return None
    pair = [tokenize(first), tokenize(second)]
    if pair[0] is None or pair[1] is None:
        return None
    if "i" in pair[0] + pair[1]:
        return _same_complex(pair[0], pair[1])
    verdicts = []
    for mine, wanted in _at_points([pair[0], pair[1]]):
        if (
            mine is not None
            and wanted is not None
            and not (math.isinf(mine) and math.isinf(wanted))
        ):
            verdicts.append(agree(mine, wanted))
    return all(verdicts) if len(verdicts) > 1 else None


def _same_complex(first: tuple[str, ...], second: tuple[str, ...]) -> bool | None:
    """Whether two formulas with i are equal; None where one of them cannot be evaluated."""
    verdicts = []
    for at in _points([first, second]):
        one, other = _complex_value(first, at), _complex_value(second, at)
        if one is not None and other is not None:
            verdicts.append(cmath.isclose(one, other, rel_tol=CLOSE, abs_tol=1e-12))
    return all(verdicts) if len(verdicts) > 1 else None


def _complex_value(tokens: tuple[str, ...], at: Mapping[str, Value]) -> complex | None:
    parser = ComplexParser(list(tokens), at)
    try:
        value = complex(parser.sum(0))
    except (NotANumber, ValueError, ZeroDivisionError, OverflowError, TypeError):
        return None  # there is no order of complex numbers, and none of their roots is read
    return value if parser.done() and cmath.isfinite(value) else None


def _in_degrees(text: str) -> str:
    """A formula of angles as their numbers of degrees; "" where an angle may be in radians."""
    text = plain(text)
    return "" if _RADIANS.search(text) else text.replace("^{\\circ}", "").strip()


def _same_equation(first: list[str], second: list[str]) -> bool | None:
    tokens = [tokenize(side) for side in (*first, *second)]
    known = [each for each in tokens if each is not None]
    if len(known) < 4 or not set().union(*map(variables_in, known)):
        return None
    ratios = []
    for values in _at_points(known):
        if any(value is None or math.isinf(value) for value in values):
            continue
        left, right, other_left, other_right = values
        difference, other = float(left - right), float(other_left - other_right)  # type: ignore[operator]
        if difference == 0 or other == 0:
            return None
        ratios.append(difference / other)
    if len(ratios) < 2:
        return None
    return all(math.isclose(ratio, ratios[0], rel_tol=1e-7) for ratio in ratios)


def _at_points(formulas: list[tuple[str, ...]]) -> list[list[Value | None]]:
    """Their values at each of the points."""
    return [[_value(tokens, at, math.inf) for tokens in formulas] for at in _points(formulas)]


def _points(formulas: list[tuple[str, ...]]) -> list[dict[str, Value]]:
    """Values for the variables of all formulas, at each of the points."""
    names = sorted(set().union(*map(variables_in, formulas)))
    rows = []
    for top, bottom in _POINTS:
        at: dict[str, Value] = {}
        for name in names:
            spread = zlib.crc32(f"{name}:{bottom}".encode()) % 97
            at[name] = Fraction(top * (100 + spread), bottom * 50)
        rows.append(at)
    return rows


def agree(first: Value, second: Value) -> bool:
    """Whether two closed forms have the same value: exactly if both are rational."""
    if isinstance(first, Fraction) and isinstance(second, Fraction):
        return first == second
    return math.isclose(first, second, rel_tol=CLOSE, abs_tol=1e-12)
