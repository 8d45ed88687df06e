"""What settings of score views and second views need to have an effect."""

from __future__ import annotations

from noisygrpo.training.rule import Rule
from noisygrpo.training.settings import (
    OF_THE_SECOND_VIEW,
    is_compared,
    is_noisy,
    weighs_by_dependence,
)

VIEW_RULES: tuple[Rule, ...] = (
    Rule(
        ("refill_attempts",),
        ("groups",),
        lambda values: values["groups"] == "refill",
        "give groups refill",
    ),
    Rule(
        ("score_view",),
        ("view_plan", "noise_levels"),
        is_noisy,
        "where every rollout sees the clean image that is what is scored",
    ),
    Rule(
        ("view_correction", "log_view_ratio"),
        ("score_view",),
        lambda values: values["score_view"] == "clean",
        "it compares the view with the clean image; give score_view clean",
    ),
    Rule(
        ("view_correction",),
        ("view_plan", "noise_levels"),
        is_noisy,
        "rollouts that see the clean image are scored on what they saw",
    ),
    Rule(
        ("view_correction_limit",),
        ("view_correction",),
        lambda values: values["view_correction"] != "none",
        "give view_correction truncated, geometric or rejection",
    ),
    Rule(
        ("second_level",),
        ("second_view",),
        lambda values: values["second_view"] not in ("none", "text"),
        "give second_view a noise kind",
    ),
    Rule(
        (*OF_THE_SECOND_VIEW, "second_metric"),
        ("second_view",),
        is_compared,
        "give second_view text or a noise kind",
    ),
    Rule(
        ("second_policy", "second_gradient", "second_loss_decay", "second_metric"),
        ("second_loss", "second_entropy"),
        lambda values: bool(values["second_loss"] or values["second_entropy"]),
        "it belongs to the loss term; give second_loss",
    ),
    Rule(
        ("second_gate",),
        ("second_loss", "second_reward", "second_advantage"),
        lambda values: bool(values["second_loss"]) or weighs_by_dependence(values),
        "give the second view something to do",
    ),
)
"""Those of score views and second views."""
