"""Does noise cost reward? The slope of reward over level, and what to say when it does not.

Within a group, whose rollouts answer one question, the least-squares slope over its G rollouts,

    b = sum_i (n_i - mean n) (r_i - mean r) / sum_i (n_i - mean n)^2

is reward per unit of level. Groups are the unit: the metric is their mean, its standard error their
spread over sqrt(groups). A prior that prefers the cleaner rollout says something true only where
the slope is below 0. ``SlopeWatch`` looks at the last ``WINDOW`` batches together and says once
that it is flat, or that a level is blind: its reward is below that without a picture, where that
was measured before the run (``levels.json``).

Shapes: P prompts, G rollouts of each; rewards of unscorable rollouts are NaN.
"""

import json
import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from jaxtyping import Float
from torch import Tensor

from noisygrpo.training.batch import Weighed

WINDOW = 20
"""Batches of rollouts that are looked at together."""

ERRORS = 2.0
"""Standard errors by which the slope must be below 0, or a level's reward below the blind one."""

LEVELS_FILE = "levels.json"
"""In a run's folder: what was measured before it, by `noisygrpo levels`."""


def group_slopes(
    rewards: Float[Tensor, "P G"], levels: Float[Tensor, "P G"]
) -> Float[Tensor, " groups"]:
    """Return the slope of each group whose scored rollouts differ in level; float64."""
    told = ~rewards.isnan()
    count = told.sum(1, keepdim=True).clamp(min=1)
    values = rewards.double().masked_fill(~told, 0.0)
    seen = levels.double().masked_fill(~told, 0.0)
    off = (seen - seen.sum(1, keepdim=True) / count).masked_fill(~told, 0.0)
    spread = (off**2).sum(1)
    slopes = (off * (values - values.sum(1, keepdim=True) / count)).sum(1) / spread
    return slopes[spread > 1e-12]


def mean_and_error(values: Sequence[float]) -> tuple[float, float]:
    """Return the mean of independent values and its standard error; NaN for fewer than two."""
    count, mean = len(values), math.fsum(values) / max(len(values), 1)
    if count < 2:
        return (mean if values else math.nan), math.nan
    variance = math.fsum((value - mean) ** 2 for value in values) / (count - 1)
    return mean, math.sqrt(variance / count)


def slope_metrics(slopes: Float[Tensor, " groups"]) -> dict[str, float]:
    """Return mean and standard error of the groups' slopes; nothing where no group has one."""
    if not len(slopes):
        return {}
    mean, error = mean_and_error(slopes.tolist())
    found = {"noise/reward_slope": mean}
    return found if math.isnan(error) else found | {"noise/reward_slope_stderr": error}


@dataclass
class SlopeWatch:
    """Remembers the last batches; what is wrong with the levels is said once."""

    folder: Path  # the run's
    slopes: deque[list[float]] = field(default_factory=lambda: deque(maxlen=WINDOW))
    by_level: deque[dict[float, list[float]]] = field(default_factory=lambda: deque(maxlen=WINDOW))
    said: set[str] = field(default_factory=set)  # of what, so that nothing is said twice

    def add(self, weighed: Weighed, slopes: Sequence[float]) -> list[str]:
        """Add a batch; returns lines to say, mostly none."""
        if not slopes:
            return []
        found: dict[float, list[float]] = {}
        levels, rewards = weighed.levels.flatten().tolist(), weighed.rewards.flatten().tolist()
        for level, reward in zip(levels, rewards, strict=True):
            if not math.isnan(reward):
                found.setdefault(round(level, 6), []).append(reward)
        self.slopes.append(list(slopes))
        self.by_level.append(found)
        if len(self.slopes) < WINDOW:
            return []
        new = {name: line for name, line in self._faults() if name not in self.said}
        self.said |= new.keys()
        return list(new.values())

    def _faults(self) -> list[tuple[str, str]]:
        mean, error = mean_and_error([slope for batch in self.slopes for slope in batch])
        faults = []
        if not mean + ERRORS * error < 0:
            faults.append(
                (
                    "flat",
                    f"noise costs no reward: over the last {WINDOW} batches its slope over the "
                    f"level is {mean:+.3f} ± {error:.3f}, so a prior for cleaner rollouts says "
                    "nothing true; `noisygrpo levels` measures at which levels noise is felt",
                )
            )
        blind = self._blind()
        for level in sorted({level for batch in self.by_level for level in batch}):
            rewards = [value for batch in self.by_level for value in batch.get(level, [])]
            mean, error = mean_and_error(rewards)
            if blind is not None and level > 0 and mean + ERRORS * error < blind:
                faults.append(
                    (
                        f"blind {level}",
                        f"level {level:g} is blind: over the last {WINDOW} batches its rollouts "
                        f"earn {mean:.3f} ± {error:.3f}, below the {blind:.3f} without a picture "
                        "(measured before the run)",
                    )
                )
        return faults

    def _blind(self) -> float | None:
        path = self.folder / LEVELS_FILE
        if not path.is_file():
            return None
        blind = json.loads(path.read_text(encoding="utf-8"))["blind"].values()
        return max((one["reward"]["mean"] for one in blind if "reward" in one), default=None)
