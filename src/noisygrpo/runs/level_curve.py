"""From scores at each level to a curve with intervals and to the levels that it proposes.

Formulas: ``methods.levels``. The blind score is the higher one of a grey picture and of none: a
level that shows less than the better of the two shows nothing. Intervals of points are normal (1.96
standard errors, by cluster); those of levels are percentiles over resampled clusters, all views of
a row together, as the views of a row rise and fall together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from noisygrpo.errors import require
from noisygrpo.evaluation.stats import mean_with_stderr, paired_values
from noisygrpo.methods.levels import FELT, GONE, SHARES, decreasing, grid, level_of, share_left

BLIND = ("grey", "no-picture")
"""Views that show nothing: a grey picture of the same size, and the question alone."""

RESAMPLES, Z = 400, 1.96

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Scores:
    """What one view's answers earned, row by row."""

    name: str
    level: float | None  # None is blind
    correct: list[float]
    reward: list[float]  # NaN is unscorable
    clusters: list[str]

    def of(self, by: str) -> list[float]:
        """The scores that a grid is made from: accuracy or reward."""
        return self.correct if by == "accuracy" else self.reward

    def told(self, by: str) -> bool:
        """Whether any row has such a score."""
        return any(value == value for value in self.of(by))


def describe_curve(
    scores: Sequence[Scores], by: str, own: Sequence[float] | str | None = None
) -> dict[str, Any]:
    """Return the curve, what was found on it, and a grid, as JSON values.

    Args:
        scores: of every view, the levels ascending from 0, then the blind ones.
        by: ``accuracy`` or ``reward``, from which the grid is made.
        own: the levels that the recipe has now, to be judged.

    A view on which no row has such a score has no place in the curve: its entry there is None, and
    the verdict names it.

    Raises:
        UserError: there is no score of the clean picture, or none without a picture.
    """
    every, scores = scores, [one for one in scores if one.told(by)]
    seen = [one for one in scores if one.level is not None]
    blind = [one for one in scores if one.level is None]
    _require_ends(seen, blind, by)
    levels = np.array([one.level for one in seen])
    sums, counts = _by_cluster(scores, by)
    means = sums.sum(0) / counts.sum(0)
    worst = len(seen) + int(np.argmax(means[len(seen) :]))
    curve = decreasing(means[: len(seen)], counts.sum(0)[: len(seen)])
    worth = _worth(scores[worst], scores[0], by)
    looks = worth["low"] > 0
    floor = float(means[worst])
    found = _found(levels, curve, floor, _resampled(levels, sums, counts)) if looks else {}
    plain = [] if own is None or isinstance(own, str) or not looks else map(float, own)
    result: dict[str, Any] = {
        "by": by,
        "points": [_point(one) for one in every if one.level is not None],
        "blind": {one.name: _point(one) for one in every if one.level is None},
        "left_out": [one.name for one in every if not one.told(by)],
        "blind_by": scores[worst].name,
        "worth": worth,
        "curve": _fitted(every, by, curve),
        "felt": None,
        "gone": None,
        "grid": [],
        **found,
        "own": [
            {"level": level, "left": round(share_left(level, levels, curve, floor), 4)}
            for level in plain
        ],
    }
    return {**result, "verdict": _verdict(result)}


def _require_ends(seen: Sequence[Scores], blind: Sequence[Scores], by: str) -> None:
    """See that there is something to begin with, and something to compare it with."""
    clean = bool(seen) and seen[0].level == 0
    where = "without a picture" if clean else "on the clean picture"
    require(
        clean and bool(blind),
        f"levels: no {by} could be told {where} of any row, so there is no curve by {by}; allowed "
        "are accuracy, or rewards that can tell",
    )


def _fitted(every: Sequence[Scores], by: str, curve: Floats) -> list[float | None]:
    """Return the curve's value of each level; None of those that have no place in it."""
    values = iter(curve)
    return [
        round(float(next(values)), 6) if one.told(by) else None
        for one in every
        if one.level is not None
    ]


def _point(one: Scores) -> dict[str, Any]:
    point: dict[str, Any] = {"level": one.level} if one.level is not None else {}
    told = [number for number, value in enumerate(one.reward) if value == value]
    for name, values, rows in (
        ("accuracy", one.correct, list(range(len(one.correct)))),
        ("reward", one.reward, told),
    ):
        if not rows:
            continue
        clusters = [one.clusters[row] for row in rows]
        mean = mean_with_stderr([values[row] for row in rows], clusters)
        error = None if mean.stderr != mean.stderr else mean.stderr  # of one cluster none is known
        point[name] = {
            "mean": mean.accuracy,
            "stderr": error,
            "low": None if error is None else mean.accuracy - Z * error,
            "high": None if error is None else mean.accuracy + Z * error,
            "n": mean.n,
        }
    return point


