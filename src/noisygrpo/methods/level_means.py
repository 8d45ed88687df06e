"""What each noise level costs, from the rewards of earlier batches: running means by level.

Levels fall into bins of one percent: bin 0 holds the clean rollouts, bin k > 0 the levels that
round to k/100. For each bin, after a batch, with everything older weighing (1 - 1/memory) as much
as before:

    N_k, S_k, Q_k   sums of 1, r and r^2 over scorable rollouts
    p(n)            the decreasing function nearest to S_k / N_k, weights N_k (``methods.levels``)
    slope, error    weighted least squares of r over the level, from N, S and Q
    certainty       phi = max(0, 1 - (2 error / slope)^2) where the slope is below 0, else 0

p says what reward a level leaves over all groups. For groups whose rewards differ there is also
what a level leaves *beside its group*: the offset o(n) of the Rasch model

    P(u_i = 1) = b_i = sigmoid(a_q + o(n_i)),   u_i = (r_i - min r) / (max r - min r)

in which a question q has an ease a_q and a level an offset. a_q is given by sum_i b_i = sum_i u_i,
so a group's b are known once the offsets are (``expected_share``). The offsets are fitted by one
Newton step a batch on the residuals, each weighed as its group's advantages are,

    h_q = 1 / std_q(u),   I_k = sum h_q b (1 - b),   o_k <- o_k + sum h_q (u - b) / (I_k + RIDGE)

(I with the same memory), whose fixed point is a mean residual, and so a mean advantage
(u - b) / std(u), of 0 at every level. ``offset`` is the decreasing function nearest to o_k, weights
I_k: noise is never taken to help.

Everything is a pure function of the batches' rewards and levels over all processes, in float64, so
it is the same on any number of processes and for any micro-batch. Groups of one level and
unscorable rollouts say nothing about levels.

Shapes: ``rewards``, ``levels`` ``[prompts, group]``; K = 101 bins.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from .group_stats import center, constant, scorable, variance
from .levels import decreasing

BINS = 101
COLUMNS = ("count", "sum", "squares", "information", "offset")

RIDGE = 4.0
"""Information that offsets begin with: that of 16 rollouts at even odds, so that one batch of a few
groups does not say that a level is hopeless."""

FARTHEST = 6.0
"""Largest offset either way: odds of 400 to 1, beyond which a level is hopeless anyway."""

LEAST = 0.5
"""Rollouts that a bin must be worth, so that levels of long ago no longer count."""

HALVINGS = 60
"""Of the interval that a question's ease is sought in: its width is then 1e-16."""


def bins(levels: Tensor) -> Int[Tensor, "..."]:
    """Return the bin of each level; only a level of 0 is in bin 0."""
    percent = (levels.double() * 100).round().long().clamp(1, BINS - 1)
    return torch.where(levels > 0, percent, 0)


def shares(
    rewards: Float[Tensor, "prompts group"], mask: Bool[Tensor, "prompts group"]
) -> Float[Tensor, "prompts group"]:
    """Return u: where each reward lies between its group's least and largest; 0 outside the mask
    and in constant groups."""
    low = rewards.masked_fill(~mask, torch.inf).amin(1, keepdim=True)
    high = rewards.masked_fill(~mask, -torch.inf).amax(1, keepdim=True)
    silent = ~mask | constant(rewards, mask)[:, None]
    return ((rewards - low) / (high - low)).masked_fill(silent, 0.0)


def expected_share(
    u: Float[Tensor, "prompts group"],
    offsets: Float[Tensor, "prompts group"],
    mask: Bool[Tensor, "prompts group"],
) -> Float[Tensor, "prompts group"]:
    """Return b = sigmoid(a + offset) with a such that b and u have the same sum in each group.

    0 outside the mask; the groups' u must not be constant.
    """
    total = u.masked_fill(~mask, 0.0).sum(1, keepdim=True)
    low = torch.full_like(total, -50.0)
    high = -low
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        few = torch.sigmoid(middle + offsets).masked_fill(~mask, 0.0).sum(1, keepdim=True) < total
        low, high = torch.where(few, middle, low), torch.where(few, high, middle)
    return torch.sigmoid((low + high) / 2 + offsets).masked_fill(~mask, 0.0)


