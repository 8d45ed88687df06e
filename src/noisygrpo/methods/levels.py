"""Which noise levels mean something: from accuracy by level to a grid of levels.

Noise of a level means nothing by itself: it depends on model and pictures what it hides. What a
level means is how much of what the picture is worth is left at it:

    left(n) = (f(n) - blind) / (f(0) - blind)

f is accuracy (or reward) as a function of the level, ``blind`` the same without the picture. f is
the decreasing function that fits the measured points best (isotonic regression, weighted least
squares by pooling adjacent violators; Barlow et al., 1972), linear between the levels: more noise
never shows more, so what rises is error of measurement. The level of a share is the largest with
left(n) >= share; at the share 1 it is 0, where rollouts see the clean picture itself.

Shapes: L levels, ascending, the first of them 0.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SHARES = (1.0, 0.75, 0.5, 0.25)
"""What is left, of the way from blind to clean, at the levels of a proposed grid."""

FELT, GONE = 0.9, 0.1
"""Shares at which noise begins to be felt, and at which the picture is gone."""


def decreasing(values: Sequence[float] | Floats, weights: Sequence[float] | Floats) -> Floats:
    """Return the decreasing sequence nearest to ``values [L]`` in weighted least squares.

    ``weights [L]`` are positive.
    """
    pools: list[tuple[float, float, int]] = []  # mean, weight, how many levels
    for value, weight in zip(values, weights, strict=True):
        pools.append((float(value), float(weight), 1))
        while len(pools) > 1 and pools[-2][0] < pools[-1][0]:
            (high, one, many), (low, other, few) = pools.pop(), pools.pop()
            both = one + other
            pools.append(((high * one + low * other) / both, both, many + few))
    return np.repeat([pool[0] for pool in pools], [pool[2] for pool in pools])


def share_left(level: float, levels: Floats, curve: Floats, blind: float) -> float:
    """Return left(level), which is below 0 where the curve is below ``blind``.

    ``curve [L]`` decreases and begins above ``blind``.
    """
    here = float(np.interp(level, levels, curve))
    return (here - blind) / (float(curve[0]) - blind)


def level_of(share: float, levels: Floats, curve: Floats, blind: float) -> float | None:
    """Return the largest level at which a share, below 1, is left; None where more always is.

    ``curve [L]`` decreases and begins above ``blind``.
    """
    target = blind + share * (float(curve[0]) - blind)
    last = int(np.flatnonzero(curve >= target)[-1])
    if last == len(curve) - 1:
        return float(levels[-1]) if curve[-1] == target else None
    part = (curve[last] - target) / (curve[last] - curve[last + 1])
    return float(levels[last] + part * (levels[last + 1] - levels[last]))


def grid(levels: Floats, curve: Floats, blind: float) -> list[float | None]:
    """Return the level of each of ``SHARES``; None for one that no measured level reaches."""
    return [0.0 if s == 1 else level_of(s, levels, curve, blind) for s in SHARES]
