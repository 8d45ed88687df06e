"""When two numbers agree: exactly as far as they are written, in the same unit."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

from noisygrpo.rewards import units
from noisygrpo.rewards.expression import agree
from noisygrpo.rewards.numeric import Number
from noisygrpo.rewards.parser import Value

ROUNDED = Fraction(1, 10**6)
"""Relative difference at which a decimal stands for a value that has no finite decimal."""

DUST = Fraction(1, 10**9)
"""Relative difference that binary floating point leaves: 2.9999999999996 is 3."""


def equal(prediction: Number, target: Number, tolerance: float = 0.0) -> bool:
    """Whether two numbers agree, exactly as far as they are written.

    More decimals than the target's must round to it; a decimal stands for a value without a finite
    one at 1e-6; a closed form must round to a target of two or more decimals. A target in percent
    is also met by the plain number and by the share, and a plain target by the same number in
    percent. Units must agree. ``tolerance``: a relative difference that counts as equal besides.
    """
    if prediction.thousands != target.thousands:
        prediction, target = _in_thousands(prediction, target), _in_thousands(target, prediction)
    value = units.convert(prediction.value, prediction.unit, target.unit)
    if value is None:
        return False
    if prediction.percent and not target.percent and target.unit.kind in ("unit", "money"):
        return False
    if target.percent and not prediction.percent and prediction.unit.kind != "none":
        return False
    share = prediction.percent and not target.percent and target.closed  # 1/3 is not 1/3 %
    values = [] if share else [value]
    if target.percent != prediction.percent:
        values.append(value / 100 if prediction.percent else value * 100)
    return any(_close(each, prediction, target, tolerance) for each in values)


def _in_thousands(number: Number, other: Number) -> Number:
    """45K as 45,000 where the other number has no unit that could be kelvin."""
    if not number.thousands or other.unit.kind == "unit":
        return number
    return replace(number, value=number.value * 1000, unit=units.NONE, decimals=0)


def _close(value: Value, prediction: Number, target: Number, tolerance: float) -> bool:
    if agree(value, target.value):
        return True
    if math.isinf(value) or math.isinf(target.value):
        return False
    difference: Value = abs(float(value) - float(target.value))
    if isinstance(value, Fraction) and isinstance(target.value, Fraction):
        difference = abs(value - target.value)
    size = -target.value if target.value < 0 else target.value
    if tolerance and difference <= size * Fraction(tolerance):
        return True
    if prediction.decimals >= 9 and difference <= size * DUST:
        return True
    finer = prediction.decimals > target.decimals or (prediction.closed and target.decimals > 1)
    if target.decimals and finer:
        return difference <= Fraction(1, 2 * 10**target.decimals)
    endless = target.closed and not _is_finite(target.value)
    return bool(endless and prediction.decimals and difference <= size * ROUNDED)


def _is_finite(value: Value) -> bool:
    """Whether a value has a finite decimal."""
    if not isinstance(value, Fraction):
        return False
    rest = value.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    return rest == 1
