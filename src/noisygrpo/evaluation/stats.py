"""Accuracy with a standard error that respects clusters, and paired comparison of two evaluations.

Legend: n samples, C clusters; ``y_i`` the score of sample i in [0, 1], ``p`` the mean score.

Standard error of the mean (cluster-robust, Liang & Zeger 1986, with the C / (C - 1) correction;
Miller 2024, "Adding Error Bars to Evals", equation 4, which omits the correction)::

    SE = sqrt( C / (C - 1) * sum_c ( sum_{i in c} (y_i - p) )^2 ) / n

With one sample per cluster this is the usual sample standard deviation over sqrt(n). Six
permutations of one NLVR statement are one cluster: their answers rise and fall together, and
counting them as independent would make the standard error up to sqrt(6) times too small.

Paired difference of two evaluations of the same samples, ``d_i = b_i - a_i``: the interval is the
percentile bootstrap over clusters; the test is the exact McNemar test where every cluster is one
sample with a 0/1 score, and else a permutation test that flips the sign of whole clusters (exact
up to 2^EXACT_CLUSTERS sign patterns).

Everything is a pure function of its arguments and ``seed``; nothing touches a global random state.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from noisygrpo.errors import UserError, require

EXACT_CLUSTERS = 14  # 2^14 sign patterns are enumerated; beyond that they are drawn
_ROUNDING = 1e-9  # by which a mean of scores may leave [0, 1]
_CHUNK = 4_000_000  # elements of one block of resamples: bounds memory at 32 MB of float64

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Result:
    """The outcome of one evaluation.

    ``accuracy`` in [0, 1]; ``stderr`` its cluster-robust standard error, NaN with fewer than two
    clusters; ``n`` the number of samples, failures included; ``clusters`` how many clusters they
    form; ``failures`` how many samples could not be answered and count as wrong.
    """

    accuracy: float
    stderr: float
    n: int
    clusters: int = 0
    failures: int = 0

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON values; a standard error that is not defined becomes ``None``."""
        return {key: (None if value != value else value) for key, value in asdict(self).items()}

    def __str__(self) -> str:
        return f"{100 * self.accuracy:.1f} ± {100 * self.stderr:.1f} % (n = {self.n})"


@dataclass(frozen=True)
class PairedDifference:
    """``b - a`` on the same samples: the mean, its bootstrap interval and a two-sided test of no
    difference.

    ``wins`` / ``losses`` count samples on which b scores above / below a. ``test`` names the test
    behind ``p_value``: ``mcnemar-exact``, ``cluster-permutation-exact`` or
    ``cluster-permutation``.
    """

    difference: float
    low: float
    high: float
    p_value: float
    test: str
    n: int
    clusters: int
    wins: int
    losses: int
    confidence: float = 0.95

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON values."""
        return asdict(self)


def accuracy_with_stderr(
    correct: Sequence[bool] | Sequence[float],
    clusters: Sequence[str] | None = None,
    failures: int = 0,
) -> Result:
    """The mean of ``correct`` with its cluster-robust standard error (formula in the module
    docstring).

    ``correct`` holds one verdict or score in [0, 1] per sample; ``clusters`` one label per sample,
    ``None`` for independent samples. Raises ``UserError`` for an empty list, lists of different
    lengths, and for NaN or anything else outside [0, 1].
    """
    return mean_with_stderr(shares(correct, "accuracy"), clusters, failures)


def mean_with_stderr(
    values: Sequence[float] | Floats, clusters: Sequence[str] | None = None, failures: int = 0
) -> Result:
    """`accuracy_with_stderr` of any finite numbers, such as rewards."""
    scores = _finite(values, "mean")
    require(scores.size > 0, "accuracy: no samples, at least one is needed")
    codes, count = cluster_codes(clusters, scores.size)
    mean = float(scores.mean())
    return Result(mean, _cluster_stderr(scores, codes, count), int(scores.size), count, failures)


def paired_difference(
    a: Sequence[bool] | Sequence[float],
    b: Sequence[bool] | Sequence[float],
    clusters: Sequence[str] | None = None,
    *,
    resamples: int = 10_000,
    seed: int = 0,
    confidence: float = 0.95,
) -> PairedDifference:
    """Compare two evaluations of the same samples; positive means that ``b`` is better.

    ``a``, ``b``: scores in [0, 1] in the same order of samples (several seeds: the mean score of
    each sample over its seeds). ``clusters`` as in `accuracy_with_stderr`. Raises ``UserError``
    where the lengths differ, and for NaN or anything else outside [0, 1].
    """
    what = "paired difference"
    return paired_values(
        shares(a, what), shares(b, what), clusters,
        resamples=resamples, seed=seed, confidence=confidence,
    )  # fmt: skip


def paired_values(
    a: Sequence[float] | Floats,
    b: Sequence[float] | Floats,
    clusters: Sequence[str] | None = None,
    *,
    resamples: int = 10_000,
    seed: int = 0,
    confidence: float = 0.95,
) -> PairedDifference:
    """`paired_difference` of any finite numbers, such as rewards."""
    first, second = (_finite(values, "paired difference") for values in (a, b))
    require(first.size > 0, "paired difference: no samples, at least one is needed")
    require(
        first.size == second.size, f"paired difference: {first.size} samples against {second.size}"
    )
    codes, count = cluster_codes(clusters, first.size)
    delta = second - first
    sums: Floats = np.bincount(codes, weights=delta, minlength=count).astype(np.float64)
    sizes = np.bincount(codes, minlength=count).astype(np.float64)
    low, high = _bootstrap_interval(sums, sizes, resamples, seed, confidence)
    wins, losses = int((delta > 0).sum()), int((delta < 0).sum())
    if count == first.size and bool(np.isin(delta, (-1.0, 0.0, 1.0)).all()):
        test, p_value = "mcnemar-exact", mcnemar_exact(wins, losses)
    else:
        test, p_value = _sign_flip(sums, resamples, seed)
    n, mean = int(first.size), float(delta.mean())
    return PairedDifference(mean, low, high, p_value, test, n, count, wins, losses, confidence)


def shares(values: Any, what: str) -> Floats:
    """Verdicts or scores as numbers. Raises ``UserError`` naming the first outside [0, 1]."""
    found = _finite(values, what)
    outside = found[(found < -_ROUNDING) | (found > 1 + _ROUNDING)]
    require(outside.size == 0, f"{what}: {next(iter(outside), 0):g} is a score, allowed is 0 to 1")
    return found


def _finite(values: Any, what: str) -> Floats:
    try:
        found = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise UserError(f"{what}: a score is no number: {error}") from error
    wrong = found[~np.isfinite(found)]
    require(wrong.size == 0, f"{what}: {next(iter(wrong), 0)} is a score, allowed are numbers")
    return found


def mcnemar_exact(wins: int, losses: int) -> float:
    """Two-sided exact McNemar p-value: ``wins`` against Binomial(wins + losses, 1/2)."""
    discordant, smaller = wins + losses, min(wins, losses)
    if discordant == 0:
        return 1.0
    # In whole numbers: powers of 1/2 underflow at 1,075 pairs, a quotient of integers does not.
    term = tail = 1
    for k in range(smaller):
        term = term * (discordant - k) // (k + 1)
        tail += term
    return min(1.0, 2 * tail / 2**discordant)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's correction: the i-th smallest of m p-values times m - i + 1, made monotone.

    A NaN belongs to the family, as a comparison that was meant to be made, and stays NaN.
    """
    order = sorted(range(len(p_values)), key=lambda n: (p_values[n] != p_values[n], p_values[n]))
    corrected, largest = [math.nan] * len(p_values), 0.0
    for rank, index in enumerate(order):
        if p_values[index] == p_values[index]:
            largest = max(largest, min(1.0, (len(order) - rank) * p_values[index]))
            corrected[index] = largest
    return corrected


