"""Reward against noise level with intervals: at which level noise stops being seen through.

Per level (or tenth, at the mean of its levels, where there are more than ten) the mean over
rollouts with a 95 % interval: 1.96 standard errors that hold the rollouts of one prompt together
(``evaluation.stats``), for all steps and for the first and the last third of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from noisygrpo.evaluation.stats import mean_with_stderr
from noisygrpo.report.rollouts import Rollouts
from noisygrpo.training.records.level_bins import MOST, LevelBins

Z = 1.96


def level_curves(rollouts: Rollouts) -> dict[str, Any]:
    """``{reward: {"all" | "first" | "last": [[level, mean, low, high, n]]}}``, by reward's name.

    {} where every rollout saw the clean image.
    """
    if len(set(rollouts.level)) < 2:
        return {}
    values: dict[str, Sequence[float | None]] = {"reward": rollouts.reward, **rollouts.parts}
    levels = _apart(rollouts.level)
    first, last = rollouts.step[0], rollouts.step[-1]
    third = (last - first + 1) / 3
    spans = {
        "all": (first, last),
        "first": (first, first + third - 1),
        "last": (last - third + 1, last),
    }
    if last - first < 2:
        spans = {"all": (first, last)}
    return {
        name: {span: _curve(rollouts, column, levels, *ends) for span, ends in spans.items()}
        for name, column in values.items()
    }


def _apart(levels: Sequence[float]) -> list[float]:
    """The levels as they are, or each as the mean of its tenth."""
    distinct = set(levels)
    if len(distinct) <= MOST + 1:
        return list(levels)
    bucket = LevelBins().bin
    tenths: dict[int, list[float]] = {}
    for level in levels:
        tenths.setdefault(bucket(level), []).append(level)
    means = {tenth: round(sum(found) / len(found), 3) for tenth, found in tenths.items()}
    return [means[bucket(level)] for level in levels]


def _curve(
    rollouts: Rollouts,
    column: Sequence[float | None],
    levels: Sequence[float],
    first: float,
    last: float,
) -> list[list[float | None]]:
    """Points by level, of the steps from ``first`` to ``last``."""
    found: dict[float, tuple[list[float], list[str]]] = {}
    rows = zip(rollouts.step, rollouts.example, levels, column, strict=True)
    for step, example, level, value in rows:
        if value is not None and first <= step <= last:
            scores, clusters = found.setdefault(level, ([], []))
            scores.append(value)
            clusters.append(str(example))
    curve: list[list[float | None]] = []
    known = [value for value in column if value is not None]
    least, most = min(known, default=0.0), max(known, default=0.0)
    for level in sorted(found):
        result = mean_with_stderr(*found[level])
        spread = Z * result.stderr if result.stderr == result.stderr else None
        low = None if spread is None else round(max(least, result.accuracy - spread), 4)
        high = None if spread is None else round(min(most, result.accuracy + spread), 4)
        curve.append([level, round(result.accuracy, 4), low, high, result.n])
    return curve
