"""Settings of what is made of the reward by noise level; formulas: ``methods.level_forms``."""

from dataclasses import dataclass
from math import inf

BOUNDS: dict[str, tuple[float, float, bool]] = {
    "level_memory": (1, 10**6, False),
    "blind_reward": (-inf, inf, False),
    "luck_weight": (0, 1, False),
    "off_view_limit": (0, inf, True),
}
"""Least and largest value of fields that hold a number, and whether the least is left out."""

CHOICES: dict[str, tuple[str, ...]] = {
    "level_weight": ("none", "shown"),
    "off_view_negatives": ("keep", "zero", "clip"),
}
"""Names that fields may hold."""

OF_LEVELS = (
    "level_memory",
    "level_weight",
    "blind_reward",
    "luck_weight",
    "off_view_negatives",
    "off_view_limit",
)
"""All of them."""

LIMIT = 0.25
"""Bound on negative advantages of noisy rollouts, where none is given."""


@dataclass
class LevelFields:
    """Fields of ``NoisyGRPOConfig`` that say what rewards by level are used for."""

    level_memory: int = 20
    """Batches of rollouts over which rewards by noise level are averaged, for the advantages
    level_baseline and slope_prior, for level_weight and luck_weight."""

    level_weight: str = "none"
    """Weight of a rollout's advantage: none, or shown (the share of what the picture is worth that
    its level leaves, from running mean rewards), so that luck under noise teaches little."""

    blind_reward: float | None = None
    """Mean reward without a picture, for level_weight shown; ``None`` is that of the noisiest
    level, which then weighs nothing."""

    luck_weight: float = 1.0
    """Least weight of a group whose noisiest rollouts earn as much as its cleanest, so that the
    picture was not needed; 1 is off."""

    off_view_negatives: str = "keep"
    """Negative advantages of noisy rollouts, which are scored on another picture than they were
    sampled on: keep (published), zero, or clip (off_view_limit)."""

    off_view_limit: float | None = None
    """With off_view_negatives clip: how negative they may be; ``None`` is 0.25."""