def _by_cluster(scores: Sequence[Scores], by: str) -> tuple[Floats, Floats]:
    """Return sums and counts ``[clusters, views]`` of the scores that are numbers."""
    codes = {name: number for number, name in enumerate(dict.fromkeys(scores[0].clusters))}
    place = [codes[name] for name in scores[0].clusters]
    values = np.array([one.of(by) for one in scores], dtype=np.float64).T
    told = ~np.isnan(values)
    sums, counts = np.zeros((2, len(codes), len(scores)))
    np.add.at(sums, place, np.where(told, values, 0.0))
    np.add.at(counts, place, told.astype(np.float64))
    return sums, counts


def _worth(blind: Scores, clean: Scores, by: str) -> dict[str, float]:
    """Return what the picture adds, with its interval."""
    rows = [
        (a, b, name)
        for a, b, name in zip(blind.of(by), clean.of(by), clean.clusters, strict=True)
        if a == a and b == b
    ]
    require(bool(rows), f"levels: no row has a {by} both on the clean picture and without one")
    first, second, names = (list(part) for part in zip(*rows, strict=True))
    found = paired_values(first, second, names)
    return {name: vars(found)[name] for name in ("difference", "low", "high", "confidence")}


def _found(
    levels: Floats, curve: Floats, blind: float, again: Sequence[tuple[Floats, float]]
) -> dict[str, Any]:
    """Return where noise is felt, where the picture is gone, and the grid, with intervals.

    ``again``: curve and blind score of each resample in which the picture is worth something.
    """
    drawn = [grid(levels, one, floor) for one, floor in again]
    entries = []
    for number, (share, level) in enumerate(zip(SHARES, grid(levels, curve, blind), strict=True)):
        there = [one[number] for one in drawn if one[number] is not None]
        entry: dict[str, Any] = {"left": share, "level": _short(level)}
        if level and there:
            low, high = np.quantile(np.array(there, dtype=np.float64), [0.025, 0.975])
            entry |= {"low": _short(low), "high": _short(high)}
        entries.append(entry)
    return {
        "felt": _short(level_of(FELT, levels, curve, blind)),
        "gone": _short(level_of(GONE, levels, curve, blind)),
        "grid": entries,
    }


def _resampled(levels: Floats, sums: Floats, counts: Floats) -> list[tuple[Floats, float]]:
    generator, size = np.random.default_rng([0, 7]), len(sums)
    result = []
    for _ in range(RESAMPLES):
        rows = generator.integers(size, size=size)
        weights = counts[rows].sum(0)
        if not weights.all():
            continue
        means = sums[rows].sum(0) / weights
        curve = decreasing(means[: len(levels)], weights[: len(levels)])
        blind = float(means[len(levels) :].max())
        if curve[0] > blind:
            result.append((curve, blind))
    return result


def _short(level: float | None) -> float | None:
    return None if level is None else round(float(level), 3)


def _verdict(result: Mapping[str, Any]) -> str:
    """Return what the curve says, in a line."""
    left_out = ", ".join(result["left_out"])
    note = f"; left out, as no row has a {result['by']} there: {left_out}" if left_out else ""
    return f"{_says(result)}{note}"


def _says(result: Mapping[str, Any]) -> str:
    worth = result["worth"]
    low, mean, high = (f"{worth[name]:+.3f}" for name in ("low", "difference", "high"))
    blind = f"clean {result['by']} is {mean} [{low}, {high}] above {result['blind_by']}"
    if not result["grid"]:
        return f"{blind}: the answers do not depend on the picture, so no level means anything"
    if result["felt"] is None:
        levels = zip(result["points"], result["curve"], strict=True)
        last = [point["level"] for point, fitted in levels if fitted is not None][-1]
        return f"{blind}, and noise is not felt up to level {last:g}"
    gone = result["gone"]
    end = "it is never gone" if gone is None else f"it is gone at {gone:g} (10 %)"
    return f"{blind}; noise is felt from {result['felt']:g} on (90 % of that is left), {end}"
