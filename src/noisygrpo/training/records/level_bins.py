"""Names of noise levels in metrics: each of a plan's levels where these are few, else tenths.

A grid without a schedule has the same levels at every step, and each is a metric of its own
(``level_0.083``). Continuous and decaying levels would make a new metric every step: they are
grouped by their upper edge, and ``level_0.3`` holds the levels in (0.2, 0.3]. Either way
``level_0.0`` holds the clean rollouts, and these only.
"""

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from noisygrpo.training.config import NoisyGRPOConfig

TENTHS = tuple(tenth / 10 for tenth in range(1, 11))
MOST = 10
"""Levels above 0 that are named one by one, at most."""
DIGITS = 3
"""Of a level in a name: noise has 1,000 steps."""


@dataclass(frozen=True)
class LevelBins:
    """Bins of levels; bin 0 holds the clean rollouts, bin k the levels up to ``edges[k - 1]``."""

    edges: tuple[float, ...] = TENTHS

    @classmethod
    def of(cls, config: NoisyGRPOConfig) -> "LevelBins":
        """Return the bins for a run."""
        fixed = config.view_plan in ("grid", "split") and config.noise_decay == "none"
        levels = config.noise_levels if fixed else None
        if not isinstance(levels, Sequence) or isinstance(levels, str):
            return cls()
        edges = sorted({round(level, DIGITS) for level in levels if level > 0} - {0.0})
        return cls(tuple(edges)) if 0 < len(edges) <= MOST else cls()

    def __len__(self) -> int:
        """Bins, the clean one among them."""
        return len(self.edges) + 1

    def bin(self, level: float) -> int:
        """Return 0 for a clean rollout, else the bin that the level rounds up to."""
        if level <= 0:
            return 0
        return min(bisect_left(self.edges, round(level, DIGITS)) + 1, len(self.edges))

    def name(self, number: int) -> str:
        """Return a bin's name: ``level_0.3``, ``level_0.083``."""
        edge = self.edges[number - 1] if number else 0.0
        return f"level_{max(f'{edge:.1f}', f'{edge:.{DIGITS}f}'.rstrip('0'), key=len)}"

    def means(
        self, values: Sequence[float], levels: Sequence[float], name: str
    ) -> dict[str, float]:
        """Return the mean of the values that are numbers, for each bin of levels that occurs."""
        found: dict[int, list[float]] = {}
        for value, level in zip(values, levels, strict=True):
            if not math.isnan(value):
                found.setdefault(self.bin(level), []).append(value)
        return {
            f"{name}/{self.name(key)}": sum(found[key]) / len(found[key]) for key in sorted(found)
        }
