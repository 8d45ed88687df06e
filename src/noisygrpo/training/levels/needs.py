"""What settings of rewards by level need to have an effect, and what they cannot go with."""

from __future__ import annotations

from noisygrpo.own.choice import OF_THE_MEANS
from noisygrpo.training.rule import Rule, Values
from noisygrpo.training.settings import is_noisy


def uses_means(values: Values) -> bool:
    """Whether anything is made of the reward by level, besides metrics."""
    asked = values["level_weight"] != "none" or values["luck_weight"] < 1
    return bool(asked or values["advantage"] in OF_THE_MEANS)


LEVEL_RULES: tuple[Rule, ...] = (
    Rule(
        ("level_weight", "luck_weight", "off_view_negatives"),
        ("view_plan", "noise_levels"),
        is_noisy,
        "give view_plan grid, uniform or split with a level above 0",
    ),
    Rule(
        ("level_memory",),
        ("advantage", "level_weight", "luck_weight"),
        uses_means,
        "give advantage level_baseline or slope_prior, level_weight shown, or a luck_weight below "
        "1",
    ),
    Rule(
        ("blind_reward",),
        ("level_weight",),
        lambda values: values["level_weight"] == "shown",
        "give level_weight shown",
    ),
    Rule(
        ("off_view_negatives",),
        ("score_view",),
        lambda values: values["score_view"] != "own",
        "every rollout is scored on what it saw; give score_view clean",
    ),
    Rule(
        ("off_view_limit",),
        ("off_view_negatives",),
        lambda values: values["off_view_negatives"] == "clip",
        "give off_view_negatives clip",
    ),
)
"""Those of rewards by level."""
