"""What the verdicts say: figures, differences to the baseline, and what could have been seen.

Everything is a function of the three tables of ``keep``; nothing else is read. The statistics
themselves are the package's: ``noisygrpo.evaluation.over_seeds``, ``noisygrpo.evaluation.stats``.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from noisygrpo.errors import require
from noisygrpo.evaluation.over_seeds import (
    SeededDifference,
    difference_over_seeds,
    mean_over_seeds,
)
from noisygrpo.evaluation.stats import holm

from .arms import BASELINE, PRIMARY

Key = tuple[str, str]
"""Arm and setting."""


@dataclass(frozen=True)
class Answers:
    """The verdicts of one arm at one setting, over its seeds, on the same rows."""

    seeds: tuple[int, ...]
    rows: tuple[tuple[str, str], ...]
    """(split, row) of each column."""
    clusters: tuple[str, ...]
    values: NDArray[np.float64]
    """``[seeds, rows]``, 1 where right."""

    @property
    def splits(self) -> list[str]:
        """The split of each column."""
        return [split for split, _ in self.rows]

    def of(self, splits: Sequence[str], seeds: Sequence[int] | None = None) -> "Answers":
        """Those of some splits, and seeds."""
        columns = [n for n, split in enumerate(self.splits) if split in splits]
        lines = [n for n, seed in enumerate(self.seeds) if seeds is None or seed in seeds]
        return self._only(lines, columns)

    def among(self, rows: Collection[tuple[str, str]]) -> "Answers":
        """Those of some rows."""
        columns = [n for n, row in enumerate(self.rows) if row in rows]
        return self._only(range(len(self.seeds)), columns)

    def _only(self, lines: Sequence[int], columns: Sequence[int]) -> "Answers":
        return Answers(
            tuple(self.seeds[n] for n in lines),
            tuple(self.rows[n] for n in columns),
            tuple(self.clusters[n] for n in columns),
            self.values[np.ix_(lines, columns)],
        )

    def figures(self, splits: Sequence[str]) -> list[float]:
        """Of each seed the mean over splits of accuracy; splits that are not there are left out."""
        there = [split for split in splits if split in self.splits]
        parts = [self.of([split]).values.mean(axis=1) for split in there]
        return [] if not parts else [float(value) for value in np.mean(parts, axis=0)]


@dataclass(frozen=True)
class Line:
    """An arm's line of the primary table."""

    arm: str
    setting: str
    seeds: int
    meant: int
    """How many seeds were meant."""
    rows: int
    mean: float
    error: float
    difference: SeededDifference | None = None
    """To the baseline over common seeds; None of the baseline itself, and of an arm without any."""
    p_holm: float = math.nan


def all_answers(
    verdicts: pd.DataFrame, stage: int, *, calibrated: bool = False
) -> dict[Key, Answers]:
    """The verdicts of a stage by arm and setting.

    Raises:
        UserError: runs of an arm were not evaluated on the same rows.
    """
    here = verdicts[(verdicts["stage"] == stage) & (verdicts["calibrated"] == calibrated)]
    groups = here.groupby(["arm", "setting"], sort=False)
    return {(str(a), str(s)): _answers(frame, f"{a} {s}") for (a, s), frame in groups}


def _answers(frame: pd.DataFrame, name: str) -> Answers:
    table = frame.pivot(index=["split", "row"], columns="seed", values="correct").sort_index()
    holes = int(table.isna().to_numpy().sum())
    require(holes == 0, f"{name}: its runs were evaluated on different rows ({holes} holes)")
    first = frame[frame["seed"] == frame["seed"].iloc[0]].set_index(["split", "row"])
    clusters = first["cluster"].loc[table.index]
    return Answers(
        tuple(int(seed) for seed in table.columns),
        tuple((str(a), str(b)) for a, b in table.index),
        tuple(clusters),
        table.to_numpy(dtype=np.float64).T,
    )