def cluster_codes(clusters: Sequence[str] | None, n: int) -> tuple[NDArray[np.intp], int]:
    """The number of each row's cluster, in order of first appearance, and how many there are."""
    if clusters is None:
        return np.arange(n), n
    require(len(clusters) == n, f"clusters: {len(clusters)} labels for {n} samples")
    # Codes in order of first appearance, so that a drawn permutation does not depend on the
    # labels' spelling.
    order = {label: index for index, label in enumerate(dict.fromkeys(clusters))}
    return np.array([order[label] for label in clusters], dtype=np.intp), len(order)


def _cluster_stderr(values: Floats, codes: NDArray[np.intp], count: int) -> float:
    if count < 2:
        return math.nan
    sums = np.bincount(codes, weights=values - values.mean(), minlength=count)
    return math.sqrt(count / (count - 1) * float((sums**2).sum())) / values.size


def _bootstrap_interval(
    sums: Floats, sizes: Floats, resamples: int, seed: int, confidence: float
) -> tuple[float, float]:
    require(resamples >= 100, f"resamples: {resamples}, at least 100 are needed")
    require(0 < confidence < 1, f"confidence: {confidence}, allowed is between 0 and 1")
    generator = np.random.default_rng([seed, 1])
    count, means, rows = sums.size, [], max(1, _CHUNK // sums.size)
    for start in range(0, resamples, rows):
        drawn = generator.integers(count, size=(min(rows, resamples - start), count))
        means.append(sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1))
    tail = (1 - confidence) / 2
    low, high = np.quantile(np.concatenate(means), [tail, 1 - tail])
    return float(low), float(high)


def _sign_flip(sums: Floats, resamples: int, seed: int) -> tuple[str, float]:
    """P-value of |sum of cluster differences| when each cluster's sign is a fair coin."""
    moving = sums[sums != 0]
    observed = (
        abs(float(moving.sum())) - 1e-9
    )  # equal sums added in another order must count as equal
    if moving.size <= EXACT_CLUSTERS:
        bits = np.arange(2**moving.size)[:, None] >> np.arange(moving.size) & 1
        return "cluster-permutation-exact", float(
            (np.abs((2 * bits - 1) @ moving) >= observed).mean()
        )
    generator, hits, rows = np.random.default_rng([seed, 2]), 0, max(1, _CHUNK // moving.size)
    for start in range(0, resamples, rows):
        signs = generator.integers(2, size=(min(rows, resamples - start), moving.size)) * 2 - 1
        hits += int((np.abs(signs @ moving) >= observed).sum())
    return "cluster-permutation", (hits + 1) / (resamples + 1)