@dataclass(frozen=True)
class LevelMeans:
    """Running sums by level; a value, never changed in place."""

    table: Float[Tensor, "K columns"] = field(
        default_factory=lambda: torch.zeros(BINS, len(COLUMNS), dtype=torch.float64)
    )

    def after(
        self,
        rewards: Float[Tensor, "prompts group"],
        levels: Float[Tensor, "prompts group"],
        memory: float = 20.0,
    ) -> "LevelMeans":
        """Return the means with one more batch, of all processes.

        ``memory``: batches, at least 1, after which a batch weighs 1/e; 1 keeps the last alone.
        """
        if not memory >= 1:
            raise ValueError(f"memory {memory!r} must be at least 1 batch")
        r, mask = scorable(rewards)
        place, table = bins(levels), self.table.clone()
        table[:, :4] *= 1.0 - 1.0 / memory
        known = r[mask]
        for column, values in enumerate((torch.ones_like(known), known, known.square())):
            table[:, column] += torch.bincount(place[mask], values, BINS)
        told = mask & ~(constant(r, mask) | constant(levels.double(), mask))[:, None]
        if told.any():
            _fit(table, r, place, told)
        return LevelMeans(table)

    def curve(self, levels: Tensor) -> Float[Tensor, "..."]:
        """Return p, the reward that a level leaves; NaN where nothing is known of any level."""
        count = self.table[:, 0]
        return self._read(levels, self.table[:, 1] / count.clamp(min=1e-12), count)

    def offset(self, levels: Tensor) -> Float[Tensor, "..."]:
        """Return o, the log-odds of a level beside its group, up to a constant; 0 where nothing is
        known."""
        known = self._read(levels, self.table[:, 4], self.table[:, 3] * (self.table[:, 0] >= LEAST))
        return known.nan_to_num(0.0)

    def _read(self, levels: Tensor, values: Tensor, weights: Tensor) -> Float[Tensor, "..."]:
        there = (weights > 0) & (self.table[:, 0] >= LEAST)
        if not there.any():
            return torch.full_like(levels, torch.nan, dtype=torch.float64)
        fitted = decreasing(values[there].tolist(), weights[there].tolist())
        found = np.interp(bins(levels).numpy(), there.nonzero()[:, 0].numpy(), fitted)
        return torch.from_numpy(np.asarray(found, dtype=np.float64))

    def ends(self) -> tuple[float, float]:
        """Return p at the least and at the noisiest level that is known; NaN without any."""
        known = (self.table[:, 0] >= LEAST).nonzero()[:, 0]
        if not len(known):
            return float("nan"), float("nan")
        low, high = self.curve(known[[0, -1]].double() / 100).tolist()
        return low, high

    def slope(self) -> tuple[float, float]:
        """Return reward per unit of level and its standard error; NaN for fewer than two levels."""
        count, total, squares = self.table[:, :3].T
        where, everything = torch.arange(BINS, dtype=torch.float64) / 100, count.sum()
        off = where - (count * where).sum() / everything.clamp(min=1e-12)
        spread = (count * off.square()).sum().item()
        if not spread > 1e-9 or everything <= 2:
            return float("nan"), float("nan")
        slope = (off * total).sum().item() / spread
        around = squares.sum() - total.sum().square() / everything - slope**2 * spread
        return slope, (max(around.item(), 0.0) / (everything.item() - 2) / spread) ** 0.5

    def certainty(self) -> float:
        """Return phi in [0, 1]: how sure it is that noise costs reward; 0 below two errors."""
        slope, error = self.slope()
        return max(0.0, 1.0 - (2.0 * error / slope) ** 2) if slope < 0 else 0.0

    def rows(self) -> dict[str, list[float]]:
        """Return bins that hold something, by number, for JSON."""
        there = self.table.any(1).nonzero()[:, 0].tolist()
        return {str(one): self.table[one].tolist() for one in there}

    @classmethod
    def of_rows(cls, rows: Mapping[str, Sequence[float]]) -> "LevelMeans":
        """Return what ``rows`` was made of, bit for bit."""
        made = cls()
        for one, values in rows.items():
            made.table[int(one)] = torch.tensor(values, dtype=torch.float64)
        return made


def _fit(table: Tensor, r: Tensor, place: Tensor, told: Tensor) -> None:
    """Move the offsets of a table by one Newton step; groups outside ``told`` say nothing."""
    rows = told.any(1)
    r, place, told = r[rows], place[rows], told[rows]
    u = shares(r, told)
    b = expected_share(u, table[:, 4][place], told)
    h = 1.0 / variance(center(u, told), told).sqrt()
    pull, information = (h * (u - b))[told], (h * b * (1.0 - b))[told]
    table[:, 3] += torch.bincount(place[told], information, BINS)
    steps = torch.bincount(place[told], pull, BINS) / (table[:, 3] + RIDGE)
    table[:, 4] = (table[:, 4] + steps).clamp(-FARTHEST, FARTHEST)