def compare(
    method: Answers, baseline: Answers, splits: Sequence[str], resamples: int = 10_000
) -> SeededDifference | None:
    """The difference over the seeds that both have; None without any, or without the splits.

    Raises:
        UserError: they were not evaluated on the same rows.
    """
    seeds = [seed for seed in method.seeds if seed in baseline.seeds]
    a, b = baseline.of(splits, seeds), method.of(splits, seeds)
    if not (a.values.size and b.values.size):
        return None
    require(a.rows == b.rows, "the arms were not evaluated on the same rows")
    return difference_over_seeds(b.values, a.values, b.splits, b.clusters, resamples=resamples)


def primary(
    answers: Mapping[Key, Answers],
    chosen: Mapping[str, str],
    meant: Mapping[str, int],
    splits: Sequence[str] = PRIMARY,
    resamples: int = 10_000,
) -> list[Line]:
    """Each arm at its chosen setting against the baseline, corrected over all of them.

    ``meant``: how many seeds each arm should have; an arm without any run has a line without
    numbers, and is in the family that is corrected over.
    """
    base = answers.get((BASELINE, chosen.get(BASELINE, "")))
    lines = []
    for arm, seeds in meant.items():
        key = (arm, chosen.get(arm, ""))
        if key not in answers:
            lines.append(Line(arm, key[1], 0, seeds, 0, math.nan, math.nan))
            continue
        own = answers[key]
        mean, error = mean_over_seeds(own.figures(splits) or [math.nan])
        against = None if base is None or arm == BASELINE else compare(own, base, splits, resamples)
        rows = own.of(splits).values.shape[1]
        lines.append(Line(arm, key[1], len(own.seeds), seeds, rows, mean, error, against))
    family = [n for n, line in enumerate(lines) if line.arm != BASELINE]
    p_values = [math.nan if (d := lines[n].difference) is None else d.p_value for n in family]
    for n, corrected in zip(family, holm(p_values), strict=True):
        lines[n] = Line(**{**vars(lines[n]), "p_holm": corrected})
    return lines


def best_settings(answers: Mapping[Key, Answers]) -> dict[str, str]:
    """Of each arm the setting with the highest primary figure over its seeds; of equal ones the
    first. Settings with fewer seeds than another of the arm wait.
    """
    found: dict[str, tuple[int, float, str]] = {}
    for (arm, setting), own in answers.items():
        figures = own.figures(PRIMARY)
        rank = (len(figures), float(np.mean(figures)) if figures else -1.0)
        if arm not in found or rank > found[arm][:2]:
            found[arm] = (*rank, setting)
    return {arm: setting for arm, (_, _, setting) in found.items()}


def leading(lines: Sequence[Line], most: int) -> list[Key]:
    """The baseline and the arms with the largest differences to it, at most so many."""
    ranked = [line for line in lines if line.difference is not None]
    ranked.sort(key=lambda line: -line.difference.difference if line.difference else 0.0)
    base = [line for line in lines if line.arm == BASELINE]
    return [(line.arm, line.setting) for line in (*base, *ranked[:most])]


def detectable(
    figures: Sequence[float], seeds: int, comparisons: int = 1, power: float = 0.8
) -> float:
    """The difference between two arms that is found with this probability, from one arm's seeds.

    ``figures``: the primary figure of each seed of the baseline. Both arms are taken to vary as it
    does and independently, so pairing (same seed, same rows) is left out and the truth is a little
    better; tests are two-sided at 5 % over the number of comparisons, the first of Holm's. With
    t of 2 (n - 1) degrees of freedom and the noncentral t for its power.
    """
    require(len(figures) > 1, "power: one seed says nothing of seeds; at least two are needed")
    require(seeds > 1, f"power: {seeds} seeds, at least two are needed")
    freedom, error = 2 * (seeds - 1), float(np.std(figures, ddof=1)) * math.sqrt(2 / seeds)
    critical = float(stats.t.ppf(1 - 0.05 / comparisons / 2, freedom))
    low, high = 0.0, 100.0
    for _ in range(60):
        middle = (low + high) / 2
        found = float(stats.nct.sf(critical, freedom, middle))
        low, high = (low, middle) if found >= power else (middle, high)
    return high * error
