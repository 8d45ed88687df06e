"""A difference of two methods over several seeds, from the same rows and the same seeds.

Legend: S seeds, rows i in K splits of n_k rows each, clusters c of rows; ``d_si`` = verdict of the
method minus verdict of the baseline at seed s on row i. The figure is the mean over the splits of
the mean accuracy, so the difference of a seed and of all seeds is::

    D_s = 1/K sum_k 1/n_k sum_{i in k} d_si            D = 1/S sum_s D_s

Two things were drawn: seeds and rows, and they are crossed (every seed answers every row). Both are
resampled, each with the other held at what was seen::

    seeds   e_b = sqrt(S/(S-1)) sqrt((S-1)/chi2_{S-1}) (mean of S drawn D_s - D)
    rows    f_b = D of drawn clusters, within each split, seeds averaged, - D
    both    c (e_b + f_b),   c^2 = max(V_s + V_f - V_sf, V_s, V_f) / (V_s + V_f)

The mean of S values drawn from S has (S-1)/S of the variance that it should have, hence the first
root; the second makes tails of Student's t of a variance that few seeds know badly. What row and
seed have together (which rows this seed happens to get right) is in both parts, so once too often:
c takes it out, as the variance of crossed effects does, V = V_s + V_f - V_sf (Owen 2007, "The
pigeonhole bootstrap"; Cameron, Gelbach & Miller 2011, equation 2.4). Interval: D minus the
quantiles of the deviations (basic bootstrap). P-value, two-sided: the share of deviations that are
at least as large as D, with the one that was seen counted in.

Everything is a pure function of its arguments and ``seed``.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from noisygrpo.errors import require
from noisygrpo.evaluation.stats import cluster_codes, shares

Floats = NDArray[np.float64]

_CHUNK = 4_000_000  # elements of one block of resamples: bounds memory at 32 MB of float64


@dataclass(frozen=True)
class SeededDifference:
    """Method minus baseline; ``low`` and ``high`` of the interval and ``p_value`` are NaN where
    there is one seed only.
    """

    difference: float
    low: float
    high: float
    p_value: float
    seeds: int
    rows: int
    clusters: int
    by_seed: tuple[float, ...]


@dataclass(frozen=True)
class _Split:
    """Sums and sizes of a split's clusters: ``sums [seeds, clusters]``, ``sizes [clusters]``."""

    sums: Floats
    sizes: Floats

    def means(self) -> Floats:
        """The mean of each seed."""
        return self.sums.sum(axis=1) / self.sizes.sum()

    def variances(self) -> tuple[float, float]:
        """Of the mean over seeds: by clusters, and by what cluster and seed have together."""
        seeds, count = self.sums.shape
        if count < 2:
            return 0.0, 0.0
        apart = (self.sums - np.outer(self.means(), self.sizes)) / self.sizes.sum()
        together = apart.mean(axis=0)
        grow = count / (count - 1)
        rest = float(((apart - together) ** 2).sum()) / (seeds * max(seeds - 1, 1))
        return grow * float((together**2).sum()), grow * rest

    def drawn(self, generator: np.random.Generator, resamples: int) -> Floats:
        """Means over drawn clusters, seeds averaged; ``[resamples]``."""
        sums, count = self.sums.mean(axis=0), self.sizes.size
        found, step = [], max(1, _CHUNK // count)
        for start in range(0, resamples, step):
            places = generator.integers(count, size=(min(step, resamples - start), count))
            found.append(sums[places].sum(axis=1) / self.sizes[places].sum(axis=1))
        return np.concatenate(found)


def difference_over_seeds(
    method: Floats,
    baseline: Floats,
    splits: Sequence[str],
    clusters: Sequence[str] | None = None,
    *,
    resamples: int = 10_000,
    seed: int = 0,
    confidence: float = 0.95,
) -> SeededDifference:
    """The difference of two methods, with both seeds and rows resampled (module docstring).

    Args:
        method, baseline: verdicts or scores in [0, 1], ``float [seeds, rows]``; the same seed in
            the same place on both sides, the same row too.
        splits: name of each row's split; every split counts the same.
        clusters: label of each row's cluster within its split; None: rows are independent.

    Raises:
        UserError: shapes that differ, nothing to compare, NaN or anything else outside [0, 1], too
            few resamples.
    """
    a, b = (shares(one, "difference over seeds") for one in (baseline, method))
    require(
        a.shape == b.shape and a.ndim == 2 and a.size > 0,
        f"difference over seeds: {b.shape} against {a.shape}; needed are the same seeds and rows",
    )
    require(len(splits) == a.shape[1], f"splits: {len(splits)} names for {a.shape[1]} rows")
    named = len(splits) if clusters is None else len(clusters)
    require(named == a.shape[1], f"clusters: {named} labels for {a.shape[1]} rows")
    require(resamples >= 100, f"resamples: {resamples}, at least 100 are needed")
    require(0 < confidence < 1, f"confidence: {confidence}, allowed is between 0 and 1")
    parts = _parts(b - a, splits, clusters)
    by_seed = np.mean([part.means() for part in parts], axis=0)
    low = high = p_value = float("nan")
    if len(by_seed) > 1:
        deviations = _deviations(parts, by_seed, resamples, seed)
        mean, tail = float(by_seed.mean()), (1 - confidence) / 2
        upper, lower = np.quantile(deviations, [1 - tail, tail])
        low, high = mean - float(upper), mean - float(lower)
        # Equal sums added in another order must count as equal.
        beyond = int((np.abs(deviations) >= abs(mean) - 1e-12).sum())
        p_value = (beyond + 1) / (resamples + 1)
    count = sum(part.sizes.size for part in parts)
    return SeededDifference(
        float(by_seed.mean()), low, high, p_value, len(by_seed), a.shape[1], count,
        tuple(map(float, by_seed)),
    )  # fmt: skip


def _parts(d: Floats, splits: Sequence[str], clusters: Sequence[str] | None) -> list[_Split]:
    names, found = np.asarray(splits, dtype=object), []
    for split in dict.fromkeys(splits):
        here = np.flatnonzero(names == split)
        labels = None if clusters is None else [clusters[int(row)] for row in here]
        codes, count = cluster_codes(labels, here.size)
        counted = [np.bincount(codes, weights=one[here], minlength=count) for one in d]
        sums = np.stack(counted).astype(np.float64)
        sizes = np.bincount(codes, minlength=count).astype(np.float64)
        found.append(_Split(sums, sizes))
    return found


def _deviations(parts: Sequence[_Split], by_seed: Floats, resamples: int, seed: int) -> Floats:
    """Draws of what the difference may be off by."""
    seeds, mean = by_seed.size, by_seed.mean()
    generator = np.random.default_rng([seed, 4])
    counts = generator.multinomial(seeds, np.full(seeds, 1 / seeds), resamples) / seeds
    wide = np.sqrt(seeds / generator.chisquare(seeds - 1, resamples))
    of_seeds = (counts @ by_seed - mean) * wide
    of_rows = np.zeros(resamples)
    for number, part in enumerate(parts):
        drawn = part.drawn(np.random.default_rng([seed, 5, number]), resamples)
        of_rows += (drawn - part.means().mean()) / len(parts)
    spread = [part.variances() for part in parts]
    rows, both = (sum(pair[n] for pair in spread) / len(parts) ** 2 for n in (0, 1))
    between = float(by_seed.var(ddof=1)) / seeds
    total = rows + between
    once = max(total - both, rows, between)
    return (of_seeds + of_rows) * (np.sqrt(once / total) if total > 0 else 1.0)


def mean_over_seeds(by_seed: Sequence[float]) -> tuple[float, float]:
    """Mean and its standard error over seeds; NaN for the error of one seed."""
    values = np.asarray(by_seed, dtype=np.float64)
    require(values.size > 0, "mean over seeds: no seeds, at least one is needed")
    error = float(values.std(ddof=1)) / values.size**0.5 if values.size > 1 else float("nan")
    return float(values.mean()), error
