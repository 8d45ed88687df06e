"""What a user's function gives back: a list in any form, and numbers of any library."""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

GREATEST = 3.4e38
"""Rewards and metrics are added up in float32, in which anything beyond is infinite."""


def listed(values: Any) -> list[Any] | None:
    """Return the values of a list, an array or a tensor in order; None for what has no order."""
    if hasattr(values, "tolist"):
        values = values.tolist()
    if isinstance(values, (str, bytes, Mapping, set, frozenset)) or not isinstance(
        values, Iterable
    ):
        return None
    return list(values)


def as_number(value: Any) -> float | str | None:
    """Return a reward as a float, None as it is, and what it is, in words, if it is no number."""
    if value is None:
        return None
    if hasattr(value, "item") and getattr(value, "ndim", 0) == 0:  # of numpy or torch
        value = value.item()
    if not isinstance(value, (numbers.Real, Decimal)):
        return f"{value!r:.80}"
    try:
        return float(value)
    except OverflowError:  # an integer beyond all floats
        return math.inf
    except ValueError:  # a decimal's signalling NaN
        return math.nan
