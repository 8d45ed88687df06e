"""What settings of score views and second views must satisfy together; without TRL and torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from noisygrpo.errors import require
from noisygrpo.methods.declared import declared
from noisygrpo.methods.noise import NOISE_KINDS
from noisygrpo.training.settings import (
    BY_TOKEN,
    OF_THE_SECOND_VIEW,
    by_group,
    is_compared,
    weighs_by_dependence,
)

RESIZING = tuple(name for name, noise in NOISE_KINDS.items() if declared(noise, "changes_size"))
"""Noise kinds that change the size of a picture, and so the number of its tokens."""

TERMS = ("second_loss", "second_entropy")
"""Fields that make the second view a part of the loss."""


def check_groups(values: Mapping[str, Any]) -> None:
    """Raise ``UserError`` for settings that cannot work with groups that are replaced."""
    if values["groups"] != "refill":
        return
    require(
        not values["log_completions"],
        f"groups: refill cannot go with log_completions {values['log_completions']}, which knows "
        "one batch only",
    )


def check_views(values: Mapping[str, Any]) -> None:
    """Raise ``UserError`` for score views and second views that cannot work with the rest.

    Args:
        values: of all fields, completed.
    """
    _check_score_view(values)
    if is_compared(values):
        _check_second_view(values)
        _check_use(values)
    correction = values["view_correction"]
    require(
        correction == "none" or values["noise_kind"] not in RESIZING,
        f"view_correction: {correction} needs views of the image's size, which noise_kind "
        f"{values['noise_kind']!r} changes",
    )


def _check_score_view(values: Mapping[str, Any]) -> None:
    require(
        values["score_view"] != "all" or values["noise_kind"] not in RESIZING,
        f"score_view: all scores one prompt on all views, and noise_kind {values['noise_kind']!r} "
        "changes the size of a picture, and with it the tokens of the prompt; give score_view own, "
        "or another noise kind",
    )


def _check_second_view(values: Mapping[str, Any]) -> None:
    view = values["second_view"]
    require(
        view not in RESIZING,
        f"second_view: {view} changes the size of a picture, and with it the tokens of the prompt; "
        "give another noise kind",
    )
    require(
        view == "text" or values["score_view"] == "clean" or values["noise_kind"] not in RESIZING,
        f"second_view: {view} has the size of the image, which noise_kind "
        f"{values['noise_kind']!r} changes where score_view is {values['score_view']}",
    )
    require(
        view == "text" or values["second_level"] is not None,
        f"second_level: missing; second_view {view} needs a level above 0, at most 1",
    )
    require(
        view == "text" or values["second_level"] >= 0.001,
        f"second_level: {values['second_level']} draws no noise; 0.001 is the least",
    )


def _check_use(values: Mapping[str, Any]) -> None:
    gradient, policy = values["second_gradient"], values["second_policy"]
    terms = [name for name in TERMS if values[name]]
    require(
        gradient not in ("second", "both") or policy == "current",
        f"second_gradient: {gradient} needs second_policy current; the old policy has no gradient",
    )
    require(
        not values["second_loss"] or gradient != "none",
        f"second_loss: {values['second_loss']} trains nothing with second_gradient none; give "
        "clean, second or both",
    )
    require(
        not values["second_entropy"] or gradient in ("second", "both"),
        f"second_entropy: {values['second_entropy']} trains nothing with second_gradient "
        f"{gradient}; give second or both, with second_policy current",
    )
    require(
        not terms or values["second_estimator"] != "full" or policy == "current",
        "second_estimator: full in the loss needs second_policy current; distributions of the old "
        "policy are not kept",
    )
    require(
        gradient == "none" or bool(terms),
        f"second_gradient: {gradient} has no effect without a loss term; give second_loss",
    )
    for name in BY_TOKEN:
        require(
            values[name] == OF_THE_SECOND_VIEW[name] or values["loss_type"] not in UNWEIGHTED,
            f"{name}: {values[name]} gives tokens weights, which loss_type "
            f"{values['loss_type']!r} does not take as such; give another loss_type",
        )
    signed = ("second_token_weight",)
    for name in signed:
        require(
            not values[name] or values["second_estimator"] != "k1",
            f"{name}: {values[name]} needs dependence that is never negative; give "
            "second_estimator k3 or full",
        )
    require(
        not values["second_reward"] or values["advantage"] != "grpo" or by_group(values),
        f"second_reward: {values['second_reward']} is added to the sum of the rewards, which needs "
        "scale_rewards group and multi_objective_aggregation sum_then_normalize",
    )
    require(
        not (values["second_metric"] and weighs_by_dependence(values)),
        "second_metric: true has no effect, as dependence is computed and logged anyway",
    )


UNWEIGHTED = ("luspo", "vespo")
"""Loss types of TRL in which advantages by token are not the weighted loss: one sums a completion's
tokens before it weighs them, the other makes a weight of the whole completion from their signs."""
